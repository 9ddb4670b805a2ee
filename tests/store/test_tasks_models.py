"""A writer and a judge, played by a script: what a rewording may not lose, and how a judge's verdicts are counted."""

import json
import re

import pytest
from click.testing import CliRunner

from lite.cli import lite as command
from lite.errors import UsageError
from lite.evaluate import read_tasks
from lite.models.scripted import Scripted
from lite.tasks.check import check_all, worded_badly
from lite.tasks.make import make

COUNT = 60


@pytest.fixture(scope="module")
def plain(league, tmp_path_factory):
    """Tasks in the words of the templates."""
    out = tmp_path_factory.mktemp("plain") / "tasks.jsonl"
    make(league, out, COUNT, seed=3)
    return read_tasks(out)


def reworded(league, tmp_path, plain, replies):
    """The tasks that the same run makes with a writer who says `replies`, by question."""
    script = tmp_path / "writer.json"
    script.write_text(json.dumps({task.question: [replies(task)] for task in plain}), encoding="utf-8")
    make(league, tmp_path / "tasks.jsonl", COUNT, seed=3, writer=Scripted.from_file(script))
    return read_tasks(tmp_path / "tasks.jsonl")


def politely(task) -> str:
    return f"Could you look this up for me, please: {task.question}"


def fits(task) -> bool:
    """Whether it is a question still (no order, which would be none in the middle), not twice as long, and readable."""
    said = politely(task)
    readable = not worded_badly(task.model_copy(update={"question": said}))
    return "?" in task.question and len(said) <= 1.8 * len(task.question) and readable


def test_a_rewording_that_keeps_everything_is_taken_and_the_template_kept_beside_it(league, tmp_path, plain):
    changed = reworded(league, tmp_path, plain, politely)
    fitting = [task for task in plain if fits(task)]
    assert COUNT / 2 < len(fitting) < COUNT
    for before, after in zip(plain, changed, strict=True):
        if before in fitting:
            assert after == before.model_copy(update={"question": politely(before), "template": before.question})
        else:
            assert after == before
    assert check_all(league, changed) == (changed, {})


def without_a_number(task) -> str:
    return re.sub(r"\d[\d,]*", "some", task.question, count=1)


def with_a_number(task) -> str:
    return task.question.replace("?", " in 1987?")


def without_a_name(task) -> str:
    names = re.findall(r"\b(?:Alba|Borussia|Calcio|Dynamo|Ann Lee|Rome|Oslo|Lima|Cairo)\b", task.question)
    return task.question.replace(names[0], "one of them") if names else "Which?"


def without_its_table(task) -> str:
    return re.sub(r"20\d\d league", "league", task.question)


def with_its_answer(task) -> str:
    return f"{task.question[:-1]}, {task.answers[0]}?"


def with_a_step(task) -> str:
    return f"{task.question[:-1]}, {task.unsaid[0] if task.unsaid else task.answers[0]}?"


def with_an_essay(task) -> str:
    return f"{'I have often wondered about it. ' * 12}{task.question}"


@pytest.mark.parametrize(
    "spoilt",
    [without_a_number, with_a_number, without_a_name, without_its_table, with_its_answer, with_a_step, with_an_essay,
     lambda _: "", lambda _: "I cannot help with that."],
)  # fmt: skip
def test_a_rewording_that_loses_or_adds_something_is_refused(league, tmp_path, plain, spoilt):
    changed = reworded(league, tmp_path, plain, spoilt)
    assert sum(spoilt(task) != task.question for task in plain) > COUNT / 3
    for before, after in zip(plain, changed, strict=True):
        assert spoilt(before) == before.question or after == before


def test_a_writer_that_fails_leaves_the_templates(league, tmp_path, plain):
    make(league, tmp_path / "tasks.jsonl", COUNT, seed=3, writer=Scripted([]))
    assert read_tasks(tmp_path / "tasks.jsonl") == plain


VERDICTS = {
    "GOOD": None,
    "**Good.** It is clear.": None,
    "BAD unambiguous: it may mean two things": ("judge: unambiguous", "it may mean two things"),
    "BAD: not trivial - anybody knows": ("judge: not trivial", "anybody knows"),
    "natural: nobody talks like that": ("judge: natural", "nobody talks like that"),
    "The question seems fine to me, good job": "unjudged",
    "BAD": "unjudged",
    "": "unjudged",
    "<think>\nIs it GOOD? No.\n</think>\n\nBAD natural: clumsy": ("judge: natural", "clumsy"),
}


