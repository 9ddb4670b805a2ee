"""The policy: a language model with a LoRA adapter that is trained, and the file by which llama.cpp wears it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lite.errors import ModelError, UsageError, one_line
from lite.extras import need
from lite.machine import wait_passively
from lite.models import read_spec, split_adapter
from lite.models.huggingface import from_gguf, load
from lite.recipe import PolicySettings
from lite.train.gguf import read_adapter, write_adapter
from lite.train.unsloth import import_first, load_adapted

ADAPTER = "adapter.gguf"


def base_of(spec: str) -> Path:
    """The file or folder of a policy's base model.

    Raises:
        UsageError: the spec names no model that can be trained here.
    """
    kind, rest = read_spec(spec)
    if kind == "smollm2" and not rest:
        from lite.models.smollm2 import smollm2_gguf

        return smollm2_gguf()
    if kind in {"llamacpp", "transformers"} and split_adapter(kind, rest)[1] is None:
        if not Path(rest).exists():
            raise UsageError(f"there is no {rest}: name the policy's model by a GGUF file or a Hugging Face folder")
        return Path(rest)
    raise UsageError(f"{spec} cannot be trained: name smollm2, llamacpp:FILE.gguf or transformers:FOLDER")


class Policy:
    """A base model and its adapter, in torch.

    Attributes:
        model: the PEFT model.
        tokenizer: its tokenizer.
        base: the GGUF file or the folder of the base.
    """

    def __init__(self, model: Any, tokenizer: Any, base: Path) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.base = base

    @classmethod
    def load(cls, settings: PolicySettings, *, seed: int, adapter: Path | None = None) -> "Policy":
        """The base with a fresh adapter (drawn by `seed`), or with that of a checkpoint or of a GGUF file.

        Raises:
            MissingExtra: the libraries of the extra `train` are not installed.
            ModelError: a file cannot be used.
        """
        wait_passively()
        if settings.loader == "unsloth":
            import_first()
        for library in ("torch", "peft", "transformers"):
            need(library, "train")
        need("datasets", "train").disable_progress_bars()
        _score_what_counts()
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        base = base_of(settings.model)
        if settings.loader == "unsloth":
            model, tokenizer = load_adapted(settings, base if base.is_dir() else from_gguf(base), seed=seed)
        else:
            model, tokenizer = load(base, settings.dtype)
        file = adapter if adapter and adapter.suffix == ".gguf" else None
        folder = None if file else adapter
        try:
            if settings.loader == "transformers":
                model = _adapted(model, settings, seed, folder)
            elif folder is not None:
                model.load_adapter(folder, "default", is_trainable=True)
            if file is not None:
                _fill(model, file)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            if adapter is None:
                raise
            raise ModelError(
                f"{adapter} is no adapter of {base} ({one_line(error)}): name another checkpoint"
            ) from None
        return cls(model, tokenizer, base)

    def save(self, folder: Path) -> Path:
        """Write the adapter, for PEFT and for llama.cpp; the latter's file."""
        self.model.save_pretrained(folder)
        return self.write_gguf(folder / ADAPTER)

    @contextmanager
    def wearing(self, adapter: Path | None) -> Iterator[None]:
        """The policy with the adapter of a checkpoint in its own one's place, for a while; None: with none at all."""
        if adapter is None:
            with self.model.disable_adapter():
                yield
            return
        peft = need("peft", "train")
        own = {name: tensor.clone() for name, tensor in peft.get_peft_model_state_dict(self.model).items()}
        peft.set_peft_model_state_dict(self.model, peft.load_peft_weights(str(adapter)))
        try:
            yield
        finally:
            peft.set_peft_model_state_dict(self.model, own)

    def write_gguf(self, path: Path, kind: str = "f32") -> Path:
        """Write the adapter as llama.cpp wears it, its numbers as f32 or f16."""
        peft = need("peft", "train")
        config = self.model.get_base_model().config
        state = peft.get_peft_model_state_dict(self.model)
        write_adapter(config, self.model.peft_config["default"], state, path, kind)
        return path


def _adapted(model: Any, settings: PolicySettings, seed: int, adapter: Path | None) -> Any:
    """The model with its adapter, by PEFT alone."""
    torch, peft = need("torch", "train"), need("peft", "train")
    need("transformers", "train").set_seed(seed)
    if adapter is None:
        lora = peft.LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=settings.targets if isinstance(settings.targets, str) else list(settings.targets),
            task_type="CAUSAL_LM",
        )
        model = peft.get_peft_model(model, lora)
    else:
        model = peft.PeftModel.from_pretrained(model, adapter, is_trainable=True)
    if torch.cuda.is_available():
        model = model.to("cuda")
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    return model


def _fill(model: Any, file: Path) -> None:
    """Give a fresh adapter the numbers of a GGUF file."""
    torch, peft = need("torch", "train"), need("peft", "train")
    fresh = peft.get_peft_model_state_dict(model)
    read = read_adapter(model.get_base_model().config, model.peft_config["default"], fresh, file)
    peft.set_peft_model_state_dict(model, {name: torch.tensor(values) for name, values in read.items()})


def trainer_settings(settings: PolicySettings, seed: int) -> dict[str, Any]:
    """What every trainer of a policy is told, whatever it trains on."""
    return {
        "bf16": settings.dtype == "bfloat16",
        "use_cpu": not need("torch", "train").cuda.is_available(),
        # Unsloth's own way of it is in the model already; the trainer would put the plain one in its place.
        "gradient_checkpointing": settings.gradient_checkpointing and settings.loader == "transformers",
        "optim": "adamw_torch",
        "logging_steps": 1,
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
        "report_to": [],
        "seed": seed,
    }


def _score_what_counts() -> None:
    """Without Triton (on a CPU) TRL 1.16 computes logits for the prompt's tokens too: most of them, for nothing."""
    from trl.trainer import utils

    if hasattr(utils, "_use_triton"):
        utils._use_triton = lambda _device: True  # noqa: SLF001  # pyright: ignore[reportPrivateImportUsage]
