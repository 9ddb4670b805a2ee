"""A model that plays given replies: for tests, for demonstrations of the loop, and to see a run without a model."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lite.errors import UsageError
from lite.records import Fault, Generate, Message, Reply

Script = Sequence[str] | Mapping[str, Sequence[str]] | Callable[[Sequence[Message]], str]


class Scripted:
    """Replies that were written beforehand, for every conversation from the beginning.

    Args:
        script: a list (played in order), a mapping from a part of the question to such a list (the longest key that
            occurs in the user's messages counts), or a function from the messages to the reply.
        context: window in tokens; a token is a word here.
        name: what the run's manifest calls it.

    The place in a list is the number of turns before this one, so a script needs no memory. One that
    has run out is a Fault, not silence.
    """

    def __init__(self, script: Script, *, context: int = 8192, name: str = "scripted") -> None:
        self.name = name
        self.context = context
        self._script = script

    @classmethod
    def from_file(cls, path: str | Path, *, context: int = 8192) -> "Scripted":
        """From JSON: `["reply", ...]` or `{"part of the question": ["reply", ...], ...}`.

        Raises:
            UsageError: the file cannot be read, or is neither of the two.
        """
        try:
            script = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}): check the path") from None
        except ValueError as error:
            raise UsageError(f"{path} is not JSON ({error}): write a list of replies") from None
        lists = list(script.values()) if isinstance(script, dict) else [script]
        if not all(isinstance(replies, list) and all(isinstance(text, str) for text in replies) for replies in lists):
            raise UsageError(f'{path} holds no script: write ["reply", ...] or {{"question": ["reply", ...]}}')
        return cls(script, context=context, name=f"scripted:{path}")

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """The next reply of each conversation's script."""
        return [self._reply(request) for request in requests]

    def count(self, messages: Sequence[Message]) -> int:
        """Words of all messages, one for each message's role, one for the opening of the assistant's turn."""
        return 1 + sum(1 + len(message.content.split()) for message in messages)

    def close(self) -> None:
        """Nothing to free."""

    def _reply(self, request: Generate) -> Reply | Fault:
        prompt_tokens = self.count(request.messages)
        if prompt_tokens >= self.context:
            error = f"a prompt of {prompt_tokens} tokens does not fit the window of {self.context}"
            return Fault(where="model", error=error)
        text = self._next(request)
        if isinstance(text, Fault):
            return text
        words = text.split()
        room = min(request.max_tokens, self.context - prompt_tokens)
        return Reply(
            text=text if len(words) <= room else " ".join(words[:room]),
            finish="stop" if len(words) <= room else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=min(len(words), room),
        )

    def _next(self, request: Generate) -> str | Fault:
        messages = request.messages
        if callable(self._script):
            return self._script(messages)
        replies = self._script
        if isinstance(replies, Mapping):
            asked = "\n".join(message.content for message in messages if message.role == "user")
            keys = [key for key in replies if key in asked]
            if not keys:
                return Fault(where="model", error=f"{self.name} has no replies to this question")
            replies = replies[max(keys, key=len)]
        turn = request.number
        if turn >= len(replies):
            return Fault(where="model", error=f"{self.name} has {len(replies)} replies and was asked for one more")
        return replies[turn]
