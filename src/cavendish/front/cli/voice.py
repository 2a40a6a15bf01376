"""Voice: how the command line speaks. Data goes to stdout, everything else to stderr; an error says what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import orjson

from ...errors import BatchInputError, CavendishError, InputError, RunStopped
from ...model.fault import FaultKind
from ...model.request import Notice


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    ALL = 0
    NOTHING = 1
    USAGE = 2
    SOME = 3
    STOPPED = 4
    INTERRUPTED = 130


STOPPED_BY_QUOTA = frozenset(
    {
        FaultKind.BUDGET,
        FaultKind.RATE_LIMITED,
        FaultKind.DAY_QUOTA,
        FaultKind.SPEND_LIMIT,
        FaultKind.NO_CREDIT,
        FaultKind.NO_QUOTA,
    }
)
"""Faults that end a run because a budget or a quota is spent."""


def say(text: str = "") -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def data(value: Any) -> None:
    """A JSON value for programs, on stdout, one line."""
    try:
        line = orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:  # half a character, which a model may write and orjson does not
        line = json.dumps(value, default=str)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns on stdout, as wide as they need to be."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def notices(found: Iterable[Notice]) -> None:
    """Each notice once."""
    for text in dict.fromkeys(notice.text for notice in found):
        say(f"note: {text}")


def error(problem: CavendishError) -> None:
    """What was wrong, where, and what to do."""
    say(f"error: {_placed(problem)}")
    if problem.hints:
        say()
        for hint in problem.hints:
            say(f"hint: {hint}")


def exit_code_of(problem: CavendishError) -> Exit:
    """The exit code of a command that ended with this error."""
    if isinstance(problem, InputError):
        return Exit.USAGE
    if isinstance(problem, RunStopped) and problem.fault.kind in STOPPED_BY_QUOTA:
        return Exit.STOPPED
    return Exit.NOTHING


def _placed(problem: CavendishError) -> str:
    if isinstance(problem, BatchInputError) and problem.path and problem.path not in problem.message:
        place = problem.path if problem.line is None else f"{problem.path}, line {problem.line}"
        return f"{place}: {problem.message}"
    return problem.message
