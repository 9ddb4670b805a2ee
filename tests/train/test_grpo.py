"""The update: TRL's loss on our rows against a computation by hand, and what an update changes."""

from pathlib import Path

import pytest

from lite.recipe import PolicySettings, StageSettings, Updates
from lite.train.groups import Row
from tests.train.conftest import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

# Two rows of different lengths; an observation stands inside the first. Sampler's log-probabilities are made up.
ROWS = [
    Row([1, 50, 60, 70, 80, 90, 100, 110], [False, False, True, True, False, False, True, True],
        [0, 0, -9.0, -10.5, 0, 0, -8.0, -30.0], 0.8),
    Row([1, 55, 65, 75], [False, False, False, True], [0, 0, 0, -12.0], -1.2),
]  # fmt: skip


def trainer_of(tiny_folder: Path, folder: Path, rows: list[Row], *, adapter: Path | None = None, **changes):
    from lite.train.grpo import GroupTrainer, config_of
    from lite.train.policy import Policy

    policies = PolicySettings(model=f"transformers:{tiny_folder}", dtype="float32", rank=4, alpha=8)
    policy = Policy.load(policies, seed=3, adapter=adapter)
    stage = StageSettings(
        steps=changes.pop("steps", 1),
        temperature=0.7,
        learning_rate=changes.pop("learning_rate", 1e-9),
        warmup=changes.pop("warmup", 0),
    )
    updates = Updates(**{"tasks": 1, "rollouts": 2, "max_grad_norm": 1e9} | changes)
    args = config_of(folder, policies, stage, updates, context=64, seed=1)
    return GroupTrainer(policy, args, updates, lambda _step: rows), policy


def gradients(trainer, policy) -> dict[str, "object"]:
    """The gradients of one step, as the optimizer would get them."""
    trainer.state.global_step = 0
    trainer.current_gradient_accumulation_steps = 1
    policy.model.zero_grad()
    trainer.training_step(policy.model, None)
    return {name: p.grad.clone() for name, p in policy.model.named_parameters() if p.grad is not None}


def by_hand(policy, rows: list[Row], *, loss: str, truncation: float, count: int) -> dict[str, "object"]:
    """Gradients of - A * w * token log-probability: at the old policy the ratio is 1 and nothing is clipped."""
    import torch

    policy.model.zero_grad()
    total = torch.zeros(())
    tokens = sum(sum(row.sampled) for row in rows)
    for row in rows:
        logits = policy.model(input_ids=torch.tensor([row.ids])).logits[0, :-1].float() / 0.7
        said = logits.log_softmax(-1).gather(1, torch.tensor(row.ids[1:])[:, None])[:, 0]
        mask = torch.tensor(row.sampled[1:], dtype=torch.float32)
        weight = torch.ones_like(said)
        if truncation:
            offset = (said.detach() - torch.tensor(row.logprobs[1:])) * mask
            weight = torch.exp(offset).clamp(max=truncation)
        each = -row.advantage * weight * said * mask
        total = total + (each.sum() / mask.sum() / count if loss == "grpo" else each.sum() / tokens)
    total.backward()
    return {name: p.grad.clone() for name, p in policy.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("loss", "truncation"), [("grpo", 2.0), ("grpo", 0.0), ("dapo", 2.0)])
@pytest.mark.parametrize("tokens", [8, 4096])
def test_the_gradient_is_the_one_computed_by_hand(
    tmp_path: Path, tiny_folder: Path, loss: str, truncation: float, tokens: int
) -> None:
    import torch

    with torch.no_grad():
        trainer, policy = trainer_of(tiny_folder, tmp_path, ROWS, loss=loss, truncation=truncation, tokens=tokens)
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:  # as it begins the gradient of A is nothing
                parameter.normal_(0, 0.1)
    policy.model.train()
    expected = by_hand(policy, ROWS, loss=loss, truncation=truncation, count=2)
    found = gradients(trainer, policy)
    assert found.keys() == expected.keys()
    assert any(value.abs().max() > 1e-4 for value in expected.values())
    for name, value in expected.items():
        assert (found[name] - value).abs().max() <= 1e-3 * value.abs().max(), name


