"""The report of a training run: tables and paired intervals by hand, a run under way, pictures that are pictures."""

import json
import random
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from lite.cli import lite, run
from lite.errors import UsageError
from lite.extras import target
from lite.records import Stop
from lite.train.exam import Mark
from lite.train.gains import accuracy, gains, verdict
from lite.train.report import TrainReport, report, tables
from tests.train.conftest import CAPABILITIES, paper_run

EXAMS = ("base", "sft", "stage-1", "stage-2")


def marks(right: list[float], capability: str = "direct", hops: int = 1) -> list[Mark]:
    return [
        Mark(task=f"{capability}{n}", capability=capability, hops=hops, value=value, stop=Stop.ANSWERED, answered=True,
             visits=1, searches=1, queries=1, pages=1, tokens=9)
        for n, value in enumerate(right)
    ]  # fmt: skip


# ---------------------------------------------------------------- intervals


def test_a_gain_is_paired_by_task_and_averaged_over_capabilities() -> None:
    before = marks([1, 0, 0, 0] * 25) + marks([1.0] * 10, "statistics", 2)
    after = marks([1, 1, 0, 0] * 25) + marks([1.0] * 5 + [0.0] * 5, "statistics", 2)
    random.Random(1).shuffle(after)  # they end in another order
    found = gains(("sft", before), ("stage-1", after))
    assert found is not None
    assert found.by_capability["direct"].value == pytest.approx(0.25)
    assert found.by_capability["statistics"].value == pytest.approx(-0.5)
    assert found.mean.value == pytest.approx(-0.125)  # not the mean over tasks, which is positive
    half = 1.96 * (0.25 * 0.75 / 100) ** 0.5  # of a quarter of 100 tasks that changed
    assert found.by_capability["direct"].low == pytest.approx(0.25 - half, abs=0.01)
    assert found.by_capability["direct"].high == pytest.approx(0.25 + half, abs=0.01)
    error = (0.25 * 0.75 / 100 + 0.5 * 0.5 / 10) ** 0.5 / 2  # of the mean of two
    assert found.mean.high - found.mean.low == pytest.approx(2 * 1.96 * error, abs=0.02)
    assert found.worse == ["statistics"]
    assert [verdict(share) for share in found.by_hops.values()] == ["better", "worse"]
    assert gains(("sft", before), ("stage-1", after)) == found


def test_pairing_knows_what_two_intervals_would_not() -> None:
    """The same few tasks more are right: each alone is uncertain, the difference is not."""
    before = marks([1.0] * 40 + [0.0] * 60)
    after = marks([1.0] * 50 + [0.0] * 50)
    found = gains(("a", before), ("b", after))
    assert found is not None
    assert verdict(found.mean) == "better"
    assert accuracy(before).mean.high > accuracy(after).mean.low


def test_tasks_that_all_agree_still_leave_some_doubt_and_failed_ones_are_left_out() -> None:
    before = [*marks([0.0] * 20), *(one.model_copy(update={"value": None}) for one in marks([0.0] * 9, "statistics"))]
    after = [*marks([0.0] * 20), *marks([1.0] * 9, "statistics")]
    found = gains(("a", before), ("b", after))
    assert found is not None
    assert (found.tasks, set(found.by_capability)) == (20, {"direct"})
    bound = 1 - 0.025 ** (1 / 20)
    assert (found.mean.low, found.mean.high) == (pytest.approx(-bound, abs=0.01), pytest.approx(bound, abs=0.01))
    assert gains(("a", before), ("b", marks([1.0], "verification"))) is None
    assert accuracy(before).tasks == 20
    assert accuracy(before).mean.high == pytest.approx(bound, abs=1e-4)


def test_few_tasks_that_all_changed_show_no_more_than_they_can() -> None:
    one = gains(("a", marks([0.0])), ("b", marks([1.0])))
    assert one is not None
    assert one.mean.value == 1
    assert one.mean.low == pytest.approx(2 * 0.025 - 1, abs=0.01)  # of one that gained, a fortieth may be all that do
    kinds = [("direct", 1.0), *((name, 0.0) for name in ("statistics", "verification", "enumeration"))]
    before = [mark for name, _ in kinds for mark in marks([0.0], name)]
    after = [mark for name, right in kinds for mark in marks([right], name)]
    few = gains(("a", before), ("b", after))  # alike within each kind, and not among them
    assert few is not None
    assert few.mean.value == 0.25
    assert verdict(few.mean) == "no difference shown"
    many = gains(("a", before + marks([0.0] * 60, "x")), ("b", after + marks([1.0] * 60, "x")))
    assert many is not None
    assert verdict(many.by_capability["x"]) == "better"


# ---------------------------------------------------------------- reports


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainReport]:
    """A run that is over, and its report: drawn once, for drawing takes a second or two."""
    folder = paper_run(tmp_path_factory.mktemp("whole"), exams=EXAMS)
    return folder, report(folder)


