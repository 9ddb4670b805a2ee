"""A checkpoint in the form others take it: an adapter or a whole model, as GGUF or as a Hugging Face folder."""

from pathlib import Path

from lite.errors import UsageError
from lite.recipe import PolicySettings
from lite.run import read_manifest
from lite.train.gguf import write_model
from lite.train.policy import Policy, base_of


def export(checkpoint: Path, out: Path, *, base: str | None = None, merge: bool = False, kind: str = "f16") -> None:
    """Write a checkpoint's adapter, or with `merge` the whole model, to `out`.

    A name that ends in .gguf is a file for llama.cpp; any other is a folder for PEFT or transformers.

    Args:
        checkpoint: a folder with `adapter_config.json`.
        out: the file or folder.
        base: the base model, as a recipe names it; by default the one that the checkpoint's run was told to train.
        merge: the adapter becomes part of the weights.
        kind: of a GGUF file's numbers: f32, f16, bf16 or q8_0; an adapter's are f32 or f16.

    Raises:
        UsageError: the checkpoint is none, or `out` cannot be made of it.
    """
    if not (checkpoint / "adapter_config.json").is_file():
        raise UsageError(f"{checkpoint} holds no adapter: name the folder that has adapter_config.json")
    if out.suffix != ".gguf" and out.exists():
        raise UsageError(f"{out} exists: name another folder")
    # The numbers of a merged model are rounded once, when they are written.
    base = base or _trained(checkpoint)
    policy = Policy.load(PolicySettings(model=base, dtype="float32"), seed=0, adapter=checkpoint)
    if not merge:
        policy.write_gguf(out, kind) if out.suffix == ".gguf" else policy.model.save_pretrained(out)
        return
    model = policy.model.merge_and_unload()
    if out.suffix != ".gguf":
        model.save_pretrained(out)
        policy.tokenizer.save_pretrained(out)
        return
    file = base_of(base)
    write_model(model, file if file.is_file() else policy.tokenizer, out, kind)


def _trained(checkpoint: Path) -> str:
    """The base model that the run around a checkpoint names in its manifest."""
    for folder in checkpoint.resolve().parents[:3]:  # RUN/start, RUN/stage-1/best, RUN/sft/checkpoint-8
        model = ((read_manifest(folder) or {}).get("settings", {}).get("policy") or {}).get("model")
        if model:
            return model
    raise UsageError(f"{checkpoint} is in no training run: name the model it was trained on with --base (smollm2)")
