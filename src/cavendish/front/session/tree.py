"""Tree: the turns of a session, and which of them can be gone on from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...errors import RequestError
from .record import TurnRecord, words_of

WORDS_CHARS = 60
"""Of what was said, in a line of the tree."""
BEGINNING = 0
"""In place of a turn's number: before all of them."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Turns by number, in order. ``problems`` are those that cannot be read, and why; ``last`` the highest number."""

    records: Mapping[int, TurnRecord]
    problems: Mapping[int, str]
    last: int = 0

    @property
    def answered(self) -> Sequence[TurnRecord]:
        """The turns that can be gone on from."""
        return [record for record in self.records.values() if record.answered is not None]

    @property
    def unfinished(self) -> Sequence[TurnRecord]:
        """The turns that were asked and whose answer is not known."""
        return [record for record in self.records.values() if record.reply is None]

    def chain(self, last: int | None) -> list[TurnRecord]:
        """The turns that lead to one, the first of them first, and itself."""
        found: list[TurnRecord] = []
        while last is not None:
            found.append(self.records[last])
            last = self.records[last].parent
        return found[::-1]

    def find(self, number: int) -> TurnRecord:
        """The turn of a number. Raises ``RequestError`` when there is none, or it cannot be read."""
        if number in self.records:
            return self.records[number]
        raise RequestError(self._why_not(number), field="turn", hints=(_those("turns", self.records),))

    def to_follow(self, number: int | None) -> int | None:
        """The turn to go on from: the one that was named, else the last with a picture. ``None`` is the beginning.

        Raises ``RequestError`` for a turn that there is not, or that has no picture.
        """
        can = [record.number for record in self.answered]
        if number is None:
            return can[-1] if can else None
        if number == BEGINNING:
            return None
        if number in can:
            return number
        raise RequestError(self._why_not(number), field="turn", hints=(_those("turns with a picture", can),))

    def _why_not(self, number: int) -> str:
        if number in self.problems:
            return f"turn {number} cannot be read: {self.problems[number]}"
        if number not in self.records:
            return f"there is no turn {number}"
        why = "has no answer yet" if self.records[number].reply is None else "ended without a picture"
        return f"turn {number} {why}, so nothing can follow it"

    def branches(self) -> Iterator[tuple[str, TurnRecord]]:
        """Each turn with the strokes that stand before it when the tree is drawn, parents before children."""
        children: dict[int | None, list[TurnRecord]] = {}
        for record in self.records.values():
            children.setdefault(record.parent, []).append(record)
        # From the last to the first, since a stack gives back the newest; no depth is too great for it.
        waiting = [("", record) for record in reversed(children.get(None, []))]
        while waiting:
            indent, record = waiting.pop()
            yield indent, record
            below = children.get(record.number, [])
            # A conversation without forks stays at one depth, however long it is.
            deeper = indent if len(below) == 1 else indent + "  "
            waiting += [(deeper, child) for child in reversed(below)]


def _those(what: str, numbers: Iterable[int]) -> str:
    return f"{what}: {', '.join(map(str, numbers)) or 'none'}"


def sound(records: Mapping[int, TurnRecord]) -> dict[int, str]:
    """Turns of a folder that hang on nothing, and why: a turn before them is missing."""
    lost: dict[int, str] = {}
    for number, record in records.items():
        parent = record.parent
        if parent is not None and (parent not in records or parent >= number or parent in lost):
            lost[number] = f"turn {parent}, which it follows, cannot be read"
    return lost


def shortened(record: TurnRecord) -> str:
    """What the user said, as far as a line has room for it."""
    words = words_of(record)
    return words if len(words) <= WORDS_CHARS else f"{words[: WORDS_CHARS - 3]}..."
