"""From torch to GGUF: LoRA adapters and whole models as llama.cpp reads them.

Tensor names come from the `gguf` library. Models of the `llama` architecture keep the rows of their query and key
projections in another order there than in Hugging Face's files (halves of a head interleaved); qwen2 and qwen3 do not.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lite.errors import ModelError, UsageError
from lite.extras import need
from lite.models.smollm2 import copy_fields
from lite.train.vocabulary import write_tokenizer

_ARCHITECTURES = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
_TYPES = ("f32", "f16", "bf16", "q8_0")
_OF_ADAPTERS = {"f32": np.float32, "f16": np.float16}
_ALPHA = "adapter.lora.alpha"
_ROTATED = ("q_proj", "k_proj")


class Layout:
    """How one architecture names and orders its tensors.

    Args:
        config: of the Hugging Face model.

    Raises:
        UsageError: an architecture that is not known here.
    """

    def __init__(self, config: Any) -> None:
        self._gguf = need("gguf", "train")
        self.name = config.model_type
        if self.name not in _ARCHITECTURES:
            raise UsageError(f"a {self.name} model cannot be written as GGUF here: known are llama, qwen2 and qwen3")
        kind = getattr(self._gguf.MODEL_ARCH, _ARCHITECTURES[self.name])
        self._names = self._gguf.get_tensor_name_map(kind, config.num_hidden_layers)
        self._heads = {
            "q_proj": config.num_attention_heads,
            "k_proj": getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        }

    def tensor(self, name: str) -> str:
        """GGUF's name of a Hugging Face weight (`model.layers.0.self_attn.q_proj.weight`)."""
        found = self._names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ModelError(f"{name} has no name in GGUF: this model cannot be written")
        return found

    def of_adapter(self, name: str) -> tuple[str, str, str]:
        """GGUF's name of a tensor of PEFT's, the name of the weight it is for, and its side, "a" or "b"."""
        weight, _, part = name.removeprefix("base_model.model.").partition(".lora_")
        side = part[0].lower()
        return f"{self.tensor(weight + '.weight')}.lora_{side}", weight, side

    def rows(self, name: str, values: np.ndarray, *, back: bool = False) -> np.ndarray:
        """The rows of a weight, of a bias or of a LoRA's B, in GGUF's order; or back from it."""
        kind = next((part for part in _ROTATED if f".{part}." in f".{name}."), None)
        if self.name != "llama" or kind is None:
            return values
        half = values.shape[0] // self._heads[kind] // 2
        parts = (self._heads[kind], half, 2) if back else (self._heads[kind], 2, half)
        return values.reshape(*parts, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def write_adapter(config: Any, lora: Any, tensors: Mapping[str, Any], path: Path, kind: str = "f32") -> None:
    """Write a LoRA adapter for llama.cpp, whole or not at all.

    Args:
        config: of the base model.
        lora: the adapter's `LoraConfig`.
        tensors: PEFT's state: `….q_proj.lora_A.weight` (rank x in) and `….lora_B.weight` (out x rank).
        path: the file.
        kind: f32, or f16 for half the size.

    Raises:
        UsageError: the adapter has more than plain LoRA, or the architecture or the kind is not known.
    """
    if kind not in _OF_ADAPTERS:
        raise UsageError(f"an adapter is not written as {kind!r}: use {' or '.join(_OF_ADAPTERS)}")
    layout = Layout(config)
    _plain(lora)
    found: dict[str, np.ndarray] = {}
    for name, values in tensors.items():
        target, weight, side = layout.of_adapter(name)
        numbers = _numbers(values)
        found[target] = layout.rows(weight, numbers) if side == "b" else numbers

    def fill(writer: Any) -> None:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32(_ALPHA, float(lora.lora_alpha))
        for name in sorted(found):
            writer.add_tensor(name, np.ascontiguousarray(found[name], dtype=_OF_ADAPTERS[kind]))

    _write(layout, path, fill)


def read_adapter(config: Any, lora: Any, fresh: Mapping[str, Any], path: Path) -> dict[str, np.ndarray]:
    """The tensors of a LoRA adapter that was written for llama.cpp, by PEFT's names.

    Args:
        config: of the base model.
        lora: the `LoraConfig` it is read into; rank, alpha and targets have to be the file's.
        fresh: PEFT's state of the adapter that takes them: its names and shapes.
        path: the file.

    Raises:
        ModelError: the file is no adapter, or one of another model, rank or alpha.
    """
    gguf, layout = need("gguf", "train"), Layout(config)
    _plain(lora)
    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelError(f"{path} cannot be read as GGUF ({error}): name an adapter of lite export") from None
    held = {tensor.name: tensor for tensor in reader.tensors}
    found: dict[str, np.ndarray] = {}
    for name, own in fresh.items():
        target, weight, side = layout.of_adapter(name)
        if target not in held:
            raise ModelError(f"{path} has no {target}: it is no adapter of this model, or of other policy.targets")
        tensor = held.pop(target)
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type).reshape([int(n) for n in tensor.shape[::-1]])
        if numbers.shape != tuple(own.shape):
            raise ModelError(f"{path}: {name} is {numbers.shape} and here {tuple(own.shape)}: set policy.rank")
        found[name] = layout.rows(weight, numbers, back=True) if side == "b" else numbers
    if held:
        raise ModelError(f"{path} has {next(iter(held))}, which policy.targets leaves out: train what it trained")
    alpha = reader.get_field(_ALPHA)
    if alpha is None or float(alpha.contents()) != float(lora.lora_alpha):
        told = "no alpha" if alpha is None else f"alpha {alpha.contents():g}"
        raise ModelError(f"{path} has {told} and policy.alpha is {lora.lora_alpha:g}: they have to be the same")
    return found


