"""Which tasks the next stage trains on: a small filter language over a rated task's fields, balance, and reasons.

A filter is one expression of comparisons joined by `and`, `or`, `not`: `1 <= correct <= 7 and capability != "direct"`.
Names are fields of the task; a comparison with a field that a task does not have is false, but for `field == None`.
"""

import ast
import operator
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from lite.errors import UsageError
from lite.records import Task

Fields = dict[str, Any]
Test = Callable[[Fields], Any]
_LONGEST = 1000  # characters of an expression


class _Absent:
    """What a field is that a task does not have: no value, and nothing that holds of one holds of it."""

    def __bool__(self) -> bool:
        return False


_ABSENT = _Absent()

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}


def read_filter(expression: str, known: Sequence[str]) -> Test:
    """The test that `expression` is, for tasks with the fields `known`.

    Raises:
        UsageError: it is no expression of the filter language, or names a field that no task has.
    """
    try:
        tree = ast.parse(expression.strip() if len(expression) <= _LONGEST else "", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            f'{expression[:80]!r} is no filter: write something like "1 <= correct <= 7 and hops > 1"'
        ) from None
    return _test(tree, known)


def _test(node: ast.expr, known: Sequence[str]) -> Test:
    if isinstance(node, ast.BoolOp):
        parts = [_test(value, known) for value in node.values]
        every = isinstance(node.op, ast.And)
        return lambda fields: (all if every else any)(bool(part(fields)) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _test(node.operand, known)
        return lambda fields: not inner(fields)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        negative = -node.operand.value if isinstance(node.operand.value, int | float) else None
        if negative is not None:
            return lambda _: negative
    if isinstance(node, ast.Compare):
        return _comparison(node, known)
    if isinstance(node, ast.Name):
        return _field(node.id, known)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bool | None):
        constant = node.value
        return lambda _: constant
    if isinstance(node, ast.Tuple | ast.List):
        members = [_test(value, known) for value in node.elts]
        return lambda fields: [member(fields) for member in members]
    raise UsageError(
        f"a filter compares fields with values, joined by and, or, not; it has no {type(node).__name__.lower()}"
    )


def _comparison(node: ast.Compare, known: Sequence[str]) -> Test:
    for op in node.ops:
        if type(op) not in _COMPARE:
            raise UsageError("a filter compares with ==, !=, <, <=, >, >=, in and not in only")
    parts = [_test(value, known) for value in (node.left, *node.comparators)]
    ops = [_COMPARE[type(op)] for op in node.ops]

    def holds(fields: Fields) -> bool:
        values = [list(value) if isinstance(value, tuple) else value for value in (part(fields) for part in parts)]
        if None in values:  # it is asked whether the field is there
            values = [None if value is _ABSENT else value for value in values]
        if any(value is _ABSENT or (isinstance(value, list) and _ABSENT in value) for value in values):
            return False
        try:
            return all(op(a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
        except TypeError:  # a number with a word
            return False

    return holds


def _field(name: str, known: Sequence[str]) -> Test:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)[:20])}"
        raise UsageError(f"no task has a field {name}: {hint}")
    return lambda fields: _ABSENT if fields.get(name) is None else fields[name]


def select(
    tasks: Sequence[Task],
    *,
    keep: str | None = None,
    not_closed_book: bool = False,
    balance: Sequence[str] = (),
    limit: int | None = None,
) -> list[Task]:
    """The tasks that a stage trains on, each with the reason (`why`) that it is in.

    Args:
        keep: a filter; None keeps all.
        not_closed_book: leave out what the model answered without searching, and what it was not asked so.
        balance: fields; as many tasks of every combination of their values, as far as there are.
        limit: at most so many.

    Raises:
        UsageError: the filter is none, a field is not known, or the tasks are not rated where ratings are asked for.
    """
    fields = [task.model_dump() for task in tasks]
    known = sorted({name for one in fields for name in one})
    test = read_filter(keep, known) if keep else None
    if not_closed_book and not any(one.get("closed_tries") for one in fields):
        raise UsageError("these tasks have had no closed-book pass: rate them with `lite tasks rate` first")
    for name in balance:
        _field(name, known)
    chosen: list[tuple[Task, Fields, str]] = []
    for task, one in zip(tasks, fields, strict=True):
        failed_closed = one.get("closed_tries") and not one.get("closed_correct")
        if (not_closed_book and not failed_closed) or (test is not None and not test(one)):
            continue
        chosen.append((task, one, _reason(one, keep, not_closed_book=not_closed_book, balance=balance)))
    chosen = _balanced(chosen, balance, limit) if balance else chosen[:limit]
    return [task.model_copy(update={"why": why}) for task, _, why in chosen]


def _reason(fields: Fields, keep: str | None, *, not_closed_book: bool, balance: Sequence[str]) -> str:
    parts = []
    if fields.get("tries") and "correct" in fields:
        parts.append(f"{fields['correct']} of {fields['tries']} tries right")
    if not_closed_book:
        parts.append("not answered closed-book")
    if balance:
        parts.append(", ".join(f"{name} {fields.get(name)}" for name in balance))
    return "; ".join([*([f"keep {keep}"] if keep else []), *parts]) or "all are kept"


def _balanced(
    chosen: list[tuple[Task, Fields, str]], balance: Sequence[str], limit: int | None
) -> list[tuple[Task, Fields, str]]:
    """One of each group in turn, until `limit`; without one, until the smallest group is empty."""
    groups: dict[tuple[Any, ...], list[tuple[Task, Fields, str]]] = {}
    for one in chosen:
        groups.setdefault(tuple(str(one[1].get(name)) for name in balance), []).append(one)
    if not groups:
        return []
    most = max(map(len, groups.values())) if limit is not None else min(map(len, groups.values()))
    turns = (group[at] for at in range(most) for _, group in sorted(groups.items()) if at < len(group))
    taken = [one for _, one in zip(range(len(chosen) if limit is None else limit), turns, strict=False)]
    place = {id(one[0]): at for at, one in enumerate(chosen)}
    return sorted(taken, key=lambda one: place[id(one[0])])
