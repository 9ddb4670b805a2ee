"""The scripted expert: a model that carries out plans, in varied words, from nothing but what it has been shown."""

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from random import Random

from lite.dialect import ASK_FOR_ANSWER, RESPONSE, quote, render_turn
from lite.index.text import plain
from lite.memory import Count
from lite.recipe import ColdStart
from lite.records import Call, Fault, Generate, Message, Reply
from lite.reward import contains_answer
from lite.train.plan import Look, Plan

_FOLLOWS = 0.7  # share of pages whose address has been shown already that are visited without a search
_LONGEST = 25  # words of a thought before a call, where what was found can be said in so few
_NAMES = 8  # that a goal names
_ABSTAINS = "unknown"

_FIRST = (
    "I need the {wanted}. I search for it.",
    "First I look for the {wanted}.",
    "I have to find the {wanted}, so I search.",
    "Let me search for the {wanted}.",
    "The {wanted}: a search should bring up the page.",
    "I look up the {wanted}.",
)
_NEXT = (
    "Now I need the {wanted}.",
    "Next, the {wanted}.",
    "Now I search for the {wanted}.",
    "I still need the {wanted}.",
    "Then I look up the {wanted}.",
)
_HASTY = (
    "I try a short query for the {wanted}.",
    "Maybe a few words are enough to find the {wanted}.",
    "I start with a broad search for the {wanted}.",
)
_MISSED = (
    "None of these is {title}. I search for it by name.",
    "That was too vague. I need {title}, so I say so.",
    "{title} is not among the results. Another query.",
    "The page I need is not there. I search for {title}.",
    "Wrong pages. A better query names {title}.",
)
_FOUND = (
    "{title} is among the results. I visit it.",
    "The page {title} should have it. I open it.",
    "{title} is what I need; I read the page.",
    "There is {title}. I visit it to be sure.",
    "Result: {title}. I look at the page itself.",
    "I open {title} to check it.",
)
_FOUND_ALL = (
    "{title} are among the results. I visit them.",
    "I open {title}.",
    "Results: {title}. I look at the pages themselves.",
    "{title} should have it. I read both.",
)
_FOLLOWED = (
    "The link to {title} is there, so I visit it for the {wanted}.",
    "{title} is linked. I open it for the {wanted}.",
    "I have the address of {title}; I visit it.",
    "I follow the link to {title} for the {wanted}.",
)
_GOALS = ("{wanted}", "find the {wanted}", "the {wanted}", "look for the {wanted}")
_SO = (
    "So the answer is {answer}.",
    "That answers the question.",
    "The page says so: {answer}.",
    "I have it: {answer}.",
)
_SHOWN = (
    "A result says so: {answer}.",
    "The results show it already: {answer}.",
    "I need not open it: {answer}.",
)
_LOST = (
    "I cannot find the {wanted} here, and I will not guess.",
    "The {wanted} does not turn up. I do not know.",
    "I was not shown the {wanted}, so I cannot answer.",
)


@dataclass(frozen=True)
class _Seen:
    """What stands before a turn: the last observation, and everything in the window."""

    last: str
    window: str


