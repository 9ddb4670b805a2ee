"""Settings, each declared once and validated. An unknown key is an error that names the nearest known one."""

import re
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from lite.errors import UsageError
from lite.machine import computes_bf16, has_gpu
from lite.records import Sampling


class Settings(BaseModel):
    """Base of every group of settings: frozen, and refusing what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """Validate a plain mapping (from TOML, JSON or a command line).

        Raises:
            UsageError: one line naming the first key that does not fit, and the nearest known one.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # An unknown key goes first: a misspelt one is also one that is missing.
            first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
            key = ".".join(str(part) for part in first["loc"])
            if first["type"] == "missing":
                raise UsageError(f"the setting {key} is missing: add it") from None
            if first["type"] != "extra_forbidden":
                raise UsageError(f"{key} = {first['input']!r} does not fit: {first['msg'].lower()}") from None
            known = _fields(cls, first["loc"][:-1])
            near = get_close_matches(str(first["loc"][-1]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise UsageError(f"no setting is called {key}: {hint}") from None


def _fields(settings: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The names of the settings at `path` below `settings`."""
    for part in path:
        if isinstance(part, str):  # a number is the place in a list, whose members are all of one kind
            annotation = settings.model_fields[part].annotation
            kinds = (annotation, *get_args(annotation))
            settings = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), settings)
    return list(settings.model_fields)


# stop: the agent is asked for its answer. keep-last: older observations are cut to their heads. summarise: each older
# call and its result become one sentence, the best one of the result, or (summarise-model) one the model writes.
Memory = Literal["stop", "keep-last", "summarise", "summarise-model"]


class Limits(Settings):
    """What one episode may use. Defaults are for a laptop; `literesearcher-4b-stage1.toml` has the paper's."""

    turns: int = Field(default=20, ge=1)  # assistant turns; the last answer it may be asked for comes on top
    calls: int | None = Field(default=None, ge=0)  # tool calls; None: as many as the turns allow
    seconds: float | None = Field(default=None, gt=0)  # wall time; checked between turns
    turn_tokens: int = Field(default=768, ge=16)  # the most one turn may write
    answer_tokens: int = Field(default=256, ge=16)  # always kept free for the last answer
    results: int = Field(default=10, ge=1, le=100)  # hits a query
    visit_words: int = Field(default=400, ge=20)  # words of evidence a page
    links: bool = True  # False: evidence without the addresses of its links, half as many tokens where there are many
    visit_mode: Literal["extract", "llm", "read"] = "extract"  # llm, read: the model itself reads the page
    strict: bool = False  # a turn that needs a repair is unreadable
    memory: Memory = "stop"  # what happens when the window fills
    keep: int = Field(default=2, ge=1)  # the newest observations that memory leaves whole
    malformed: int = Field(default=3, ge=1)  # unreadable turns in a row before the episode ends
    repeated: int = Field(default=3, ge=2)  # the same call so often is answered by a warning; once more ends it all


class AgentSettings(Settings):
    """How a model is loaded and how it researches."""

    context: int = Field(default=8192, ge=256)  # tokens, prompt and reply together
    grammar: bool = False  # hold every turn to the dialect (llama.cpp)
    threads: int | None = Field(default=None, ge=1)  # CPU threads of a model in this process; None: the library chooses
    native_tools: bool = False  # the server gets the tools by its own protocol (openai)
    prompt: str | None = None  # a file that replaces the system prompt
    tools: Literal["all", "search"] = "all"  # search: for comparison; no page can be visited
    limits: Limits = Limits()
    sampling: Sampling = Sampling()


class NamedAgent(AgentSettings):
    """An agent whole: the model by its name, and how it researches."""

    model: str


class Prices(Settings):
    """What public services ask for, in US dollars. For saying what a run would have cost; nothing depends on it."""

    search: float = Field(default=8.0, ge=0)  # 1,000 queries
    visit: float = Field(default=1.6, ge=0)  # 1,000 pages
    source: str = (
        "Tavily pay-as-you-go, basic: $0.008 a query and for five pages, docs.tavily.com/documentation/api-credits"
    )
    date: str = "2026-11-26"


class EvalSettings(NamedAgent):
    """Everything that decides the outcome of an evaluation; the run's manifest holds it."""

    tasks: str
    world: str
    limit: int | None = Field(default=None, ge=1)  # only the first so many tasks
    attempts: int = Field(default=1, ge=1)  # at each task: k
    prices: Prices = Prices()
    width: int = Field(default=4, ge=1)  # episodes under way together: a batch is decoded two to three times as fast


class DemoSettings(Settings):
    """What `lite demo` runs: `recipes/demo.toml`."""

    embedder: str
    agent: str  # a shipped one, or its file (lite.agents)


class PolicySettings(Settings):
    """What is trained: a base model and a LoRA adapter on it."""

    model: str = "smollm2"  # or llamacpp:FILE.gguf, transformers:FOLDER
    adapter: str | None = None  # what training begins with: a GGUF file or a PEFT folder; None: a fresh one
    loader: Literal["transformers", "unsloth"] = "transformers"
    load_in_4bit: bool = False  # the frozen weights (unsloth, on a GPU)
    # auto becomes bfloat16 with a GPU or a processor that multiplies it, else float32
    dtype: Literal["auto", "bfloat16", "float32", "float16"] = Field(default="auto", validate_default=True)
    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    gradient_checkpointing: bool = False

    @field_validator("dtype")
    @classmethod
    def _as_computed_here(cls, value: str) -> str:
        return value if value != "auto" else "bfloat16" if has_gpu() or computes_bf16() else "float32"

    @field_validator("load_in_4bit")
    @classmethod
    def _by_unsloth(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic calls it
        if value and info.data.get("loader") != "unsloth":
            raise ValueError('4-bit weights need policy.loader = "unsloth"')
        return value


class SamplerSettings(Settings):
    """What writes the rollouts."""

    engine: Literal["llamacpp", "transformers", "vllm"] = "llamacpp"
    workers: int = Field(default=2, ge=1)  # processes of one thread (llamacpp): decoding gains nothing from more
    width: int = Field(default=24, ge=1)  # episodes under way together in each
    memory: float = Field(default=0.4, gt=0, le=1)  # share of the GPU's that vllm takes while it writes


class ColdStart(Settings):
    """Supervised training on demonstrations."""

    demonstrations: int = Field(default=300, ge=1)  # at most; the scripted expert makes what files do not give
    attempts: int = Field(default=1, ge=0)  # of the expert at each task, in other words; 0: it makes none
    detours: float = Field(default=0.2, ge=0, le=1)  # share of episodes whose first query misses
    verbatim: float = Field(default=0.0, ge=0, le=1)  # share of episodes whose first query is the question itself
    together: int = Field(default=1, ge=1)  # pages that one call of the expert asks for, where none leads to another
    snippets: float = Field(default=0.0, ge=0, le=1)  # share of last look-ups not visited where a result says it all
    files: tuple[str, ...] = ()  # trajectories of others, kept by the same rules
    each: int | None = Field(default=None, ge=1)  # of these, of one file, at most so many of a task; None: all
    balance: dict[str, float] = {}  # capability -> its share of the demonstrations; those not named share the rest
    epochs: float = Field(default=2.0, gt=0)
    rows: int = Field(default=8, ge=1)  # sequences an update
    learning_rate: float = Field(default=4e-4, gt=0)
    warmup: int = Field(default=4, ge=0)  # updates
    every: int = Field(default=12, ge=1)  # updates between two looks at the held-out tasks
    patience: int = Field(default=3, ge=1)  # looks without a better one, after which it ends
    entropy_floor: float = Field(default=0.02, ge=0)  # below it a look ends it too: GRPO would find nothing to try

    def updates(self, sequences: int) -> int:
        """The updates that so many training sequences come to."""
        return max(1, round(self.epochs * sequences / self.rows))


class StageSettings(Settings):
    """One stage of the curriculum."""

    steps: int = Field(ge=1)
    pool: int = Field(default=128, ge=1)  # tasks that are rated before it
    tries: int = Field(default=8, ge=2)  # at each of them
    keep: str = "1 <= correct <= 7"  # a filter (lite tasks select); "" keeps all
    capabilities: dict[str, float] = {}  # capability -> its share of every step; empty: equal shares
    temperature: float = Field(default=0.7, gt=0)
    learning_rate: float = Field(default=8e-5, gt=0)
    warmup: int = Field(default=0, ge=0)  # updates over which it rises; Adam's first steps go as far as noise points
    context: int | None = Field(default=None, ge=256)  # None: the agent's
    turns: int | None = Field(default=None, ge=1)
    solved: float = Field(default=0.9, gt=0, le=1)  # share of right tries over the last five steps that ends the stage
    patience: int = Field(default=5, ge=1)  # looks without a better one, after which it ends

    @property
    def rated(self) -> bool:
        """Whether the filter asks how often the policy solves a task: then a pool of them is tried before the stage."""
        return bool(re.search(r"\b(correct|tries)\b", self.keep))


class Updates(Settings):
    """GRPO's loss and its groups (the paper: section 3.3; TRL's names in brackets)."""

    tasks: int = Field(default=8, ge=1)  # groups a step
    rollouts: int = Field(default=8, ge=2)  # tries a group [num_generations]
    rows: int | None = Field(default=None, ge=2)  # of these that are drawn to be computed; None: all
    refills: int = Field(default=1, ge=0)  # times that groups without variance are replaced by new ones
    loss: Literal["grpo", "dapo", "dr_grpo"] = "grpo"  # grpo: sequence-mean of token-means
    clip_low: float = Field(default=0.2, gt=0)
    clip_high: float = Field(default=0.4, gt=0)
    scale: Literal["group", "none"] = "group"  # advantages by the group's standard deviation
    negative: float = Field(default=1.0, ge=0)  # weight of tries that were worse than their group's mean
    truncation: float = Field(default=2.0, ge=0)  # of the importance weight between trainer and sampler; 0: none
    updates: int = Field(default=1, ge=1)  # optimizer steps on the same rollouts [num_iterations]
    kl: float = Field(default=0.0, ge=0)  # weight of the distance to what the stage began with [beta]
    entropy: float = Field(default=0.0, ge=0)  # weight of a bonus for entropy [entropy_coef]
    max_grad_norm: float = Field(default=1.0, gt=0)
    tokens: int = Field(default=4096, ge=1)  # of a part that is computed at once, padding included
    anchor: float = Field(default=0.0, ge=0)  # weight of the likelihood of correct demonstrations, beside the loss


class RewardWeights(Settings):
    """Parts of the reward; a rollout's is their weighted sum."""

    exact: float = 1.0  # the answer is right
    f1: float = 0.0
    answered: float = 0.0  # there is an answer
    format: float = 0.0  # share of turns that needed no repair
    evidence: float = 0.0  # share of the evidence pages that were visited
    calls: float = 0.0  # each tool call of a right answer; below 0 it is a price: what is known is not looked up again
    abstained: float = 0.0  # it says that it does not know
    judge: float = 0.0  # the recipe's judge finds the answer right


class HeldOut(Settings):
    """The fixed tasks by which checkpoints are chosen and alarms are raised."""

    tasks: int = Field(default=20, ge=1)  # of each capability
    every: int = Field(default=5, ge=1)  # steps


class Exam(Settings):
    """What a run is measured by when it is over: base, cold start and each stage, greedily, as the recipe's agent."""

    of: str  # tasks that the recipe neither trains on nor chooses a checkpoint by
    tasks: int = Field(default=100, ge=1)  # of each capability, at most


class SentinelSettings(Settings):
    """What counts as a collapse."""

    answered: float = Field(default=0.25, gt=0, le=1)  # fall of the answer rate
    visits: float = Field(default=0.5, gt=0, le=1)  # relative fall of visits an episode
    length: float = Field(default=0.5, gt=0, le=1)  # relative fall of the tokens of an episode
    unread: float = Field(default=0.25, gt=0, le=1)  # rise of the share of episodes that answer and have read no page
    malformed: float = Field(default=0.25, gt=0, le=1)  # rise of the share of unreadable turns
    truncated: float = Field(default=0.25, gt=0, le=1)  # rise of the share of episodes that a limit ended
    repeated: float = Field(default=0.25, gt=0, le=1)  # rise of the share of episodes that repetition ended
    accuracy: float = Field(default=2.0, gt=0)  # standard errors that a capability may fall on held-out tasks
    grad_norm: float = Field(default=20.0, gt=0)  # times what it was
    entropy: float = Field(default=5.0, gt=1)  # times what it was
    kl_start: float = Field(default=2.0, gt=0)  # nats a token from what the stage began with
    patience: int = Field(default=2, ge=1)  # steps in a row before it is a collapse (NaN at once)


class TrainSettings(Settings):
    """A recipe of `lite train`. Paths are taken from the recipe's folder."""

    name: str
    seed: int = 0
    world: str  # a world's folder, or a corpus file: then a lexical world is built of it
    train: str  # tasks
    dev: str
    capabilities: tuple[str, ...] = ()  # only these; empty: all
    hops: int | None = Field(default=None, ge=1)  # at most so many
    policy: PolicySettings = Field(default_factory=PolicySettings)  # it looks at the machine, which no import should
    agent: AgentSettings = AgentSettings()
    sampler: SamplerSettings = SamplerSettings()
    sft: ColdStart | None = None
    updates: Updates = Updates()
    reward: RewardWeights = RewardWeights()
    judge: str | None = None  # a model that judges answers, for `reward.judge`
    stages: tuple[StageSettings, ...] = ()
    held_out: HeldOut = HeldOut()
    sentinel: SentinelSettings = SentinelSettings()
    exam: Exam | None = None


def beside(path: Path) -> Callable[[str], str]:
    """How a file names others: from its own folder. The result is absolute."""
    folder = path.absolute().parent
    return lambda name: str((folder / name).resolve())


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe's file as a plain mapping. Raises UsageError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML ({error}): mend it, or name another recipe") from None
