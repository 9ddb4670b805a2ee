"""From pages to an answered question and a table, by commands alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_info_says_what_the_build_found(lite, world: Path) -> None:
    info = lite("world", "info", world, "--json").json
    assert info["pages"] == 3
    assert info["built"] == "2024-05-06"
    assert info["embedding"] is None
    text = lite("world", "info", world).out
    assert info["digest"] in text
    assert "lexical only" in text


def test_check_finds_nothing_in_a_sound_world(lite, world: Path) -> None:
    done = lite("world", "check", world)
    assert (done.status, "is sound" in done.out) == (0, True)


def test_check_names_damage(lite, world: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(world, tmp_path / "copy")
    info = json.loads((copy / "world.json").read_text())
    (copy / "world.json").write_text(json.dumps(info | {"digest": "0" * 32}))
    done = lite("world", "check", copy)
    assert "damaged" in done.error
    assert done.out.strip()


def test_building_again_does_nothing_and_other_sources_are_refused(
    lite, world: Path, pages: Path, tmp_path: Path
) -> None:
    before = (world / "world.json").stat().st_mtime_ns
    assert lite("world", "build", pages, "--out", world).status == 0
    assert (world / "world.json").stat().st_mtime_ns == before
    other = tmp_path / "other.jsonl"
    other.write_text('{"url": "http://x.test/", "title": "X", "doc": "Something else."}\n')
    assert "finished world" in lite("world", "build", other, "--out", world).error
    assert (world / "world.json").stat().st_mtime_ns == before


def test_search_in_json_and_for_people(lite, world: Path) -> None:
    results = lite("search", world, "who discovered radium", "-k", "2", "--json").json
    assert results["mode"] == "lexical"
    assert results["hits"][0]["url"] == "http://elements.test/radium"
    text = lite("search", world, "who discovered radium").out
    assert "1. Radium" in text
    assert "Marie and Pierre Curie" in text


def test_a_phrase_is_looked_for_as_it_stands(lite, world: Path) -> None:
    found = lite("search", world, "Marie and Pierre Curie", "--phrase", "--json").json
    assert "http://elements.test/radium" in [hit["url"] for hit in found["hits"]]
    assert lite("search", world, "Pierre and Marie Curie", "--phrase", "--json").json["hits"] == []
    assert "use lexical" in lite("search", world, "Curie", "--phrase", "--mode", "dense").error


def test_a_mask_hides_a_page_from_search(lite, world: Path) -> None:
    hidden = lite("search", world, "radium", "--mask", "http://elements.test/radium", "--json").json
    assert "http://elements.test/radium" not in [hit["url"] for hit in hidden["hits"]]


def test_visit_in_json_and_for_people(lite, world: Path) -> None:
    url = "http://elements.test/radium"
    visit = lite("visit", world, url, "--goal", "year of discovery", "--json").json
    assert visit["found"]
    assert "1898" in visit["evidence"]
    assert "polonium](http://elements.test/polonium)" in lite("visit", world, url, "--raw").out


def test_page_text_is_shown_and_does_nothing(lite, world: Path) -> None:
    shown = lite("visit", world, "http://elements.test/polonium", "--raw", FORCE_COLOR="1").out
    assert "[bold red]loud[/bold red]" in shown
    assert "\x1b[31mThis would be red." not in shown
    assert "[31mThis would be red." in shown
    found = lite("search", world, "polonium", FORCE_COLOR="1").out
    assert "[bold red]loud[/bold red]" in found
    assert "\x1b[31m" not in found


def test_an_unknown_url_exits_with_2_and_still_gives_json(lite, world: Path) -> None:
    done = lite("visit", world, "http://elements.test/radon", "--json")
    assert "http://elements.test/radon" in done.error
    assert done.json["found"] is False


def test_ask_shows_every_step_and_what_the_answer_rests_on(lite, world: Path, script: Path) -> None:
    done = lite("ask", world, "In which year was radium discovered?", "--model", f"scripted:{script}")
    assert done.status == 0
    order = [
        "I look for radium.",
        "radium discovery",
        "## Web Results",
        "I read it.",
        "Evidence in page",
        "Answer: 1898",
    ]
    places = [done.out.index(part) for part in order]
    assert places == sorted(places)
    assert "[bold]says[/bold]" in done.out
    assert done.out.rindex("http://elements.test/radium") > done.out.index("Its sources")


def test_ask_in_json_is_a_trajectory(lite, world: Path, script: Path) -> None:
    from lite.records import Trajectory

    done = lite("ask", world, "In which year was radium discovered?", "--model", f"scripted:{script}", "--json")
    trajectory = Trajectory.from_json(done.out)
    assert trajectory.answer == "1898"
    assert trajectory.sources == ("http://elements.test/radium",)
    assert [turn.call.tool for turn in trajectory.turns if turn.call] == ["search", "visit"]
    assert "2024-05-06" in trajectory.messages[0].content


def test_ask_saves_one_line_a_question(lite, world: Path, script: Path, tmp_path: Path) -> None:
    for question in ("In which year was radium discovered?", "After which country is polonium named?"):
        assert lite("ask", world, question, "--model", f"scripted:{script}", "--save", tmp_path / "run").status == 0
    lines = (tmp_path / "run" / "trajectories.jsonl").read_text().splitlines()
    assert [json.loads(line)["answer"] for line in lines] == ["1898", "Poland"]


def test_eval_grades_reports_and_goes_on(lite, world: Path, tasks: Path, script: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ("eval", tasks, "--world", world, "--model", f"scripted:{script}", "--out", run)
    done = lite(*command)
    assert done.status == 0, done.err
    assert "66.7%" in done.out
    report = json.loads((run / "report.json").read_text())
    assert (report["tasks"], report["graded"], report["stops"]) == (3, 3, {"answered": 3})
    assert report["tool_calls"] == {"search": 3, "visit": 1}
    assert "66.7%" in (run / "report.md").read_text()

    # Killed after the first task and in the middle of writing the second: the rest is done, the first is not again.
    lines = (run / "trajectories.jsonl").read_bytes().splitlines(keepends=True)
    (run / "trajectories.jsonl").write_bytes(lines[0] + lines[1][:40])
    (run / "report.json").unlink()
    again = lite("eval", run, "--json")
    assert again.json["exact"] == pytest.approx(2 / 3, abs=1e-4)
    after = (run / "trajectories.jsonl").read_bytes().splitlines(keepends=True)
    assert (after[0], len(after)) == (lines[0], 3)
    assert (run / "report.json").exists()


def test_eval_of_a_run_works_from_another_folder(lite, world: Path, tasks: Path, script: Path, tmp_path: Path) -> None:
    command = ("eval", tasks.name, "--world", world, "--model", f"scripted:{script.name}", "--out", "run")
    assert lite(*command, cwd=tmp_path).status == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = lite("eval", tmp_path / "run", "--json", cwd=elsewhere)
    assert done.status == 0, done.err
    assert done.json["tasks"] == 3


def test_eval_takes_the_first_n(lite, world: Path, tasks: Path, script: Path, tmp_path: Path) -> None:
    model = f"scripted:{script}"
    done = lite("eval", tasks, "--world", world, "--model", model, "--out", tmp_path / "run", "-n", "2", "--json")
    assert done.json["tasks"] == 2


def test_version_and_doctor(lite) -> None:
    from lite import __version__

    assert __version__ in lite("--version").out
    diagnosis = lite("doctor", "--json").json
    assert diagnosis["usable"] is True
    assert {"machine", "library", "weights", "compiler", "setting"} == {one["kind"] for one in diagnosis["findings"]}
    assert "tantivy" in lite("doctor").out


def test_a_reader_that_has_seen_enough_is_no_error(world: Path) -> None:
    command = f"{sys.executable} -m lite.cli search {world} radium --json | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize(("name", "told"), [("INT", (130, "interrupted")), ("TERM", (143, "terminated"))])
def test_ctrl_c_and_a_term_signal_are_one_line(world: Path, tmp_path: Path, name: str, told: tuple[int, str]) -> None:
    """The signal comes while the command waits for a model's script, which is a pipe that nobody writes to."""
    import os
    import signal

    pipe = tmp_path / "script.json"
    os.mkfifo(pipe)
    default = ["env", "--default-signal=INT"]  # a shell's background job ignores it, and so would its children
    command = [*default, sys.executable, "-m", "lite.cli", "ask", str(world), "Why?", "--model", f"scripted:{pipe}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    writer = os.open(pipe, os.O_WRONLY)  # returns when the command has opened its end: it is reading now
    child.send_signal(signal.Signals[f"SIG{name}"])
    os.close(writer)  # a signal that comes between opening and reading is looked at only when the reading ends
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors.strip()) == (told[0], f"error: {told[1]}")


