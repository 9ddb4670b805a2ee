"""Is a task sound? Every check has a name; the first that fails is the reason. All of it is done again from the pages.

The paper's seven rules are among them: self-contained, specific, unambiguous, answerable, closed (not open-ended),
not trivial, and bound to a time where one is needed. What no program can judge is left to a judge model, if there is
one.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lite.models import Model
from lite.records import Task
from lite.reward import contains_answer, members, tokens
from lite.tasks.chinese import is_chinese
from lite.tasks.derive import Answer, Node, Underivable, derive, hops, nodes, over_all, tables_in
from lite.tasks.facts import Told, fact_store
from lite.tasks.ground import Ground, Pages
from lite.tasks.judging import Rejected, judge
from lite.tasks.spell import spellings
from lite.tasks.values import plain_number, same_text
from lite.world import World

_DAY = re.compile(
    r"\b(?:current(?:ly)?|today|nowadays|right now|as of now|to date|so far|at present|latest|upcoming"
    r"|this (?:year|season|month))\b",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"\b(?:this|that|these|those|the above|the following) (?:table|list|page|article|section)\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"^(?:why|describe|explain|discuss|how (?:do|does|did|can|should) (?!.*\b(?:many|much)\b)|what do you)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(r"(?:List|Name|Give|Find|Count) |Of the .*, list all ")
_YES_NO = {"yes", "no", "true", "false", "none", "unknown", "n a"}
_WORDS = (25, 10)  # of a question, and for each hop
_LONGEST = 8  # words of an answer, or of a member of a list


def check_all(
    world: World, tasks: Sequence[Task], model: Model | None = None, progress: Told | None = None
) -> tuple[list[Task], dict[str, Rejected]]:
    """The tasks that are sound in `world`, and of the others, by id, why not. A model judges what no program can."""
    sound: list[Task] = []
    rejected: dict[str, Rejected] = {}
    store = fact_store(world)
    checker, look = Checker(world, Ground(store)), judge(model) if model else None
    for count, task in enumerate(tasks, 1):
        verdict = checker.check(task) or (look(task) if look else task)
        if isinstance(verdict, Rejected):
            rejected[task.id] = verdict
        else:
            sound.append(verdict)
        if progress:
            progress(count, len(tasks))
    store.close()
    return sound, rejected


class Checker:
    """Checks tasks against a world and its fact store."""

    def __init__(self, world: World, ground: Ground) -> None:
        self.world = world
        self.ground = ground
        self.pages = Pages(world)

    def check(self, task: Task) -> Rejected | None:
        """The first check that `task` fails, None where it passes them all."""
        for failed in self._checks(task):
            if failed is not None:
                return failed
        return None

    def _checks(self, task: Task) -> Iterator[Rejected | None]:
        yield _specific(task)
        yield worded_badly(task)
        yield self._masked(task)
        yield from self._against_pages(task)
        yield self._first_result(task)

    def _against_pages(self, task: Task) -> Iterator[Rejected | None]:
        node = task.derivation
        if not node:
            yield Rejected("answerable", "it has no derivation")
            return
        try:
            found = derive(node, self.pages)
        except Underivable as error:
            yield Rejected("answerable", str(error))
            return
        yield self._evidence(task, found)
        expected = spellings(node, found, self.ground, task.unit or "")
        if not expected or {same_text(a) for a in expected[:1]} != {same_text(task.answers[0])}:
            yield Rejected("answerable", f"the pages give {expected[:1]}, not {task.answers[0]!r}")
        yield self._unambiguous(node)
        yield self._complete(node)
        yield self._self_contained(task, node)
        yield self._not_trivial(node, found)
        if task.hops != hops(node):
            yield Rejected("hops", f"it claims {task.hops} hops, its derivation has {hops(node)}")

    def _evidence(self, task: Task, found: Answer) -> Rejected | None:
        needed = {item.url for item in found.rests_on}
        elsewhere = (task.model_extra or {}).get("found_at") or ()
        if elsewhere:  # its own pages are masked: another page has to say the answer
            needed -= set(task.mask)
            if not any(says_answer(self.pages.text(url), task) for url in elsewhere):
                return Rejected("masked", "no page that is left says the answer")
        if missing := needed - set(task.evidence):
            return Rejected("evidence", f"{min(missing)} is not among its evidence")
        for url in task.evidence:
            if not self.pages.text(url):
                return Rejected("evidence", f"{url} is not in this world, or has changed")
        for url, start, end in task.spans:
            if not 0 <= start < end <= len(self.pages.text(url)):
                return Rejected("evidence", f"a span lies outside {url}")
        return None

    def _unambiguous(self, node: Node) -> Rejected | None:
        """Each table and each page must be the only one that the question's words can mean."""
        for url, nth in tables_in(node):
            sheet = self.pages.sheet(url, nth)
            if sheet is None or not self.ground.nameable(sheet):
                return Rejected("unambiguous", "another table goes by the same name")
        for part in nodes(node):
            if part.get("op") == "fact" and isinstance(part["page"], str) and not self.ground.named_alone(part["page"]):
                return Rejected("unambiguous", "another page goes by the same name")
        return None

    def _complete(self, node: Node) -> Rejected | None:
        """What is counted, added up or compared must all be there: tables that were cut off are no ground for it."""
        for url, nth in dict.fromkeys(place for part in nodes(node) if over_all(part) for place in tables_in(part)):
            sheet = self.pages.sheet(url, nth)
            if sheet and not self.ground.whole(sheet):
                return Rejected("complete", f"the table ends at row {len(sheet.rows)}, as all long ones here do")
        return None

    def _self_contained(self, task: Task, node: Node) -> Rejected | None:
        missing = next(unsaid(task.question, node, self.pages.sheet, self.ground), None)
        if missing:
            return Rejected("self-contained", f"the question does not say {missing!r}")
        return None

    def _not_trivial(self, node: Node, found: Answer) -> Rejected | None:
        """A column that says the same in every row answers before one has looked."""
        if node["op"] == "find":
            sheet = self.pages.sheet(*node["table"])
            at = sheet.header.index(node["get"]) if sheet else 0
            if sheet and len({same_text(row[at].text) for row in sheet.rows}) < 2:
                return Rejected("not trivial", "every row says the same")
        if found.number == 0 and node["op"] != "difference":
            return Rejected("not trivial", "the answer is zero")
        return None

    def _first_result(self, task: Task) -> Rejected | None:
        """More than one hop is claimed: then the first search result must not show the answer."""
        if (task.hops or 1) < 2:
            return None
        hits = self.world.search(task.question, 1).hits
        shown = f"{hits[0].title}\n{hits[0].snippet}" if hits else ""
        if says_answer(shown, task):
            return Rejected("first result", f"{hits[0].url} shows the answer in the search results")
        return None

    def _masked(self, task: Task) -> Rejected | None:
        if not task.mask:
            return None
        hidden = [url for url in task.evidence if not self.world.visit(url, mask=task.mask).found]
        if hidden:
            return Rejected("masked", f"{hidden[0]} is needed and masked")
        return None


