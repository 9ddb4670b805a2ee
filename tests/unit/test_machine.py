"""What the machine is seen to have."""

from pathlib import Path

import pytest

from lite import machine
from lite.machine import available_memory, computes_bf16, has_gpu


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


@pytest.mark.parametrize(
    ("limit", "used", "read", "wanted"),
    [
        ("3000000\n", 2_500_000, 0, 500_000),
        ("3000000\n", 2_500_000, 2_000_000, 2_500_000),  # most of it files that were read, and can be dropped
        ("3000000\n", 3_500_000, 0, 0),  # past its limit, which was lowered
        ("max\n", 2_500_000, 0, None),
    ],
)
def test_a_containers_limit_counts_less_the_files_it_could_drop(
    tmp_path: Path, monkeypatch, limit: str, used: int, read: int, wanted: int | None
) -> None:
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    whole = available_memory()
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text(f"anon 4096\ninactive_file {read}\nactive_file 12\n")
    free = available_memory()
    assert free == wanted if wanted is not None else free == pytest.approx(whole, rel=0.2)