def test_a_run_that_is_over_is_reported_whole(whole: tuple[Path, TrainReport]) -> None:
    found = whole[1]
    assert found.missing == ()
    assert list(found.exams) == list(EXAMS)
    assert found.exams["sft"].mean.value == pytest.approx(0.5)
    assert found.exams["base"].by_hops["2 hops"].value == pytest.approx(1 / 6)
    first = found.gains[0]
    assert (first.before, first.after, first.tasks) == ("sft", "stage-2", 120)
    expected = {"direct": 0.5, "statistics": -0.5} | dict.fromkeys(("aggregation", "enumeration", "verification"), 0.25)
    assert {name: share.value for name, share in first.by_capability.items()} == pytest.approx(expected)
    assert first.mean.value == pytest.approx(0.15)
    assert first.worse == ["statistics"]
    assert [(one.before, one.after) for one in found.gains] == [
        ("sft", "stage-2"),
        ("base", "stage-2"),
        ("base", "sft"),
    ]
    assert [part["part"] for part in found.parts] == ["cold start", "stage 1", "stage 1, again", "stage 2"]
    assert found.parts[1]["happened"] == "collapse: visits went from 1.6 to 0.5"
    assert found.parts[2]["happened"] == "statistics favoured from step 15 on"
    head, mean, *rows = tables(found)[0].rows
    assert head == ("accuracy, %", "tasks", "base", "SFT", "stage 1", "stage 2", "stage 2 - SFT", "verdict")
    assert mean[:2] == ("mean over capabilities", "120")
    assert mean[6].startswith("+15.0 (+")
    assert [row[0] for row in rows] == [*CAPABILITIES, "1 hop", "2 hops"]
    assert [row[-1] for row in rows[:5]] == ["better", "better", "better", "worse", "better"]


def test_its_files_are_a_table_a_picture_and_a_page_that_needs_no_other(whole: tuple[Path, TrainReport]) -> None:
    folder = whole[0] / "report"
    assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "curves.svg", "index.html", "report.md"]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    svg = ET.parse(folder / "curves.svg").getroot()
    assert svg.tag.endswith("svg")
    text = (folder / "report.md").read_text()
    assert "stage 2 over SFT: +15.0 (" in text
    assert "Significantly worse capabilities: statistics." in text
    assert re.search(r"\| statistics \| 24 \| 16.7 \(.*\| -50.0 \(.*\| worse \|", text)
    page = (folder / "index.html").read_text()
    assert "<svg" in page
    assert '<td class="worse">worse</td>' in page
    assert "&quot;name&quot;: &quot;paper&quot;" in page
    assert not re.search(r'(src|href)="(?!#)', page)


def test_a_run_under_way_is_reported_as_far_as_it_is(tmp_path: Path) -> None:
    paper_run(tmp_path, lines=30, exams=("base",))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"seconds": 99, "st')
    found = report(tmp_path)
    assert found.missing[0] == "stage-1 is not over: the run is under way, or was stopped (lite train --resume)"
    assert "the exam of sft is not over: 0 tasks so far" in found.missing
    assert list(found.exams) == ["base"]
    assert found.gains == ()
    assert "There is nothing to compare yet." in (tmp_path / "report" / "report.md").read_text()


def test_a_run_without_an_exam_says_so_and_one_that_just_began_has_no_picture(tmp_path: Path) -> None:
    found = report(paper_run(tmp_path, exam=False, lines=0))
    assert "the recipe has no exam" in found.missing[-1]
    assert (found.exams, found.parts) == ({}, ())
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["index.html", "report.md"]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["settings"]["policy"]["loader"] = "a setting of another version"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "state.json").write_text(json.dumps({"sft": {}, "collapses": {"1": ["visits fell", "visits fell"]}}))
    assert report(tmp_path).missing[0] == "stage 1 collapsed twice, which ended the run"


def test_other_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run of lite train"):
        report(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"settings": {"tasks": "t.jsonl"}}))
    with pytest.raises(UsageError, match=r"lite eval RUN"):
        report(tmp_path)


def test_the_command_prints_the_table_and_draws_the_same_picture_again(whole: tuple[Path, TrainReport]) -> None:
    picture = whole[0] / "report" / "curves.svg"
    before = picture.read_bytes()
    shown = CliRunner().invoke(lite, ["report", str(whole[0])])
    assert shown.exit_code == 0, shown.output
    assert "## What training gained" in shown.output
    assert shown.output.endswith(f"drawn in {whole[0]}/report/index.html\n")
    assert picture.read_bytes() == before


def test_with_json_the_command_gives_one_document(tmp_path: Path) -> None:
    paper_run(tmp_path, exams=("sft", "stage-2"))
    (tmp_path / "metrics.jsonl").write_text("")  # marks, and nothing to draw
    told = json.loads(CliRunner().invoke(lite, ["report", str(tmp_path), "--json"]).output)
    assert told["gains"][0]["mean"]["value"] == pytest.approx(0.15)
    assert told["missing"][0] == "the exam of base is not over: 0 tasks so far"


def test_without_matplotlib_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    paper_run(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: matplotlib is not installed: pip install {target('train')}")
