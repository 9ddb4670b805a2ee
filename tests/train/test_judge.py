"""A model that judges answers: what it is asked, what is kept, and what a reward makes of it."""

from pathlib import Path

import pytest

from lite.errors import UsageError
from lite.index.memo import Memo
from lite.judge import Judge
from lite.models.scripted import Scripted
from lite.recipe import RewardWeights
from lite.records import Reward, Stop, Task, Trajectory, Turn
from lite.train.groups import Group, grouped
from lite.train.rollouts import Attempt, Rollout
from lite.train.signals import of_groups

TASK = Task(id="t", question="Where does the Seine end?", answers=("the English Channel",))


class Reading(Scripted):
    """Finds right what names the sea, has no opinion about cheese, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(self._say)

    def _say(self, messages) -> str:
        given = messages[-1].content.partition("Given: ")[2]
        self.asked.append(given)
        if "cheese" in given:
            return "Let us talk about something else."
        return "<think>\nWRONG would be another sea.\n</think>\n**RIGHT**" if "Manche" in given else "Wrong."


def rollout(number: int, answer: str | None) -> Rollout:
    turns = (Turn(text="a", answer=answer, completion_tokens=3),)
    exact = float(answer in TASK.answers)
    graded = Reward(value=exact, parts={"exact": exact, "f1": exact})
    stop = Stop.ANSWERED if answer else Stop.TURNS
    told = Trajectory(
        task_id="t", question="q", turns=turns, answer=answer, answered=answer is not None, stop=stop, reward=graded
    )
    return Rollout(Attempt(TASK, number, 0), told, ())


def test_verdicts_are_read_and_kept(tmp_path: Path) -> None:
    model, answers = Reading(), [(TASK, text) for text in ("La Manche", "Rouen", "cheese", "La Manche")]
    judge = Judge(model, Memo(tmp_path / "verdicts.sqlite"))
    assert judge.verdicts(answers) == [True, False, None, True]
    assert model.asked == ["La Manche", "Rouen", "cheese"]
    again = Reading()
    assert Judge(again, Memo(tmp_path / "verdicts.sqlite")).verdicts(answers) == [True, False, None, True]
    assert again.asked == ["cheese"], "only a verdict is kept"


def test_verdicts_of_other_weights_under_the_same_path_do_not_count(tmp_path: Path) -> None:
    for weights in ("one", "another"):
        (tmp_path / "judge.gguf").write_text(weights)
        model = Reading()
        model.name = f"llamacpp:{tmp_path / 'judge.gguf'}"
        Judge(model, Memo(tmp_path / "verdicts.sqlite")).verdicts([(TASK, "Rouen")])
        assert model.asked == ["Rouen"]


def test_a_judge_decides_where_the_words_differ(tmp_path: Path) -> None:
    model = Reading()
    answers = ("the English Channel", "La Manche", "Rouen", "cheese", None, "I do not know")
    [group] = grouped(
        [rollout(n, answer) for n, answer in enumerate(answers)],
        RewardWeights(exact=0.0, judge=1.0, abstained=0.25),
        Judge(model, Memo(tmp_path / "verdicts.sqlite")),
    )
    assert group.rewards == (1.0, 1.0, 0.0, None, 0.0, 0.25)
    assert model.asked == ["La Manche", "Rouen", "cheese", "I do not know"], "an exact match needs no judge"
    signals = of_groups([group])
    assert (signals["part/judge"], signals["part/exact"], signals["part/abstained"]) == (0.4, 0.2, 0.2)


def test_without_a_judge_nobody_is_asked() -> None:
    [group] = grouped([rollout(0, "La Manche")], RewardWeights())
    assert isinstance(group, Group)
    assert group.rewards == (0.0,)


@pytest.mark.parametrize("lines", ['judge = "scripted:judge.json"\n', "[reward]\njudge = 1.0\n"])
def test_a_judge_needs_a_model_and_a_weight(tmp_path: Path, lines: str) -> None:
    from lite.train.checks import check
    from lite.train.recipes import read_recipe

    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "a"\nworld = "w"\ntrain = "t"\ndev = "d"\n' + lines + '[policy]\nmodel = "smollm2"\n')
    with pytest.raises(UsageError, match="a judge needs both a model and a weight"):
        check(read_recipe(recipe), tmp_path / "run")
