"""A model behind an OpenAI-compatible server (llama-server, vLLM, SGLang, Ollama, a hosted one): chat completions."""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Semaphore, Thread
from typing import Any

import httpx

from lite.dialect import RESPONSE, STOP, parse_turn
from lite.errors import ModelError
from lite.models.estimate import Estimate
from lite.models.sampling import turn_seed
from lite.records import Fault, Generate, Message, Reply

KEY_VARIABLE = "OPENAI_API_KEY"
_CONCURRENT = 64  # requests under way at once, at most: as many as episodes run together (--width)
_TRIES = 3
_PAUSE = 1.0  # seconds before the second try; doubled for each further one
_LONGEST_PAUSE = 20.0  # of what a server's Retry-After may ask for


class OpenAI:
    """Asks `{base_url}/chat/completions`. The key, if one is needed, stands in the environment (OPENAI_API_KEY).

    Args:
        name: the model's name on the server.
        base_url: with or without the final `/v1`.
        context: window in tokens that the episode may fill. The server does not say it, so this is taken on trust.
        timeout: seconds to wait for a reply (10 for the connection).
        tools: function schemas that the server is given, for models that call tools by its own protocol; past calls
            and results go to it in that form too. Without them all of it is text.

    `count` is an estimate, as the server's tokenizer is out of reach: what it has reported of the prompts so far, and
    a guess at what is new that errs towards too many (see `lite.models.estimate`).

    Raises:
        ModelError: the server does not answer, or refuses the key.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        context: int = 8192,
        timeout: float = 600.0,
        tools: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.context = context
        self._tools = list(tools)
        self._model = name
        self._estimate = Estimate()
        self._room = Semaphore(_CONCURRENT)
        self._asked = 0
        self._under_way: dict[Future[Reply | Fault], int] = {}
        key = os.environ.get(KEY_VARIABLE, "").strip()  # a file of variables may end its lines in CR LF
        if not (key.isascii() and key.isprintable()):
            raise ModelError(f"{KEY_VARIABLE} holds characters that no key has: set it again")
        try:
            url = httpx.URL(base_url.rstrip("/"))
            self._shown = str(url.copy_with(userinfo=b""))  # a password in the address is nobody's to read
            self.name = f"openai:{name}@{self._shown}"
            self._url = str(url) if url.path.endswith("/v1") else f"{url}/v1"
            self._client = httpx.Client(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx.Timeout(timeout, connect=10.0),
                limits=httpx.Limits(max_connections=_CONCURRENT),
            )
            self._knock()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeEncodeError):
            raise ModelError("that is no address of a server: write openai:NAME@http://HOST:PORT/v1") from None

    def close(self) -> None:
        """Close the connections."""
        self.drop()
        self._client.close()

    def count(self, messages: Sequence[Message]) -> int:
        """Estimated tokens of the prompt these messages make (see the class)."""
        return self._estimate.tokens(messages)

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """One reply per request, in order, asked for concurrently. What the server fails at is a Fault."""
        return [sent.result() for sent in [self._send(request) for request in requests]]

    def ask(self, request: Generate) -> int:
        """Send a request; its number."""
        self._asked += 1
        self._under_way[self._send(request)] = self._asked
        return self._asked

    def ready(self) -> list[tuple[int, Reply | Fault]]:
        """Number and reply of the requests that are answered; waits for one."""
        done = wait(self._under_way, return_when=FIRST_COMPLETED).done
        return sorted(((self._under_way.pop(one), one.result()) for one in done), key=lambda pair: pair[0])

    def drop(self) -> None:
        """Forget what is under way; what the server has begun it may end."""
        self._under_way = {}

    def recall(self, request: Generate, reply: Reply) -> None:
        """Take in what the server has reported of a prompt, in this process or in one that was killed."""
        bare = not self._tools or request.form == "free"
        self._estimate.learn(request.messages, reply.prompt_tokens, bare=bare)

    def _send(self, request: Generate) -> Future[Reply | Fault]:
        """Ask in a thread of its own, which nobody waits for when the program ends: a server may never answer."""
        sent: Future[Reply | Fault] = Future()

        def work() -> None:
            try:
                with self._room:
                    sent.set_result(self._ask(request))
            except BaseException as error:  # noqa: BLE001  # it is raised where the answer is asked for
                sent.set_exception(error)

        Thread(target=work, daemon=True).start()
        return sent

    def _knock(self) -> None:
        """Is there a server, and does it take the key? Servers without a list of models pass too."""
        try:
            response = self._client.get(f"{self._url}/models", timeout=10.0)
        except httpx.UnsupportedProtocol:
            raise
        except httpx.HTTPError as error:
            raise ModelError(
                f"no model server answers at {self._shown} ({_reason(error)}): start it, or correct the address"
            ) from None
        if response.status_code in (401, 403):
            raise ModelError(f"{self._shown} refuses the key: put a valid one into {KEY_VARIABLE}")
        if response.status_code >= 500:
            raise ModelError(f"{self._shown} answers with HTTP {response.status_code}: look at the server's log")

    def _ask(self, request: Generate) -> Reply | Fault:
        estimate = self.count(request.messages)
        if estimate >= self.context and request.form != "answer":
            return _fault(f"a prompt of about {estimate} tokens does not fit the window of {self.context}")
        started, room = time.perf_counter(), self.context - estimate
        body = self._body(request, min(request.max_tokens, room) if room > 0 else request.max_tokens)
        for attempt in range(_TRIES):
            outcome = self._post(body)
            if isinstance(outcome, Reply):
                self.recall(request, outcome)
                return outcome.model_copy(update={"seconds": time.perf_counter() - started})
            if not outcome.again or attempt == _TRIES - 1:
                return _fault(outcome.error)
            time.sleep(outcome.wait or _PAUSE * 2**attempt)
        raise AssertionError("the last try returns")

    def _body(self, request: Generate, room: int) -> dict[str, Any]:
        sampling = request.sampling
        plain = [message.model_dump() for message in request.messages]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": _with_calls(request.messages) if self._tools else plain,
            "max_tokens": room,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "seed": turn_seed(sampling.seed, request.conversation, request.number) % 2**31,
            "stop": [STOP],
        }
        if self._tools and request.form != "free":
            body |= {"tools": self._tools, "tool_choice": "none" if request.form == "answer" else "auto"}
        if sampling.top_k:  # not in OpenAI's own API, known to the servers of open weights
            body["top_k"] = sampling.top_k
        return body

    def _post(self, body: dict[str, Any]) -> "Reply | _Failure":
        try:
            response = self._client.post(f"{self._url}/chat/completions", json=body)
        except httpx.TimeoutException as error:  # asking again would wait as long again; drive() decides
            return _Failure(f"{self._shown} gave no reply in time ({_reason(error)})", again=False)
        except httpx.HTTPError as error:
            return _Failure(f"{self._shown} failed ({_reason(error)})")
        if response.status_code != 200:
            again = response.status_code == 429 or response.status_code >= 500
            error = f"{self._shown} answered HTTP {response.status_code}: {_message(response)}"
            if response.status_code == 400 and "top_k" in error and "top_k" in body:
                error += " (--top-k 0 leaves it out)"
            return _Failure(error, again=again, wait=_retry_after(response))
        try:
            reply = response.json()
            if reply["choices"][0].get("finish_reason") == "content_filter":
                return _Failure(f"{self._shown} withheld its reply (content_filter)", again=False)
            return _reply(reply)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return _Failure(f"{self._shown} sent something that is no chat completion: {_message(response)}")


@dataclass(frozen=True)
class _Failure:
    error: str
    again: bool = True
    wait: float = 0.0  # seconds the server asked for


def _with_calls(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The conversation with its calls and their results as the protocol has them; what is no call stays text."""
    out: list[dict[str, Any]] = []
    called = ""
    for place, message in enumerate(messages):
        turn = parse_turn(message.content) if message.role == "assistant" else None
        found = RESPONSE.match(message.content) if message.role == "user" and called else None
        if turn and turn.call:
            called = f"call_{place}"
            function = {"name": turn.call.tool, "arguments": json.dumps(turn.call.arguments, ensure_ascii=False)}
            calls = [{"id": called, "type": "function", "function": function}]
            thought = f"<think>\n{turn.think}\n</think>" if turn.think else ""
            out.append({"role": "assistant", "content": thought, "tool_calls": calls})
            continue
        if found:
            out.append({"role": "tool", "tool_call_id": called, "content": found[1]})
            if rest := message.content[found.end() :].strip():
                out.append({"role": "user", "content": rest})
        else:
            out.append(message.model_dump())
        called = ""
    return out