def test_the_weight_of_a_token_is_truncated_at_two_and_demonstrations_have_none(
    tmp_path: Path, tiny_folder: Path
) -> None:
    import torch

    demonstration = Row(ROWS[0].ids, ROWS[0].sampled, None, 0.5)
    trainer, policy = trainer_of(tiny_folder, tmp_path, [ROWS[0], demonstration], tokens=4096)
    gradients(trainer, policy)
    [batch] = trainer._rows
    weights = batch["advantages"] / torch.tensor([[0.8], [0.5]])
    mask = batch["tool_mask"].bool()
    assert weights.max() == 2.0  # the sampler gave the last token a probability of e^-30
    assert bool((weights[1] == 1).all())
    assert bool((weights[0][~mask[0]] == 1).all())


def test_an_update_is_seen_by_the_sampler_and_raises_what_was_better(tmp_path: Path, tiny_folder: Path) -> None:
    """The classic silent failure is an update that the sampler never sees."""
    from lite.models.transformers import Transformers
    from lite.records import Generate, Message, Sampling

    trainer, policy = trainer_of(tiny_folder, tmp_path, ROWS, steps=3, learning_rate=0.01, truncation=0.0)
    sampler = Transformers(policy.model, policy.tokenizer, name="policy", context=64)
    asked = Generate(messages=(Message(role="user", content="Oslo?"),), max_tokens=4, sampling=Sampling(temperature=0))
    [before] = sampler.generate([asked])
    adapter = policy.write_gguf(tmp_path / "before.gguf").read_bytes()
    likely = [chance(policy, row) for row in ROWS]
    trainer.train()
    sampler.forget()
    [after] = sampler.generate([asked])
    assert after.logprobs != before.logprobs
    assert policy.write_gguf(tmp_path / "after.gguf").read_bytes() != adapter
    now = [chance(policy, row) for row in ROWS]
    assert now[0] > likely[0]
    assert now[1] < likely[1]


def chance(policy, row: Row) -> float:
    import torch

    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([row.ids])).logits[0, :-1].float()
    said = logits.log_softmax(-1).gather(1, torch.tensor(row.ids[1:])[:, None])[:, 0]
    return float((said * torch.tensor(row.sampled[1:])).sum())


def test_the_learning_rate_rises_and_no_update_is_wasted(tmp_path: Path, tiny_folder: Path) -> None:
    trainer, _ = trainer_of(tiny_folder, tmp_path, ROWS, steps=4, learning_rate=0.03, warmup=2)
    trainer.train()
    rates = [line["learning_rate"] for line in trainer.state.log_history if "loss" in line]
    assert rates == pytest.approx([0.01, 0.02, 0.03, 0.03])


def test_a_step_without_rows_changes_nothing(tmp_path: Path, tiny_folder: Path) -> None:
    trainer, policy = trainer_of(tiny_folder, tmp_path, [], steps=2, learning_rate=0.01)
    before = policy.write_gguf(tmp_path / "before.gguf").read_bytes()
    trainer.train()
    assert policy.write_gguf(tmp_path / "after.gguf").read_bytes() == before


def test_four_updates_on_the_same_rollouts_are_clipped_against_the_first(tmp_path: Path, tiny_folder: Path) -> None:
    asked = []
    trainer, _ = trainer_of(tiny_folder, tmp_path, ROWS, updates=4, steps=2, learning_rate=0.02, truncation=0.0)
    trainer._rows_of = lambda step: asked.append(step) or ROWS
    trainer.train()
    assert asked == [0, 1]
    clipped = [line["clip_ratio/region_mean"] for line in trainer.state.log_history if "clip_ratio/region_mean" in line]
    assert len(clipped) == 8
    assert clipped[0] == clipped[4] == 0  # on their own rollouts nothing is
    assert max(clipped) > 0


@pytest.mark.parametrize("begun", ["base", "adapter"])
def test_the_distance_to_the_start_is_nothing_at_first_and_then_what_it_is_by_hand(
    tmp_path: Path, tiny_folder: Path, begun: str
) -> None:
    import torch

    start = None
    if begun == "adapter":
        _, policy = trainer_of(tiny_folder, tmp_path / "before", ROWS)
        with torch.no_grad():
            for name, parameter in policy.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, 0.1)
        policy.save(start := tmp_path / "start")
    changes = {"steps": 3, "learning_rate": 0.02, "truncation": 0.0}
    trainer, policy = trainer_of(tiny_folder, tmp_path, ROWS, adapter=start, **changes)
    trainer._as_begun, trainer._every = lambda: policy.wearing(start), 2
    measured, expected = [], []

    def rows_of(step: int) -> list[Row]:
        now = likelihoods(policy)
        with policy.wearing(start):
            then = likelihoods(policy)
        assert torch.equal(likelihoods(policy), now)  # its own weights again
        expected.append(float((torch.exp(then - now) - 1 - (then - now)).mean()))
        measured.append(trainer.divergences)
        return ROWS

    trainer._rows_of = rows_of
    trainer.train()
    found = [*measured[1:], trainer.divergences]
    assert found[0] == [pytest.approx(0, abs=1e-9)]
    assert found[1] == []  # only every second step
    assert found[2] == [pytest.approx(expected[2], rel=1e-3)]
    assert expected[2] > 1e-3
    assert all(parameter.requires_grad for name, parameter in policy.model.named_parameters() if "lora" in name)