def _plain(lora: Any) -> None:
    """Refuse an adapter that llama.cpp cannot wear."""
    if lora.use_rslora or lora.use_dora or lora.modules_to_save or lora.rank_pattern or lora.alpha_pattern:
        raise UsageError("only plain LoRA can be a GGUF file: no rslora, dora, saved modules or patterns")


def _describe(config: Any, writer: Any) -> None:
    """The dimensions of a model."""
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", None) or heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or getattr(config, "rope_theta", None) or 10000.0))
    if rope.get("rope_type", "default") != "default":
        raise UsageError(f"a model with {rope['rope_type']} rope scaling cannot be written as GGUF here")


def _numbers(values: Any) -> np.ndarray:
    return values.detach().float().cpu().numpy()


def _write(layout: Layout, path: Path, fill: Callable[[Any], None]) -> None:
    gguf = need("gguf", "train")
    part = path.with_name(path.name + ".part")
    try:
        writer = gguf.GGUFWriter(part, layout.name)
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be written ({error.strerror or error}): free space, or name another") from None
    finally:
        part.unlink(missing_ok=True)


def write_model(model: Any, tokenizer: Any, path: Path, kind: str = "f16") -> None:
    """Write a whole model with its tokenizer and chat template.

    Args:
        model: a Hugging Face model (a LoRA merged into it already).
        tokenizer: its own, or a GGUF file that has it: then it is copied.
        path: the file.
        kind: f32, f16, bf16 or q8_0; vectors stay in f32.

    Raises:
        UsageError: an unknown type, architecture or tokenizer.
    """
    if kind not in _TYPES:
        raise UsageError(f"no type is called {kind!r}: use {', '.join(_TYPES)}")
    gguf = need("gguf", "train")
    layout = Layout(model.config)
    types = {
        "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
        "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
        "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
        "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    }
    stored, file_type = types[kind]
    tied = model.config.tie_word_embeddings

    def fill(writer: Any) -> None:
        _describe(model.config, writer)
        if isinstance(tokenizer, Path):
            copy_fields(gguf.GGUFReader(tokenizer), writer, lambda key: key.startswith("tokenizer."))
        else:
            write_tokenizer(tokenizer, model.config.vocab_size, writer)
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        for name, values in model.state_dict().items():
            if tied and name.startswith("lm_head."):
                continue
            target, numbers = layout.tensor(name), np.ascontiguousarray(layout.rows(name, _numbers(values)))
            if numbers.ndim == 1 or stored is gguf.GGMLQuantizationType.F32:
                writer.add_tensor(target, numbers)
            else:
                writer.add_tensor(target, gguf.quants.quantize(numbers, stored), raw_dtype=stored)

    _write(layout, path, fill)