def says_answer(text: str, task: Task) -> bool:
    """Whether `text` says the answer of `task`: one of its spellings, or every member of a list."""
    if task.answer_type != "list":
        return any(contains_answer(text, answer) for answer in task.answers)
    parts = members(task.answers[0])
    return bool(parts) and all(contains_answer(text, part) for part in parts)


def _specific(task: Task) -> Rejected | None:
    if not task.answers or not task.answers[0].strip():
        return Rejected("specific", "there is no answer")
    parts = members(task.answers[0]) if task.answer_type == "list" else task.answers[:1]
    for part in parts:
        if same_text(part) in _YES_NO:
            return Rejected("specific", "the answer is yes, no or nothing")
        if set(part) & set("()[]{}"):
            return Rejected("specific", "the answer has something in brackets")
        if len(part.split()) > _LONGEST or len(part) > 80:
            return Rejected("specific", "the answer is longer than a phrase")
    if task.answer_type == "list" and len(parts) < 2:
        return Rejected("specific", "a list of one")
    return None


def worded_badly(task: Task) -> Rejected | None:
    """What the words of a question alone show."""
    return (
        names_answer(task)
        or says_a_step(task)
        or _bound_to_time(task)
        or _dangling(task)
        or _closed(task)
        or _readable(task)
    )