def test_verdicts_are_read_by_rule_and_what_is_none_rejects_nothing(league, plain):
    script = {task.question: [said] for task, said in zip(plain, VERDICTS, strict=False)}
    judged = plain[: len(VERDICTS) + 1]  # of the last one the script knows nothing: the model fails
    sound, rejected = check_all(league, judged, Scripted(script))
    kept = {task.id: task for task in sound}
    for task, (said, verdict) in zip(judged, VERDICTS.items(), strict=False):
        if verdict is None:
            assert kept[task.id] == task
        elif verdict == "unjudged":
            assert kept[task.id] == task.model_copy(update={"unjudged": said})
        else:
            assert rejected[task.id] == verdict
    assert kept[judged[-1].id].unjudged == "the judge failed"


def run(*arguments: object) -> str:
    done = CliRunner().invoke(command, [str(part) for part in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_commands_count_what_a_judge_rejected_by_rule_and_what_it_did_not_judge(league, tmp_path):
    few = {"count": 20, "seed": 3, "capabilities": ["direct"]}  # of one capability all are asked for again, and more
    make(league, tmp_path / "plain.jsonl", **few)
    plain = read_tasks(tmp_path / "plain.jsonl")
    script = tmp_path / "judge.json"
    third = {task.question: ["BAD unambiguous: two"] for task in plain[::3]}
    script.write_text(
        json.dumps({"": ["GOOD"], **third, plain[1].question: ["hm"], plain[4].question: ["BAD natural: no"]})
    )
    out = tmp_path / "tasks.jsonl"
    arguments = [
        "tasks",
        "make",
        league.path,
        "-n",
        20,
        "--seed",
        3,
        "--capability",
        "direct",
        "--judge",
        f"scripted:{script}",
    ]
    found = json.loads(run(*arguments, "--out", out, "--json"))
    assert sum(found["rejected"]["judge: unambiguous"].values()) == len(third)
    assert sum(found["rejected"]["judge: natural"].values()) == 1
    assert sum(found["unjudged"].values()) == 1
    kept = read_tasks(out)
    assert not {task.question for task in kept} & (set(third) | {plain[4].question})
    assert [task.question for task in kept if "unjudged" in task.model_extra] == [plain[1].question]
    shown = run(*arguments, "--out", tmp_path / "again.jsonl")
    assert re.search(rf"judge: unambiguous .*{len(third)}\n", shown)
    assert re.search(r"  unjudged .*1\n", shown)
    checked = run("tasks", "check", out, "--world", league.path, "--judge", f"scripted:{script}")
    assert f"{len(kept)} of {len(kept)} tasks are sound" in checked
    assert "Of 1 the judge's reply gives no verdict" in checked


def test_a_judge_sees_the_question_as_it_was_reworded(league, tmp_path, plain):
    one = next(task for task in plain if fits(task))
    judge = Scripted({"": ["GOOD"], "Could you look this up for me, please": ["BAD natural: too polite"]})
    tally = make(
        league, tmp_path / "tasks.jsonl", COUNT, seed=3, writer=Scripted({one.question: [politely(one)]}), judge=judge
    )
    assert tally.rejected["judge: natural"].total() == 1
    assert one.id not in {task.id for task in read_tasks(tmp_path / "tasks.jsonl")}


def test_a_killed_run_counts_the_unjudged_again(league, tmp_path, plain):
    judge = Scripted({"": ["GOOD"], plain[0].question: ["hm"]})

    def stop(done: int, total: int) -> None:
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(league, tmp_path / "tasks.jsonl", COUNT, seed=3, judge=judge, progress=stop)
    assert make(league, tmp_path / "tasks.jsonl", COUNT, seed=3, judge=judge).unjudged.total() == 1


def test_a_model_that_is_none_is_one_line(league, tmp_path):
    with pytest.raises(UsageError, match="no model is called 'gpt'"):
        CliRunner().invoke(
            command, ["tasks", "make", str(league.path), "--out", str(tmp_path / "t.jsonl"), "--judge", "gpt"],
            catch_exceptions=False,
        )  # fmt: skip
