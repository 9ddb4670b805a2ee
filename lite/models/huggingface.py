"""Hugging Face models from folders and GGUF files, for whoever runs or trains them with torch."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lite.errors import ModelError, one_line
from lite.extras import need
from lite.models.engine import check_gguf
from lite.shipped import cache_dir

EXTRA = "transformers"
_VERSION = 1  # of the conversion: another number, another folder


def load(path: Path, dtype: str | None = None) -> tuple[Any, Any]:
    """(model, tokenizer) from a Hugging Face folder or a GGUF file, on the CPU.

    Args:
        path: the folder or the file.
        dtype: of torch, by name; None: as it is stored.

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: there is no model, or none that can be used.
    """
    transformers = _quiet(need("transformers", EXTRA))
    folder = path if path.is_dir() else from_gguf(path)
    with _loading(folder, path):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype or "auto")
    return model, tokenizer


def adapted(model: Any, adapter: Path) -> Any:
    """The model with the LoRA adapter in a folder of PEFT, beside its weights: what a policy in training computes.

    Raises:
        MissingExtra: PEFT is not installed.
        ModelError: the folder holds no adapter, or one for another model.
    """
    peft = need("peft", "train")
    if not (adapter / "adapter_config.json").is_file():
        raise ModelError(
            f"{adapter} has no adapter_config.json: give the folder of a PEFT adapter, such as stage-1/best"
        )
    try:
        return peft.PeftModel.from_pretrained(model, adapter)
    except Exception as error:  # noqa: BLE001  # foreign files, as above
        said = one_line(error)
        raise ModelError(f"{adapter} is no adapter of this model ({said}): give one that was made for it") from None


def load_tokenizer(folder: Path) -> tuple[Any, list[Any]]:
    """The tokenizer of a Hugging Face folder, and what of the model's configurations there is.

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: there is no model, or none that can be used.
    """
    transformers = _quiet(need("transformers", EXTRA))
    with _loading(folder, folder):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        configs: list[Any] = [transformers.AutoConfig.from_pretrained(folder, local_files_only=True)]
        if (folder / "generation_config.json").is_file():
            configs.append(transformers.GenerationConfig.from_pretrained(folder, local_files_only=True))
    return tokenizer, configs


@contextmanager
def _loading(folder: Path, named: Path) -> Iterator[None]:
    """Foreign files: whatever the library raises means that it cannot read them. `named` is what the user gave."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json: give the folder of a Hugging Face model, or a GGUF file")
    try:
        yield
    except Exception as error:  # noqa: BLE001
        said = one_line(error)
        raise ModelError(f"{named} cannot be loaded by transformers ({said}): give another copy of it") from None


def from_gguf(path: Path) -> Path:
    """The model of a GGUF file as a Hugging Face folder in the user's cache directory, in float32: quantised weights
    become the numbers they stand for. The first call writes it.

    Raises:
        MissingExtra: gguf or accelerate is not installed.
        ModelError: the file is no model that transformers knows, or the cache directory cannot be written.
    """
    check_gguf(path)
    with path.open("rb") as file:
        digest = blake2b(digest_size=8)
        while part := file.read(1 << 24):
            digest.update(part)
    target = cache_dir() / "huggingface" / f"{path.stem[:80]}-{digest.hexdigest()}-v{_VERSION}"
    if target.exists():
        return target
    transformers, torch = _quiet(need("transformers", EXTRA)), need("torch", EXTRA)
    need("accelerate", EXTRA)
    gguf = need("gguf", EXTRA)
    where: dict[str, Any] = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        _mend(tokenizer, gguf.GGUFReader(path))
        plain = transformers.GgufConfig(dequantize=True)  # else it can be neither saved nor trained
        with redirect_stderr(io.StringIO()):  # a bar that no setting turns off
            model = transformers.AutoModelForCausalLM.from_pretrained(
                **where, dtype=torch.float32, quantization_config=plain
            )
    except Exception as error:  # noqa: BLE001  # a foreign file: whatever the library raises means that it cannot read it
        raise ModelError(
            f"{path} cannot be read by transformers ({one_line(error)}): run it with llamacpp:, or give a folder"
        ) from None
    _save(model, tokenizer, target)
    return target


def _save(model: Any, tokenizer: Any, target: Path) -> None:
    """Write a folder whole, or not at all."""
    part = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(dir=target.parent, suffix=".part")
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        if not target.exists():
            Path(part).rename(target)
    except OSError as error:
        size = sum(each.numel() for each in model.parameters()) * 4e-9
        raise ModelError(
            f"{target.parent} cannot be written ({error.strerror or error}): free {size:.1f} GB there, "
            "or set XDG_CACHE_HOME"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _mend(tokenizer: Any, reader: Any) -> None:
    """Give SmolLM's tokenizer back what transformers loses of it: each digit stands alone. Without that, spaces before
    numbers are cut otherwise than by llama.cpp, and than in training.
    """
    pre = reader.fields.get("tokenizer.ggml.pre")
    if pre is None or pre.contents() != "smollm":
        return
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    parts = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(parts)


def _quiet(transformers: Any) -> Any:
    """No bars and no remarks: what matters is raised."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers
