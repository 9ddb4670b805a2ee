"""Models by name: what a spec may be, and what it may not hold."""

import pytest

from lite.errors import UsageError
from lite.models import load_model, located, read_spec, split_adapter


@pytest.mark.parametrize(
    ("spec", "kind", "rest"),
    [
        ("smollm2", "smollm2", ""),
        ("smollm2+mine.gguf", "smollm2", "mine.gguf"),
        ("llamacpp:a/b.gguf", "llamacpp", "a/b.gguf"),
        ("scripted:replies.json", "scripted", "replies.json"),
        ("openai:org/model@v1@http://127.0.0.1:8080/v1", "openai", "org/model@v1@http://127.0.0.1:8080/v1"),
    ],
)
def test_forms(spec: str, kind: str, rest: str) -> None:
    assert read_spec(spec) == (kind, rest)


@pytest.mark.parametrize(
    "spec", ["", "smollm3", "smollm2+", "llamacpp:", "openai:model", "openai:@http://x/", "openai:m@ftp://x/"]
)
def test_what_is_no_form_is_one_line(spec: str) -> None:
    with pytest.raises(UsageError, match="use smollm2, llamacpp") as caught:
        read_spec(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("server", ["http://user:secret@host/v1", "https://host/v1?key=secret"])
def test_a_secret_in_a_name_is_refused_and_not_repeated(server: str) -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        read_spec(f"openai:model@{server}")
    assert "secret" not in str(caught.value)
    for spec in (f"openai:model@{server}", f"opnai:model@{server}"):
        with pytest.raises(UsageError):
            located(spec, str)


def test_a_setting_that_a_model_cannot_keep_is_refused() -> None:
    with pytest.raises(UsageError, match="--grammar cannot be kept"):
        load_model("scripted:x.json", grammar=True)
    with pytest.raises(UsageError, match="--threads cannot be kept"):
        load_model("openai:m@http://127.0.0.1:9/v1", threads=2)


@pytest.mark.parametrize(
    ("kind", "rest", "parts"),
    [
        ("llamacpp", "a.gguf", ("a.gguf", None)),
        ("llamacpp", "a.gguf+b.gguf", ("a.gguf", "b.gguf")),
        ("llamacpp", "c++/a.GGUF+d+e/b.gguf", ("c++/a.GGUF", "d+e/b.gguf")),
        ("llamacpp", "c++/a.gguf", ("c++/a.gguf", None)),
        ("llamacpp", "a.bin+b.gguf", ("a.bin+b.gguf", None)),
        ("transformers", "a", ("a", None)),
        ("transformers", "c++/a+b", ("c++/a", "b")),
        ("transformers", "a.gguf+b", ("a.gguf", "b")),
    ],
)
def test_an_adapter_stands_behind_a_plus(kind: str, rest: str, parts: tuple[str, str | None]) -> None:
    assert split_adapter(kind, rest) == parts


def test_a_file_that_has_a_plus_in_its_name_is_itself(tmp_path) -> None:
    path = tmp_path / "a.gguf+b.gguf"
    path.touch()
    assert split_adapter("llamacpp", str(path)) == (str(path), None)


@pytest.mark.parametrize(
    ("spec", "there"),
    [
        ("smollm2", "smollm2"),
        ("smollm2+b.gguf", "smollm2+/x/b.gguf"),
        ("llamacpp:a.gguf", "llamacpp:/x/a.gguf"),
        ("llamacpp:a.gguf+b.gguf", "llamacpp:/x/a.gguf+/x/b.gguf"),
        ("transformers:a+b", "transformers:/x/a+/x/b"),
        ("replay:run", "replay:/x/run"),
        ("openai:m@http://h/v1", "openai:m@http://h/v1"),
        ("a name of somebody's own", "a name of somebody's own"),
        ("mine:v1", "mine:v1"),
        ("vllm:/models/qwen", "vllm:/models/qwen"),
        ("llamacpp:", "llamacpp:"),
    ],
)
def test_a_name_that_holds_from_every_folder(spec: str, there: str) -> None:
    assert located(spec, lambda path: f"/x/{path}") == there