class Expert:
    """A model that plays plans; what it does depends on the plan, on what it is shown, and on a seed.

    Args:
        plan: the plan of a task, by its id; None where there is none: the expert abstains.
        cold: says how many episodes begin one look-up with a hasty query, how many begin with the question as it is,
            how many pages one call asks for, and how often a result that shows what is needed is not visited.
        seed: with the conversation's name, decides every choice of words.
        context: window in tokens.
        count: tokens of the prompt that some messages make, by the model that is to learn from it.
    """

    def __init__(
        self, plan: Callable[[str], Plan | None], cold: ColdStart, *, seed: int, context: int, count: Count
    ) -> None:
        self.name = "expert"
        self.context = context
        self._count = count
        self._plan = plan
        self._seed, self._cold = seed, cold
        self._playing: dict[str, Generator[str, _Seen, None]] = {}

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """The next turn of each conversation. Conversations go on in order, turn by turn."""
        return [self._reply(request) for request in requests]

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages make, by the model that is to learn."""
        return self._count(messages)

    def close(self) -> None:
        """Forget the conversations under way."""
        self._playing.clear()

    def _reply(self, request: Generate) -> Reply | Fault:
        if request.form == "free":
            return Fault(where="model", error="the expert writes turns only: choose a memory that no model writes")
        used = self.count(request.messages)
        text = self._next(request)
        said = Message(role="assistant", content=text)
        length = max(1, self.count([*request.messages, said]) - used)
        room = min(request.max_tokens, self.context - used)
        fits = length <= room
        return Reply(
            text=text if fits else text[: len(text) * max(0, room) // length],
            finish="stop" if fits else "length",
            prompt_tokens=used,
            completion_tokens=min(length, room),
        )

    def _next(self, request: Generate) -> str:
        said = [message.content for message in request.messages if message.role != "system"]
        if said[-1].endswith(ASK_FOR_ANSWER):
            self._playing.pop(request.conversation, None)
            return render_turn("I have not found it in time.", answer=_ABSTAINS)
        if request.number == 0:
            rng = Random(f"{self._seed} {request.conversation}")  # noqa: S311  # words, no secrets
            plan = self._plan(request.conversation.rpartition("/")[0])
            detour = rng.randrange(len(plan.looks)) if plan and rng.random() < self._cold.detours else None
            asked = said[-1] if _falls(self._cold.verbatim, rng) else None
            self._playing[request.conversation] = _play(plan, rng, detour, asked, self._cold)
            return next(self._playing[request.conversation])
        found = RESPONSE.match(said[-1])
        seen = _Seen(plain(found[1] if found else said[-1]), "\n".join(said))
        try:
            return self._playing[request.conversation].send(seen)
        except StopIteration:  # its last turn was cut off for length: nothing is left to say
            return render_turn("There was no room for my answer.", answer=_ABSTAINS)


def _play(
    plan: Plan | None, rng: Random, detour: int | None, asked: str | None, cold: ColdStart
) -> Generator[str, _Seen, None]:
    """The turns of one episode, each answered by what stands before the next. `asked` is its first query, if given."""
    if plan is None:
        yield render_turn("I do not see how to look this up.", answer=_ABSTAINS)
        return
    note, names, seen, so = "", (), _Seen("", ""), _SO
    for first, looks in _grouped(plan.looks, cold.together):
        shown = all(_address(look) in seen.window for look in looks)
        if not (first and shown and rng.random() < _FOLLOWS):
            hasty = detour is not None and first <= detour < first + len(looks)
            seen = yield from _search(looks, rng, note, seen, asked if first == 0 else None, hasty=hasty)
            if lost := [look for look in looks if _address(look) not in seen.window]:
                yield _give_up(lost, rng)
                return
            last = first + len(looks) == len(plan.looks)
            if last and _said(looks, seen) and _falls(cold.snippets, rng):
                note, so = " ".join(look.says for look in looks), _SHOWN
                break
            note, think = "", _FOUND_ALL if len(looks) > 1 else _FOUND
        else:
            think = _FOLLOWED
        goal = f"which of these are listed: {', '.join(names)}" if looks[0].among else rng.choice(_GOALS)
        goal = goal.replace("{wanted}", _wanted(looks))
        call = Call(tool="visit", arguments={"url": [look.url for look in looks], "goal": goal})
        seen = yield render_turn(_thought(think, looks, rng, note), call)
        names = tuple(name for look in looks for name in look.listed if contains_answer(seen.last, name))[:_NAMES]
        if lost := [look for look in looks if not all(contains_answer(seen.last, text) for text in look.needs)]:
            yield _give_up(lost, rng)
            return
        note = " ".join(look.says or _listed(names) for look in looks)
    if not all(contains_answer(plain(seen.window), text) for look in plan.looks for text in look.needs):
        yield _give_up(plan.looks[-1:], rng)  # memory has given up what it rests on
        return
    conclusion = plan.conclusion or rng.choice(so).format(answer=plan.answer)
    yield render_turn(f"{note} {conclusion}".strip(), answer=plan.answer)


def _grouped(looks: Sequence[Look], together: int) -> list[tuple[int, list[Look]]]:
    """Look-ups that one call can ask for, each group with the place of its first."""
    groups: list[tuple[int, list[Look]]] = []
    for nth, look in enumerate(looks):
        if groups and not look.after and len(groups[-1][1]) < together:
            groups[-1][1].append(look)
        else:
            groups.append((nth, [look]))
    return groups


def _search(
    looks: Sequence[Look], rng: Random, note: str, seen: _Seen, asked: str | None, *, hasty: bool
) -> Generator[str, _Seen, _Seen]:
    """Two searches at most until the pages' addresses are shown, and a hasty one before them."""
    queries = {look: [asked or rng.choice(look.queries[:-1] or look.queries), look.queries[-1]] for look in looks}
    hasty = hasty and any(look.vague for look in looks)
    if hasty:
        queries = {look: [rng.choice(look.vague or look.queries), *its] for look, its in queries.items()}
    tried: set[str] = set()
    for nth in range(2 + hasty):
        missing = [look for look in looks if not nth or _address(look) not in seen.window]
        fresh = [query for look in missing if (query := queries[look][nth]) not in tried]
        if not fresh:
            continue
        tried.update(fresh)
        forms = _MISSED if nth else _HASTY if hasty else _NEXT if note else _FIRST
        call = Call(tool="search", arguments={"query": list(dict.fromkeys(fresh))})
        seen = yield render_turn(_thought(forms, missing, rng, "" if nth else note), call)
        if all(_address(look) in seen.window for look in looks):
            break
    return seen


def _falls(share: float, rng: Random) -> bool:
    """Whether chance has it so. A share of nought draws no number, so that an episode's words are what they were."""
    return share > 0 and rng.random() < share


def _said(looks: Sequence[Look], seen: _Seen) -> bool:
    """Whether the last observation shows all that is needed, of look-ups that end in a statement."""
    return all(look.says and all(contains_answer(seen.last, text) for text in look.needs) for look in looks)


def _address(look: Look) -> str:
    return f"]({quote(look.url)})"  # as results and links have it: the whole address, not the head of a longer one


def _thought(forms: Sequence[str], looks: Sequence[Look], rng: Random, note: str) -> str:
    """One of the forms, behind what was found; a shorter one where that is long."""
    texts = [f"{note} {_filled(form, looks)}".strip() for form in rng.sample(forms, len(forms))]
    short = [text for text in texts if len(text.split()) <= _LONGEST]
    return short[0] if short else min(texts, key=lambda text: len(text.split()))


def _wanted(looks: Sequence[Look]) -> str:
    return " and the ".join(dict.fromkeys(look.wanted for look in looks))


def _filled(form: str, looks: Sequence[Look]) -> str:
    titles = " and ".join(look.title for look in looks)
    place = looks[0].place if len(looks) == 1 else f" on the pages {titles}" if looks[0].place else ""
    text = form.replace("{wanted}", _wanted(looks) + place).replace("{title}", titles)
    return re.sub(r"\bthe (the|The)\b", r"\1", text)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"I see {', '.join(names[:3])}{more}."


def _give_up(looks: Sequence[Look], rng: Random) -> str:
    return render_turn(_filled(rng.choice(_LOST), looks), answer=_ABSTAINS)
