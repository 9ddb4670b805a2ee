"""What the machine is seen to have."""

from pathlib import Path

import pytest

from lite import machine
from lite.machine import computes_bf16, has_gpu


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16 fma\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags\t\t: fpu avx2 fma\nmodel name\t: a bf16 processor\n", False),
        (None, False),  # no Linux
    ],
)
def test_bf16_is_a_matter_of_the_processors_flags(monkeypatch, said: str | None, *, wanted: bool) -> None:
    def read_text(path: Path) -> str:
        assert str(path) == "/proc/cpuinfo"
        if said is None:
            raise FileNotFoundError
        return said

    monkeypatch.setattr(Path, "read_text", read_text)
    assert computes_bf16() is wanted


@pytest.mark.parametrize(
    ("tool", "torch", "wanted"),
    [("/usr/bin/nvidia-smi", "2.13.0", True), ("/usr/bin/nvidia-smi", "2.13.0+cpu", False), (None, "2.13.0", False)],
)
def test_a_gpu_needs_a_torch_that_uses_it(monkeypatch, tool: str | None, torch: str, *, wanted: bool) -> None:
    monkeypatch.setattr(machine.shutil, "which", lambda _: tool)
    monkeypatch.setattr(machine, "version", lambda _: torch)
    assert has_gpu() is wanted
