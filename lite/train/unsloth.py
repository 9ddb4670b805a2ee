"""Unsloth: the model is loaded and wrapped by it, and trained by TRL's own trainers.

Unsloth puts trainers of its own in the place of TRL's: copies of TRL's source with parts exchanged. Its `compute_loss`
asks `_get_per_token_logps_and_entropies` for nothing (`compute_efficient`) and computes the loss in a function of its
own; asked as TRL asks, that method gives log-probabilities without gradients; and its settings add a KL term of 0.001.
Our loss is TRL's with a weight for each token, so with those trainers it fails at the first step. Its models are
PyTorch modules like others, so `stock` gives TRL's trainers, unchanged, to train them with.
"""

import os
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from lite.errors import ModelError, one_line
from lite.extras import need
from lite.recipe import PolicySettings
from lite.shipped import cache_dir


def import_first() -> ModuleType:
    """Import Unsloth. It changes torch, transformers, peft and trl, and so has to come before them.

    Raises:
        MissingExtra: it is not installed.
    """
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # else it asks Hugging Face for a file, to be counted
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(cache_dir() / "unsloth"))  # else in the folder one stands in
    os.environ.setdefault("UNSLOTH_RETURN_LOGITS", "1")  # else a GPU's forward with labels has none: no entropy in SFT
    with redirect_stdout(sys.stderr):  # it prints, and a command's output may be JSON
        return need("unsloth", "unsloth")


def load_adapted(settings: PolicySettings, folder: Path, *, seed: int) -> tuple[Any, Any]:
    """(model with a fresh adapter, tokenizer) of a Hugging Face folder.

    `FastModel` and not `FastLanguageModel`: on a GPU the latter keeps the keys and values of the text under way in the
    model itself, for its own `generate`, and our sampler, which gives it other rows at every turn, would read the wrong
    ones. On a CPU the two are the same class.

    Raises:
        MissingExtra: Unsloth is not installed.
        ModelError: the folder cannot be loaded, or not in 4 bits where that is asked for.
    """
    fast = import_first().FastModel
    transformers = need("transformers", "train")
    checkpointing: Any = "unsloth" if settings.gradient_checkpointing else False
    with redirect_stdout(sys.stderr):
        try:
            transformers.set_seed(seed)
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, _ = fast.from_pretrained(
                str(folder),
                max_seq_length=config.get_text_config(decoder=True).max_position_embeddings,  # more would stretch it
                dtype=getattr(need("torch", "train"), settings.dtype),
                load_in_4bit=settings.load_in_4bit,
                use_gradient_checkpointing=checkpointing,
                local_files_only=True,
            )
        except Exception as error:  # noqa: BLE001  # foreign files: whatever is raised means that they cannot be read
            line = one_line(error)
            raise ModelError(f'{folder} cannot be loaded by Unsloth ({line}): try loader = "transformers"') from None
        if settings.load_in_4bit and not getattr(model, "is_loaded_in_4bit", False):
            raise ModelError(
                "Unsloth loaded no 4-bit weights: install bitsandbytes, or set policy.load_in_4bit = false"
            )
        targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
        model = fast.get_peft_model(
            model,
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=targets,
            use_gradient_checkpointing=checkpointing,
            random_state=seed,
        )
    return model, tokenizer


def stock(kind: str) -> tuple[Any, Any]:
    """TRL's own settings and trainer, of "grpo" or "sft", also where Unsloth has put others in their place.

    Then they come from copies of TRL's modules that nobody else has.
    """
    config, trainer = f"trl.trainer.{kind}_config", f"trl.trainer.{kind}_trainer"
    settings_name, trainer_name = f"{kind.upper()}Config", f"{kind.upper()}Trainer"
    if "unsloth" not in sys.modules:
        return getattr(import_module(config), settings_name), getattr(import_module(trainer), trainer_name)
    settings = getattr(_copy(config), settings_name)
    copy = _copy(trainer)
    setattr(copy, settings_name, settings)  # it looks whether it was given an object of this class
    return settings, getattr(copy, trainer_name)


def _copy(name: str) -> ModuleType:
    """A module of TRL's loaded once more, beside the one that others have changed."""
    beside = f"{name}_of_trl"  # in the same package, for its relative imports
    if beside not in sys.modules:
        found = find_spec(name)
        if found is None or found.origin is None:
            raise ModelError(f"{name} cannot be found: install trl again")
        spec = spec_from_file_location(beside, found.origin)
        if spec is None or spec.loader is None:
            raise ModelError(f"{found.origin} cannot be loaded: install trl again")
        module = module_from_spec(spec)
        sys.modules[beside] = module  # a dataclass and pickle look for it there
        spec.loader.exec_module(module)
    return sys.modules[beside]