def _as_text(call: dict[str, Any]) -> str:
    """A call that the server has taken out of the turn, in the dialect."""
    function = call["function"]
    name, arguments = function["name"], function["arguments"]
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # else the dialect has a name for what is wrong with it
            arguments = json.loads(arguments)
    body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"


def _reply(body: dict[str, Any]) -> Reply:
    """The first choice as a Reply. Raises LookupError, TypeError, ValueError or AttributeError for anything else."""
    choice = body["choices"][0]
    message = choice["message"]
    text = message.get("content") or ""
    if isinstance(text, list):
        text = "".join(part.get("text") or "" for part in text)
    thinking = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(text, str) or not isinstance(thinking, str):
        raise TypeError("the content is no text")
    if thinking and "</think>" not in text:  # the server took the thinking out of the turn: put it back
        text = f"<think>\n{thinking.strip()}\n</think>\n{text.lstrip()}"
    if calls := message.get("tool_calls"):
        text = "\n".join([text, *map(_as_text, calls)])
    usage = body.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Reply(
        text=text.partition(STOP)[0],
        finish="length" if choice.get("finish_reason") == "length" else "stop",
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
    )


def _fault(error: str) -> Fault:
    return Fault(where="model", error=error)


def _reason(error: Exception) -> str:
    """What went wrong, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _message(response: httpx.Response) -> str:
    """What an error response says, in one short line."""
    try:
        error = json.loads(response.content)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        text = response.text
    return " ".join(str(text).split())[:200] or "nothing"


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(max(0.0, float(response.headers.get("Retry-After", ""))), _LONGEST_PAUSE)
    except ValueError:
        return 0.0
