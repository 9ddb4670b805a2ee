"""What bad input gets: one line that says the next step, exit status 2, no traceback, nothing left to trip over."""

import json
import socket
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lite.records import Broken

GOOD = '{"url": "http://x.test/1", "title": "One", "doc": "The first page."}\n'


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["search"],
        ["search", "world", "query", "--mode", "magic"],
        ["search", "world", "query", "-k", "0"],
        ["search", "world", "query", "--nonsense"],
        ["world", "build", "pages.jsonl"],
        ["world", "build", "--out", "w"],
        ["ask", "world", "why?", "--model"],
        ["ask", "world", "why?", "--model", "scripted:x", "--max-turns", "none"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line(lite_here, arguments: list[str]) -> None:
    assert "--help" in lite_here(*arguments).error


@pytest.mark.parametrize("option", [("--port", "8019"), ("--host", "127.0.0.1"), ("--allow", "me")], ids=lambda o: o[0])
def test_where_to_listen_is_refused_where_nothing_listens(lite_here, option: tuple[str, str]) -> None:
    assert f"{option[0]} is of a server that listens: add --http" in lite_here("mcp", "w", *option).error


def test_no_command_shows_the_help(lite_here) -> None:
    for command in ((), ("world",)):
        done = lite_here(*command)
        assert "Commands:\n" in done.err
        assert "error:" not in done.err
        assert "Traceback" not in done.err


# ---------------------------------------------------------------- sources


def build(lite, source: Path | str, out: Path, *more: str):
    return lite("world", "build", source, "--out", out, *more)


def test_a_missing_file(lite_here, tmp_path: Path) -> None:
    out = tmp_path / "world"
    assert "nowhere.jsonl" in build(lite_here, tmp_path / "nowhere.jsonl", out).error
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"not json\n", b'{"title": "no url"}\n', b"\xff\xfe\x00\x01" * 50])
def test_a_corpus_without_a_page(lite_here, tmp_path: Path, content: bytes) -> None:
    source, out = tmp_path / "pages.jsonl", tmp_path / "world"
    source.write_bytes(content)
    assert str(source) in build(lite_here, source, out).error
    assert not out.exists()
    source.write_text(GOOD)  # mended: the same command now works
    assert build(lite_here, source, out).status == 0


def test_an_empty_folder_and_a_folder_without_pages(lite_here, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    assert str(folder) in build(lite_here, folder, tmp_path / "world").error
    (folder / "picture.png").write_bytes(b"\x89PNG")
    assert str(folder) in build(lite_here, folder, tmp_path / "world").error


def test_files_that_nothing_reads_are_counted(lite_here, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.pdf", "sub/b.PDF", "sub/c.docx", "LICENSE"):
        (tmp_path / name).write_bytes(b"%PDF")
    (tmp_path / "a.md").write_text("a page")
    (tmp_path / "files.jsonl").write_text('{"file": "a.md", "url": "https://x.test/a"}')
    for command in (("build", tmp_path, "--out", tmp_path / "w"), ("add", tmp_path / "w", tmp_path)):
        said = lite_here("world", *command).err.splitlines()[-1]
        assert said.startswith("passed over, being of kinds that lite cannot read: 2 .pdf, 1 ")
        assert sorted(said.partition(": ")[2].split(", ")) == ["1 .docx", "1 without an ending", "2 .pdf"]  # no world


@pytest.mark.parametrize("command", ["check", "rate", "select", "export", "import", "bench"])
def test_where_nothing_can_be_written_is_said_before_the_work(
    lite_here, world: Path, tasks: Path, script: Path, tmp_path: Path, command: str
) -> None:
    more: dict[str, list[Any]] = {
        "check": ["--world", world],
        "rate": ["--world", world, "--model", f"scripted:{script}", "-k", 1],
    }
    begin = (
        ["bench", "search", world, tasks] if command == "bench" else ["tasks", command, tasks, *more.get(command, [])]
    )
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    suffix = ".parquet" if command == "export" else ".jsonl"
    assert "is a directory" in lite_here(*begin, "--out", tmp_path / "folder").error
    assert "is no folder" in lite_here(*begin, "--out", tmp_path / "file" / f"x{suffix}").error
    assert not list(tmp_path.glob("*.run"))
    if command in {"select", "export", "import"}:
        assert lite_here(*begin, "--out", tmp_path / "new" / "folder" / f"x{suffix}").status == 0


def test_a_question_where_a_path_belongs(lite_here, world: Path, script: Path) -> None:
    long = "What is the population of the city? " * 10
    assert "order of the arguments" in lite_here("ask", long, world, "--model", f"scripted:{script}").error
    assert "too long" in lite_here("visit", f"x{'y' * 300}", "https://a.test/").error


def test_an_evaluation_in_which_all_failed_fails_and_says_why(
    lite_here, world: Path, tasks: Path, tmp_path: Path
) -> None:
    script = tmp_path / "nothing.json"
    script.write_text("{}")
    done = lite_here(
        "eval", tasks, "--world", world, "--model", f"scripted:{script}", "--out", tmp_path / "run", "-n", 2
    )
    assert "every task failed" in done.error
    assert "nothing to grade" in done.out


def test_two_sources_with_the_same_addresses(lite_here, tmp_path: Path) -> None:
    for at in ("c1/docs", "c2/docs"):
        (tmp_path / at).mkdir(parents=True)
        (tmp_path / at / "a.md").write_text(f"a page of {at}")
    folders, files = [tmp_path / at for at in ("c1/docs", "c2/docs")], list(tmp_path.glob("*/docs/a.md"))
    for sources in (folders, files):
        error = lite_here("world", "build", *sources, "--out", tmp_path / "w").error
        assert "common parent folder" in error
        assert not (tmp_path / "w").exists()
    assert lite_here("world", "build", tmp_path, "--out", tmp_path / "w").status == 0
    assert lite_here("world", "build", folders[0], folders[0], "--out", tmp_path / "v").status == 0
    assert lite_here("world", "add", tmp_path / "v", folders[1], "--base-url", "https://x.test/").status == 0
    assert lite_here("world", "info", tmp_path / "v", "--json").json["pages"] == 2


def test_what_cannot_be_done_is_refused_before(lite_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "pages.jsonl", tmp_path / "w"
    source.write_text('{"a link": "http://x.test/1", "the text": "The first page."}\n')
    fields = ("--layout", "url=a link, text=the text")
    assert "--embedder" in build(lite_here, source, out, *fields, "--vectors", "passage").error
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767312000000")
    assert "SOURCE_DATE_EPOCH" in build(lite_here, source, out, *fields).error
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767312000")
    assert build(lite_here, source, out, *fields).status == 0
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("missing/x.jsonl", "folder.jsonl"):
        assert name in lite_here("world", "export", out, "--out", tmp_path / name).error


def test_a_file_of_no_known_kind(lite_here, tmp_path: Path) -> None:
    (tmp_path / "book.docx").write_bytes(b"PK")
    assert "book.docx" in build(lite_here, tmp_path / "book.docx", tmp_path / "world").error


@pytest.mark.parametrize("kind", ["zst", "gz"])
def test_a_truncated_archive_keeps_its_whole_pages_and_names_the_place(lite_here, tmp_path: Path, kind: str) -> None:
    lines = "".join(
        json.dumps({"url": f"http://x.test/{n}", "title": str(n), "doc": f"Page {n}. " + "word " * (n % 97)}) + "\n"
        for n in range(20_000)
    ).encode()
    packed = zstandard.compress(lines) if kind == "zst" else zlib.compress(lines, wbits=31)
    source = tmp_path / f"pages.jsonl.{kind}"
    source.write_bytes(packed[: len(packed) * 2 // 3])
    assert build(lite_here, source, tmp_path / "world").status == 0
    info = lite_here("world", "info", tmp_path / "world", "--json").json
    assert 0 < info["pages"] < 20_000
    assert sum(info["broken"].values()) == 1
    assert info["broken_first"][0]["source"] == str(source)


def test_something_that_only_claims_to_be_an_archive(lite_here, tmp_path: Path) -> None:
    source = tmp_path / "pages.jsonl.zst"
    source.write_bytes(b"this is no zstandard frame at all")
    assert str(source) in build(lite_here, source, tmp_path / "world").error


def test_broken_records_are_counted_named_and_skipped(lite_here, tmp_path: Path) -> None:
    source = tmp_path / "pages.jsonl"
    source.write_bytes(
        GOOD.encode()
        + b"this is not json\n"
        + b'{"title": "no url", "doc": "text"}\n'
        + b'{"url": "http://x.test/no-text", "title": "x"}\n'
        + b'["a list"]\n'
        + b'{"url": "http://x.test/latin1", "title": "\xe9", "doc": "caf\xe9"}\n'
        + b'{"url": "http://x.test/deep", "title": "x", "doc": '
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}\n"
        + GOOD.replace("first", "only").encode()
    )
    assert build(lite_here, source, tmp_path / "world").status == 0
    info = lite_here("world", "info", tmp_path / "world", "--json").json
    named = {Broken.model_validate(one).where for one in info["broken_first"]}
    assert {"line 2", "line 3", "line 4", "line 5", "line 7"} <= named
    assert info["conflicts"] == 1  # the same URL with two texts
    shown = lite_here("world", "info", tmp_path / "world").out
    assert "left out" in shown
    assert "line 2" in shown


def test_out_is_a_file_or_holds_something_else(lite_here, tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text(GOOD)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    assert "file" in build(lite_here, tmp_path / "pages.jsonl", tmp_path / "file").error
    assert "thesis.txt" in build(lite_here, tmp_path / "pages.jsonl", tmp_path / "folder").error
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "thesis.txt").read_text() == "mine"
    assert list((tmp_path / "folder").iterdir()) == [tmp_path / "folder" / "thesis.txt"]


@pytest.mark.parametrize(
    "option", [("--layout", "nonsense"), ("--date", "yesterday"), ("--embedder", "/no/such/model")]
)
def test_a_setting_that_cannot_be_used_leaves_nothing(lite_here, tmp_path: Path, option: tuple[str, str]) -> None:
    (tmp_path / "pages.jsonl").write_text(GOOD)
    assert option[1] in build(lite_here, tmp_path / "pages.jsonl", tmp_path / "world", *option).error
    assert build(lite_here, tmp_path / "pages.jsonl", tmp_path / "world").status == 0


def test_a_full_disk_is_one_line_and_the_build_goes_on_later(tmp_path: Path) -> None:
    """The limit on file sizes stands for the disk: what is written past it fails in the same places."""
    source, out = tmp_path / "pages.jsonl", tmp_path / "world"
    source.write_text(
        "".join(
            json.dumps({"url": f"http://x.test/{n}", "title": f"Page {n}", "doc": f"{n} " * 200 + "word"}) + "\n"
            for n in range(2000)
        )
    )
    command = f"trap '' XFSZ; ulimit -f 256; exec {sys.executable} -m lite.cli world build {source} --out {out}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    command = [sys.executable, "-m", "lite.cli", "world", "build", str(source), "--out", str(out)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


# ---------------------------------------------------------------- worlds


@pytest.mark.parametrize("command", [["info"], ["check"]])
def test_a_folder_that_is_no_world(lite_here, tmp_path: Path, command: list[str]) -> None:
    assert "world" in lite_here("world", *command, tmp_path).error
    assert "world" in lite_here("world", *command, tmp_path / "nowhere").error


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"format": 99}', '{"format": 1}'])
def test_a_world_whose_account_cannot_be_read(lite_here, tmp_path: Path, content: str) -> None:
    (tmp_path / "world.json").write_text(content)
    assert str(tmp_path) in lite_here("search", tmp_path, "query").error


def test_modes_that_a_lexical_world_has_not(lite_here, world: Path) -> None:
    assert "--embedder" in lite_here("search", world, "query", "--mode", "dense").error


@pytest.mark.parametrize("query", ["", " ", '"', "AND OR (", "a" * 20_000, "*:*", "🦜", "url:x^2 ~"])
def test_any_text_is_a_query(lite_here, world: Path, query: str) -> None:
    assert lite_here("search", world, query, "--json").json["query"] == query


# ---------------------------------------------------------------- models


def test_no_model_and_unknown_models(lite_here, world: Path) -> None:
    assert "--model" in lite_here("ask", world, "why?").error
    for spec in ("gpt", "scripted:", "llamacpp:", "openai:name"):
        assert spec in lite_here("ask", world, "why?", "--model", spec).error


@pytest.mark.parametrize("content", [b"", b"this is no GGUF", b"GGUF\x03\x00\x00\x00", b"GGUF" + b"\xff" * 64])
def test_a_model_file_that_is_no_gguf(lite_here, world: Path, tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("llama_cpp", reason="the llama extra is not installed")
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    assert "model.gguf" in lite_here("ask", world, "why?", "--model", f"llamacpp:{file}").error
    assert "nowhere.gguf" in lite_here("ask", world, "why?", "--model", f"llamacpp:{tmp_path}/nowhere.gguf").error


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_model_server_that_is_down(lite_here, world: Path, tasks: Path, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{closed_port()}/v1"
    assert address in lite_here("ask", world, "why?", "--model", f"openai:some-model@{address}").error
    command = ("eval", tasks, "--world", world, "--out", tmp_path / "run")
    assert address in lite_here(*command, "--model", f"openai:some-model@{address}").error


@pytest.mark.parametrize("content", ["", "{", '"text"', "[1, 2]", '{"question": "reply"}'])
def test_a_script_that_is_none(lite_here, world: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "script.json"
    file.write_text(content)
    assert "script.json" in lite_here("ask", world, "why?", "--model", f"scripted:{file}").error


def test_a_script_that_runs_out_is_a_failed_model(lite_here, world: Path, tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text("[]")
    assert "model failed" in lite_here("ask", world, "why?", "--model", f"scripted:{file}").error


def test_a_question_that_is_too_long_or_empty(lite_here, world: Path, script: Path) -> None:
    model = f"scripted:{script}"
    assert "--context" in lite_here("ask", world, "why " * 2000, "--model", model, "--context", "512").error
    assert "empty" in lite_here("ask", world, " ", "--model", model).error


def test_a_prompt_file_that_cannot_be_read(lite_here, world: Path, script: Path, tmp_path: Path) -> None:
    command = ("ask", world, "why?", "--model", f"scripted:{script}", "--prompt")
    assert "prompt.txt" in lite_here(*command, tmp_path / "prompt.txt").error
    (tmp_path / "prompt.txt").write_bytes(b"\xff\xfe\x00")
    assert "prompt.txt" in lite_here(*command, tmp_path / "prompt.txt").error


# ---------------------------------------------------------------- tasks and runs


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json\n",
        '{"id": "1"}\n',
        '{"id": "1", "question": "why?", "answers": "one"}\n',
        '{"id": "1", "question": "why?", "answers": ["x"]}\n' * 2,
        "[]\n",
    ],
)
def test_tasks_that_cannot_be_read(lite_here, world: Path, script: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(content)
    command = ("eval", file, "--world", world, "--model", f"scripted:{script}", "--out", tmp_path / "run")
    assert "questions.jsonl" in lite_here(*command).error
    assert not (tmp_path / "run").exists()


def test_an_evaluation_that_lacks_something(lite_here, world: Path, tasks: Path, tmp_path: Path) -> None:
    error = lite_here("eval", tasks, "--world", world).error
    assert "--model" in error
    assert "--out" in error
    assert "run" in lite_here("eval", tmp_path).error
    assert "there is no" in lite_here("eval", tmp_path / "typo").error
    assert (
        "nowhere"
        in lite_here("eval", tmp_path / "nowhere", "--world", world, "--model", "x", "--out", tmp_path / "r").error
    )


def test_a_wrong_model_does_not_trip_the_next_run(
    lite_here, world: Path, tasks: Path, script: Path, tmp_path: Path
) -> None:
    command = ("eval", tasks, "--world", world, "--out", tmp_path / "run", "--model")
    assert "nowhere" in lite_here(*command, "scripted:nowhere.json").error
    assert lite_here(*command, f"scripted:{script}").status == 0


def test_a_run_of_other_settings_is_not_mixed_with_this_one(
    lite_here, world: Path, tasks: Path, script: Path, tmp_path: Path
) -> None:
    command = ("eval", tasks, "--world", world, "--model", f"scripted:{script}", "--out", tmp_path / "run")
    assert lite_here(*command).status == 0
    before = (tmp_path / "run" / "trajectories.jsonl").read_bytes()
    assert "sampling" in lite_here(*command, "--seed", "7").error
    assert (tmp_path / "run" / "trajectories.jsonl").read_bytes() == before


def test_a_damaged_run_names_the_line(lite_here, world: Path, tasks: Path, script: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert lite_here("eval", tasks, "--world", world, "--model", f"scripted:{script}", "--out", run).status == 0
    lines = (run / "trajectories.jsonl").read_bytes().splitlines(keepends=True)
    (run / "trajectories.jsonl").write_bytes(lines[0] + b'{"half": \n' + lines[2])
    assert "line 2" in lite_here("eval", run).error
    (run / "manifest.json").write_text("{")
    assert "manifest.json" in lite_here("eval", run).error


def test_a_folder_that_may_not_be_written(lite_here, world: Path, tasks: Path, script: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = f"scripted:{script}"
    out = tmp_path / "file" / "run"
    assert str(out) in lite_here("eval", tasks, "--world", world, "--model", model, "--out", out).error
    assert str(out) in lite_here("ask", world, "why?", "--model", model, "--save", out).error
