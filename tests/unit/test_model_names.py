"""Models by name: what a spec may be, and what it may not hold."""

import pytest

from lite.errors import UsageError
from lite.models import load_model, read_spec


@pytest.mark.parametrize(
    ("spec", "kind", "rest"),
    [
        ("smollm2", "smollm2", ""),
        ("llamacpp:a/b.gguf", "llamacpp", "a/b.gguf"),
        ("scripted:replies.json", "scripted", "replies.json"),
        ("openai:org/model@v1@http://127.0.0.1:8080/v1", "openai", "org/model@v1@http://127.0.0.1:8080/v1"),
    ],
)
def test_forms(spec: str, kind: str, rest: str) -> None:
    assert read_spec(spec) == (kind, rest)


@pytest.mark.parametrize("spec", ["", "smollm3", "llamacpp:", "openai:model", "openai:@http://x/", "openai:m@ftp://x/"])
def test_what_is_no_form_is_one_line(spec: str) -> None:
    with pytest.raises(UsageError, match="use smollm2, llamacpp") as caught:
        read_spec(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("server", ["http://user:secret@host/v1", "https://host/v1?key=secret"])
def test_a_secret_in_a_name_is_refused_and_not_repeated(server: str) -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        read_spec(f"openai:model@{server}")
    assert "secret" not in str(caught.value)


def test_a_setting_that_a_model_cannot_keep_is_refused() -> None:
    with pytest.raises(UsageError, match="--grammar cannot be kept"):
        load_model("scripted:x.json", grammar=True)
    with pytest.raises(UsageError, match="--threads cannot be kept"):
        load_model("openai:m@http://127.0.0.1:9/v1", threads=2)