@pytest.mark.parametrize("command", [["serve", "--api", "environment"], ["mcp", "--http"], ["ui"]], ids=lambda c: c[0])
def test_a_server_tells_its_address_and_stops_at_ctrl_c(world: Path, command: list[str]) -> None:
    import re
    import signal

    import httpx

    pytest.importorskip({"mcp": "mcp"}.get(command[0], "uvicorn"))
    full = [sys.executable, "-m", "lite.cli", *command, str(world), "--port", "0"]
    server = subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stderr
    address = re.search(r"http://127\.0\.0\.1:\d+\S*", server.stderr.readline())
    assert address
    with httpx.stream("GET", address[0], timeout=60) as answered:  # an MCP client's stream stays open
        assert answered.status_code < 500
    server.send_signal(signal.SIGINT)
    assert (server.wait(timeout=60), "Traceback" in server.communicate()[1]) == (0, False)


def test_a_run_is_replayed_and_asked_again(lite, world: Path, tasks: Path, script: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert lite("eval", tasks, "--world", world, "--model", f"scripted:{script}", "--out", run).status == 0
    done = lite("replay", run)
    assert (done.status, "4 calls: 4 observations the same, byte for byte" in done.out) == (0, True)
    assert "the same pages and the same index" in done.out
    record = run / "trajectories.jsonl"
    record.write_text(record.read_text().replace("Pierre Curie", "Piere Curie"))
    edited = lite("replay", run, "--json")
    assert edited.status == 1
    assert {one["task_id"] for one in edited.json["differing"]} == {"radium", "polonium"}  # both pages were found
    again = lite("replay", run, "--model", f"replay:{run}", "--out", tmp_path / "again")
    assert "3 questions, 3 answered in the same words" in again.out
    assert "needs --out" in lite("replay", run, "--model", f"replay:{run}").error


def test_a_chat_goes_on_from_question_to_question(world: Path, tmp_path: Path) -> None:
    replies = ["<think>a</think><answer>Radium</answer>", "<think>b</think><answer>Poland</answer>"]
    (tmp_path / "chat.json").write_text(json.dumps(replies))
    command = [sys.executable, "-m", "lite.cli", "chat", world, "--model", f"scripted:{tmp_path / 'chat.json'}"]
    done = subprocess.run(
        [*map(str, command), "--save", str(tmp_path / "run")],
        input="What?\n\nAnd then?\n/quit\nnever asked\n",
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Answer: ") == 2
    assert len((tmp_path / "run" / "trajectories.jsonl").read_text().splitlines()) == 2
