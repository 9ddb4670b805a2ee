"""What a step of training costs, against the bare libraries and against TRL's own tool loop.

    python dev/training.py WORLD TASKS ADAPTER        the atlas's world, its tasks, a cold start's adapter folder

The same tasks are tried by our workers and by TRL's `environment_factory`, each with its own sampler. Then the rollouts
of the first are the lengths by which torch is measured bare: `model.generate` of as many tokens behind the same prompts
(all first turns together, then all second ones, nothing kept between), and forward and backward of the same rows, one
by one. One run, the two sides one after the other; nothing else should be running.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from lite.dialect import replayed
from lite.drive import prompt_of
from lite.evaluate import read_tasks
from lite.models.chat import ChatTemplate
from lite.recipe import AgentSettings, PolicySettings, RewardWeights, StageSettings, Updates
from lite.records import Call, Task
from lite.reward import exact
from lite.shipped import shipped
from lite.tools import Toolset
from lite.train.draw import first_of_each
from lite.train.groups import Row, grouped, rows_of
from lite.train.policy import Policy
from lite.train.rollouts import Attempt, Rollout, Workers
from lite.train.stage import agent_of
from lite.world import World

TASKS, TRIES = 2, 4  # of each of two capabilities
CONTEXT, TEMPERATURE, TURNS = 2048, 0.6, 4
AGENT = AgentSettings.read(
    {
        "context": CONTEXT,
        "prompt": str(shipped("recipes/small-prompt.txt")),
        "limits": {
            "turns": TURNS,
            "turn_tokens": 160,
            "answer_tokens": 96,
            "results": 2,
            "visit_words": 130,
            "links": False,
        },
    }
)
STAGE = StageSettings(steps=1, temperature=TEMPERATURE, turns=TURNS)
POLICY = PolicySettings(model="smollm2", rank=16, alpha=32)
# What our prompts look like, for TRL: the model's own template, tools spoken of by the system prompt alone.
TEMPLATE = """{%- for message in messages %}
{{- '<|im_start|>' + ('user' if message.role == 'tool' else message.role) + '\\n' }}
{%- if message.role == 'assistant' %}{%- generation %}
{%- if message.reasoning_content %}{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n' }}{%- endif %}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}{%- set one = call.function %}
{{- '<tool_call>\\n' + {'name': one.name, 'arguments': one.arguments}|tojson + '\\n</tool_call>' }}{%- endfor %}
{{- '<|im_end|>\\n' }}{%- endgeneration %}
{%- elif message.role == 'tool' %}
{{- '<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}{{- message.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
PARSED = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "reasoning_content": {"open": "<think>", "close_pattern": r"</think>\s*", "content": "text"},
        "tool_calls": {
            "open": "<tool_call>",
            "close_pattern": r"</tool_call>\s*",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"<\|im_end\|>\s*", "content": "text"},
    },
}


def rolled(policy: Policy, tasks: Sequence[Task], tries: int, world: Path, folder: Path) -> tuple[list[Rollout], float]:
    """`tries` at each task by our workers, with the policy as it is; and their seconds, the start left out."""
    workers = Workers(policy.base, world, context=CONTEXT, workers=2, width=24)
    attempts = [Attempt(task, n, 1) for task in tasks for n in range(tries)]
    began = time.perf_counter()
    rollouts = list(workers.roll(attempts, agent_of(AGENT, STAGE), policy.write_gguf(folder / "now.gguf")))
    seconds = time.perf_counter() - began
    workers.close()
    return rollouts, seconds


def ours(tasks: Sequence[Task], world: Path, adapter: Path, folder: Path) -> tuple[list[Rollout], list[Row]]:
    """A step by `lite.train`; its rollouts and rows."""
    from lite.train.grpo import GroupTrainer, config_of

    folder.mkdir()
    policy = Policy.load(POLICY, seed=1, adapter=adapter)
    updates = Updates(tasks=len(tasks), rollouts=TRIES, tokens=2048, scale="none")
    rollouts, sampled_in = rolled(policy, tasks, TRIES, world, folder)
    weights = RewardWeights.read({"exact": 1.0, "evidence": 0.2})
    rows = rows_of(grouped(rollouts, weights), scale=False)
    args = config_of(folder, POLICY, STAGE, updates, context=CONTEXT, seed=1)
    trainer = GroupTrainer(policy, args, updates, lambda _step: rows)
    began = time.perf_counter()
    trainer.train()
    told("lite: rollouts", sum(sum(one.sampled) for r in rollouts for one in r.sequences), sampled_in)
    told("lite: update", sum(len(row.ids) for row in rows), time.perf_counter() - began)
    right = sum(bool(one.trajectory.reward and one.trajectory.reward.value) for one in rollouts)
    print(f"    {len(rollouts)} episodes, {len(rows)} rows, {right} right")
    return rollouts, rows


def bare(rollouts: Sequence[Rollout], rows: Sequence[Row], adapter: Path) -> None:
    """`model.generate` and forward-backward on the same lengths."""
    import torch

    policy = Policy.load(POLICY, seed=1, adapter=adapter)
    model, tokenizer, half = policy.model, policy.tokenizer, POLICY.dtype == "bfloat16"
    template = ChatTemplate(tokenizer.chat_template, bos=tokenizer.bos_token or "", eos=tokenizer.eos_token or "")
    sampled, began = 0, time.perf_counter()
    model.eval()
    for place in range(TURNS + 1):
        turns = [one.trajectory for one in rollouts if len(one.trajectory.turns) > place]
        for start in range(0, len(turns), 8):
            some = turns[start : start + 8]
            texts = [template.render(replayed(one.messages, one.turns[: place + 1])[:-2]) for one in some]
            batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
            most = max(one.turns[place].completion_tokens for one in some)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                model.generate(
                    **batch, max_new_tokens=most, min_new_tokens=most, do_sample=True, temperature=TEMPERATURE
                )
            sampled += sum(one.turns[place].completion_tokens for one in some)
    told("bare model.generate", sampled, time.perf_counter() - began)
    model.train()
    began = time.perf_counter()
    for row in rows:
        ids, mask = torch.tensor([row.ids]), torch.tensor([row.sampled])
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model(input_ids=ids, labels=ids.masked_fill(~mask, -100)).loss
        loss.backward()
    told("bare forward and backward", sum(len(row.ids) for row in rows), time.perf_counter() - began)


def tool_loop(tasks: Sequence[Task], world: World, adapter: Path, folder: Path) -> None:
    """The same tasks by TRL's trainer with `environment_factory`."""
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    from lite.train.policy import trainer_settings

    by_id = {task.id: task for task in tasks}
    right: list[float] = []

    class Research:
        """TRL's environment: our tools."""

        def reset(self, **row: Any) -> None:
            task, limits = by_id[row["task_id"]], AGENT.limits
            self._tools = Toolset(
                world, mask=task.mask, results=limits.results, visit_words=limits.visit_words, links=False
            )

        def search(self, query: list[str]) -> str:
            """Search.

            Args:
                query: what to look for.
            """
            return self._tools.run(Call(tool="search", arguments={"query": query})).text

        def visit(self, url: list[str], goal: str) -> str:
            """Read pages.

            Args:
                url: their addresses.
                goal: what to look for.
            """
            return self._tools.run(Call(tool="visit", arguments={"url": url, "goal": goal})).text

    def reward(completions: Any, task_id: Any, **_: Any) -> list[float | None]:
        found: list[float | None] = []
        for messages, name in zip(completions, task_id, strict=True):
            said = str(messages[-1]["content"]).partition("<answer>")[2].partition("</answer>")[0]
            found.append(exact(said, by_id[name].answers))
        right.extend(one or 0.0 for one in found)
        return found

    policy = Policy.load(POLICY, seed=1, adapter=adapter)
    policy.tokenizer.chat_template, policy.tokenizer.response_template = TEMPLATE, PARSED
    system = {"role": "system", "content": prompt_of(AGENT, world)}
    prompts = [[system, {"role": "user", "content": task.question}] for task in tasks]
    args = GRPOConfig(
        output_dir=str(folder),
        max_steps=1,
        per_device_train_batch_size=2,  # of all 16 at once it wants more than 24 GB
        steps_per_generation=len(tasks) * TRIES // 2,
        gradient_accumulation_steps=len(tasks) * TRIES // 2,
        num_generations=TRIES,
        temperature=TEMPERATURE,
        max_completion_length=CONTEXT - 200,
        max_tool_calling_iterations=TURNS,
        save_strategy="no",
        scale_rewards="none",
        **trainer_settings(POLICY, 1),
    )
    trainer = GRPOTrainer(
        policy.model,
        reward_funcs=reward,
        args=args,
        train_dataset=Dataset.from_dict({"prompt": prompts, "task_id": [task.id for task in tasks]}),
        processing_class=policy.tokenizer,
        environment_factory=Research,
    )
    plain, spent = trainer._generate_and_score_completions, []  # noqa: SLF001

    def timed(inputs: Any) -> Any:
        began = time.perf_counter()
        found = plain(inputs)
        spent.append((time.perf_counter() - began, found))
        return found

    trainer._generate_and_score_completions = timed  # noqa: SLF001
    began = time.perf_counter()
    trainer.train()
    whole = time.perf_counter() - began
    sampling, found = spent[0]
    mask = found["completion_mask"] * found.get("tool_mask", 1)
    told("TRL: rollouts (and scoring)", int(mask.sum()), sampling)
    told("TRL: update", int(found["completion_mask"].sum() + found["prompt_mask"].sum()), whole - sampling)
    print(f"    {len(right)} episodes, {sum(right):.0f} right")


def told(name: str, tokens: int, seconds: float) -> None:
    """A line."""
    print(f"{name}: {tokens:,} tokens in {seconds:.0f} s, {tokens / seconds:.0f} a second", flush=True)


def main() -> None:
    """All of it."""
    world, file, adapter = map(Path, sys.argv[1:])
    tasks = first_of_each([one for one in read_tasks(file) if one.capability in {"direct", "verification"}], TASKS)
    with TemporaryDirectory() as folder:
        rollouts, rows = ours(tasks, world, adapter, Path(folder) / "ours")
        bare(rollouts, rows, adapter)
        with World.open(world) as opened:
            tool_loop(tasks, opened, adapter, Path(folder) / "trl")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    main()