def likelihoods(policy):
    """The log-probability of each sampled token of ROWS, at the temperature of the stage."""
    import torch

    found = []
    with torch.no_grad():
        for row in ROWS:
            logits = policy.model(input_ids=torch.tensor([row.ids])).logits[0, :-1].float() / 0.7
            said = logits.log_softmax(-1).gather(1, torch.tensor(row.ids[1:])[:, None])[:, 0]
            found.append(said[torch.tensor(row.sampled[1:])])
    return torch.cat(found)


STILL = [Row(row.ids, row.sampled, row.logprobs, 0.0) for row in ROWS]  # nothing to learn but what else is in the loss


def test_the_term_that_holds_the_policy_to_its_start_has_the_gradient_computed_by_hand(
    tmp_path: Path, tiny_folder: Path
) -> None:
    import torch

    trainer, policy = trainer_of(tiny_folder, tmp_path, STILL, kl=0.5)
    trainer._as_begun = lambda: policy.wearing(None)
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
    found = gradients(trainer, policy)
    policy.model.zero_grad()
    total = torch.zeros(())
    for row in STILL:
        target, mask = torch.tensor(row.ids[1:])[:, None], torch.tensor(row.sampled[1:], dtype=torch.float32)

        def said(row: Row = row, target: torch.Tensor = target) -> torch.Tensor:
            logits = policy.model(input_ids=torch.tensor([row.ids])).logits[0, :-1].float() / 0.7
            return logits.log_softmax(-1).gather(1, target)[:, 0]

        with policy.wearing(None), torch.no_grad():
            start = said()
        now = said()
        away, ratio = start - now, torch.exp(now - now.detach())  # 1, and what makes the estimate's gradient unbiased
        total = total + 0.5 * ((torch.exp(away) - 1 - away) * ratio * mask).sum() / mask.sum() / len(STILL)
    total.backward()
    for name, parameter in policy.model.named_parameters():
        if parameter.grad is not None and "lora_B" in name:
            assert torch.allclose(found[name], parameter.grad, rtol=1e-2, atol=1e-5), name
    assert any(bool(values.abs().max() > 1e-3) for values in found.values())


@pytest.mark.parametrize("loss", ["grpo", "dapo"])
def test_a_bonus_for_entropy_is_the_same_in_one_part_and_in_several(
    tmp_path: Path, tiny_folder: Path, loss: str
) -> None:
    """How many tokens are computed at once is a matter of memory."""
    alike = [STILL[0], Row(STILL[0].ids, STILL[0].sampled, STILL[0].logprobs)]
    one, two = (
        gradients(*trainer_of(tiny_folder, tmp_path / str(tokens), alike, loss=loss, entropy=1.0, tokens=tokens))
        for tokens in (4096, 1)
    )
    assert any(value.abs().max() > 1e-6 for value in one.values())
    for name, value in one.items():
        assert (two[name] - value).abs().max() <= 1e-3 * value.abs().max() + 1e-9, name


def test_a_bonus_for_entropy_raises_it(tmp_path: Path, tiny_folder: Path) -> None:
    entropies = {}
    for weight in (0.0, 1.0):
        trainer, _ = trainer_of(
            tiny_folder, tmp_path / str(weight), STILL, entropy=weight, steps=4, learning_rate=0.05, truncation=0.0
        )
        trainer.train()
        entropies[weight] = [line["entropy"] for line in trainer.state.log_history if "entropy" in line]
    assert entropies[0.0][0] == entropies[0.0][-1]
    assert entropies[1.0][-1] > entropies[1.0][0] == pytest.approx(entropies[0.0][0])