def names_answer(task: Task) -> Rejected | None:
    """Whether the question says its answer, or a part of it that gives it away."""
    parts = members(task.answers[0]) if task.answer_type == "list" else list(task.answers)
    said = [part for part in parts if tokens(part) and contains_answer(task.question, part)]
    if said:
        return Rejected("names its answer", f"the question says {said[0]!r}")
    if task.answer_type == "name" and not is_chinese(
        task.answers[0]
    ):  # "San Diego State" gives "San Diego State University" away
        words = {word for word in tokens(task.answers[0]) if len(word) > 3} or set(tokens(task.answers[0]))
        for given in _literals(task.derivation or {}, task.question):
            if words & set(tokens(given)):
                return Rejected("names its answer", f"the question says {given!r}")
    return None


def _literals(node: Node, question: str) -> Iterator[str]:
    """The names and values that a derivation is asked by; of a page, the whole question, which is about it."""
    for part in nodes(node):
        if part.get("op") == "fact" and isinstance(part["page"], str) and node.get("op") == "fact":
            yield question
        for *_, what in filter(None, part.get("where", ())):  # whether it holds in the world is looked at later
            if isinstance(what, str) and tokens(what):
                yield what


def says_a_step(task: Task) -> Rejected | None:
    """Whether the question names what it only describes."""
    hidden: Any = (task.model_extra or {}).get("unsaid") or ()
    if same_text(task.answers[0]) in {same_text(name) for name in hidden}:
        return Rejected("says a step", f"{task.answers[0]!r} is described in the question and asked for")
    said = [name for name in hidden if tokens(name) and contains_answer(task.question, name)]
    return Rejected("says a step", f"the question says {said[0]!r}, which it describes") if said else None


def _bound_to_time(task: Task) -> Rejected | None:
    found = _DAY.search(task.question)
    return Rejected("bound to time", f"{found[0]!r} depends on the day") if found else None


def _dangling(task: Task) -> Rejected | None:
    found = _DANGLING.search(task.question)
    return Rejected("self-contained", "it points at something outside itself") if found else None


def _closed(task: Task) -> Rejected | None:
    if not {"?", "\uff1f"} & set(task.question) and not _TOLD.match(task.question):
        return Rejected("closed", "it is no question")
    return Rejected("closed", "it is open-ended") if _OPEN.match(task.question) else None


def _readable(task: Task) -> Rejected | None:
    """A question that has to be read twice is not one to give a colleague; of several hops, more is to be said."""
    words, most = len(task.question.split()), _WORDS[0] + _WORDS[1] * (task.hops or 1)
    return Rejected("readable", f"{words} words for {task.hops or 1} hops") if words > most else None


def unsaid(  # noqa: C901  # one case after the other
    question: str, node: Node, sheet_of: Callable[[str, int], Any], ground: Ground
) -> Iterator[str]:
    """Names, numbers and tables of a derivation that `question` does not say."""
    said = f" {same_text(question)} "

    def missing(text: str) -> bool:
        folded = same_text(text)
        return folded not in said if is_chinese(text) else f" {folded} " not in said

    for part in nodes(node):
        if part.get("op") == "find":
            sheet = sheet_of(*part["table"])
            for title in (sheet.title, *sheet.heading) if sheet else ():
                bare = re.sub(r"^Lists? of ", "", title)
                if missing(bare):
                    yield title
            for _, _, what in part["where"]:
                if isinstance(what, str) and missing(what):
                    yield what
                if (
                    isinstance(what, int | float)
                    and missing(plain_number(what))
                    and missing(plain_number(what).replace(",", ""))
                ):
                    yield f"{what:g}"
        elif part.get("op") == "fact" and isinstance(part["page"], str):
            name = ground.named_alone(part["page"]) or ""
            if missing(name):
                yield name
