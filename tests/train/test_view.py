"""The dashboard: lines of metrics in, a picture of fixed width out."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from lite.errors import UsageError
from lite.train.curves import Curves, as_text, read_metrics
from lite.train.view import TrainView
from tests.train.conftest import SETTINGS, course_lines


class Clock:
    """Says what it is set to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def seen(lines: list[dict], waited: float = 0.0, note: str = "") -> str:
    """What the terminal shows `waited` seconds after the last of these lines."""
    clock = Clock()
    view = TrainView(SETTINGS, clock)
    for line in lines:
        view.take(line)
    if note:
        view.note(note)
    clock.now += waited
    console = Console(file=io.StringIO(), record=True, width=100)
    console.print(view)
    text = console.export_text()
    assert max(map(len, text.splitlines())) == 100
    assert len(text.splitlines()) <= 24
    return " ".join(text.replace("│", " ").split())


def until(test) -> list[dict]:
    """The lines of the run on paper up to the last that fits."""
    lines = course_lines()
    return lines[: max(n for n, line in enumerate(lines) if test(line)) + 1]


def test_before_the_first_line_there_is_the_time() -> None:
    text = seen([], 5, "building the world of atlas")
    assert "lite train · paper" in text
    assert "beginning · 5 s so far" in text
    assert "now building the world of atlas" in text


def test_a_cold_start_shows_its_updates_and_held_out_accuracy_by_capability() -> None:
    text = seen(until(lambda line: line.get("stage") == 0 and line["step"] == 32))
    assert "cold start · step 32 of 64" in text
    assert "about 5 min left" in text
    assert "direct 25% +10" in text  # 5 of 20 after 3 of 20
    assert "watches the stages" in text


def test_a_stage_shows_pace_signals_speed_and_what_the_calls_would_cost() -> None:
    lines = until(lambda line: line.get("stage") == 2 and line["step"] == 16)
    text = seen(lines, 70)
    assert "stage 2 of 2 · step 16 of 20" in text
    elapsed = lines[-1]["seconds"] + 70
    assert f"{elapsed // 3600:.0f} h {elapsed % 3600 // 60:02.0f} min so far · about 6 min left" in text
    assert f"reward {lines[-1]['reward']:.3g}" in text
    speed = lines[-1]["calls_per_second"], lines[-1]["rollout_tokens_per_second"]
    assert f"{speed[0]:.3g} tool calls/s, {speed[1]:,.0f} tokens/s, 7 of 12 groups kept" in text
    steps, looks = sum("reward" in line for line in lines), sum("look" in line for line in lines)
    queries = 80 * steps + 120 * looks
    pages = 100 * steps + sum(round(line["look"]["signals"]["pages"]) for line in lines if "look" in line)
    cost = (queries * 8 + pages * 1.6) / 1000
    assert f"{queries:,} queries, {pages:,} pages: $0.00 here, ${cost:,.2f} on the open web" in text
    assert "healthy" in text


def test_the_sentinels_worry_its_alarm_and_its_answer_are_shown() -> None:
    lines = course_lines()
    collapse = next(n for n, line in enumerate(lines) if "collapse" in line)
    assert "visits out of bounds 2 of 2 steps" in seen(lines[:collapse])
    assert "COLLAPSE: visits went from 1.6 to 0.5" in seen(lines[: collapse + 1])
    again = seen(until(lambda line: line.get("stage") == 1 and line.get("step") == 16))
    assert "stage 1 of 2, again · step 16 of 30" in again
    assert "rolled back once (visits went from 1.6 to 0.5)" in again
    assert "statistics was being forgotten at step 15: drawn more often" in again


def test_exams_are_shown_as_they_end() -> None:
    line = {"seconds": 9000.0, "exam": "base", "accuracy": 0.02, "tasks": 500, "by_capability": {"direct": 0.02}}
    text = seen([*course_lines(), line], note="exam of sft: 100 of 500 tasks")
    assert "exam · base 2%" in text
    assert "exam of sft: 100 of 500 tasks" in text
    assert as_text(line) == "   9000 s  exam base  accuracy 0.02  direct 2%"


def test_a_killed_run_counts_a_repeated_step_once_and_its_time_whole() -> None:
    lines = until(lambda line: line.get("stage") == 1 and line.get("step") == 11)
    killed = [*lines, {**lines[-1], "seconds": lines[-1]["seconds"] + 150, "reward": 0.77}]
    curves = Curves.of(killed)
    assert curves.parts[-1].steps[11]["reward"] == 0.77
    assert list(curves.parts[-1].steps) == list(range(1, 12))
    assert curves.seconds == pytest.approx(lines[-1]["seconds"] + 150)


def test_a_cold_start_that_began_again_leaves_nothing_of_the_first() -> None:
    lines = until(lambda line: line.get("stage") == 0 and line["step"] == 48)
    later = [{**line, "seconds": lines[-1]["seconds"] + 40 + line["seconds"]} for line in lines[:3]]
    curves = Curves.of([*lines, *later])
    assert [list(part.looks) for part in curves.parts] == [[16]]
    assert list(curves.parts[0].steps) == [8, 16]


def test_a_half_written_line_is_left_out_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"seconds": 1, "rated": 3, "stage": 1}\n{"seco')
    assert read_metrics(tmp_path) == [{"seconds": 1.0, "rated": 3, "stage": 1}]
    path.write_text(json.dumps({"no": "time"}) + "\n")
    with pytest.raises(UsageError, match=r"metrics.jsonl, line 1 is no line of metrics"):
        read_metrics(tmp_path)
    assert read_metrics(tmp_path / "elsewhere") == []
