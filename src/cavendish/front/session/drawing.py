"""Drawing: sessions and their turns as lines for people and as values for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ...errors import FolderError
from ...model.money import as_float, dollars
from ...model.usage import Usage
from ..folder.summary import money, plural
from .record import TurnRecord
from .store import SessionCard, SessionStore
from .tree import Tree, shortened
from .turn import SessionTurn

HEAD = ("SESSION", "TURNS", "COST", "BEGUN", "LATEST WORDS")


@dataclass(frozen=True, slots=True)
class Sums:
    """One session in a list. ``problem`` is why it cannot be read."""

    name: str
    folder: str
    created: float = 0.0
    turns: int = 0
    cost_nusd: int = 0
    latest: str = ""
    problem: str = ""

    def row(self) -> tuple[str, ...]:
        """For ``HEAD``."""
        if self.problem:
            return self.name, "", "", "", self.problem
        return self.name, str(self.turns), dollars(self.cost_nusd, 2), _day(self.created), self.latest

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars as numbers."""
        return {
            "name": self.name,
            "folder": self.folder,
            "created": self.created,
            "turns": self.turns,
            "cost": as_float(self.cost_nusd),
            "latest": self.latest,
            "problem": self.problem or None,
        }


def sums_of(store: SessionStore) -> Sums:
    """A session in a list; one that cannot be read is in it, too."""
    name, folder = store.root.name, str(store.root)
    try:
        card, tree = store.card(), store.load()
    except FolderError as error:
        return Sums(name, folder, problem=error.message)
    records = list(tree.records.values())
    latest = shortened(records[-1]) if records else ""
    return Sums(name, folder, card.created, len(records), sum(r.cost_nusd for r in records), latest)


def told_of(store: SessionStore, card: SessionCard, tree: Tree) -> dict[str, Any]:
    """A session with all its turns, for programs."""
    return {
        "name": store.root.name,
        "folder": str(store.root),
        "created": card.created,
        "defaults": dict(card.defaults),
        "origin": card.origin or None,
        "cost": as_float(sum(record.cost_nusd for record in tree.records.values())),
        "turns": [SessionTurn.of(store, record).to_json() for record in tree.records.values()],
        "problems": {str(number): why for number, why in tree.problems.items()},
    }


def lines_of(store: SessionStore, card: SessionCard, tree: Tree) -> Iterator[str]:
    """A session with its tree of turns, for people."""
    records = tree.records.values()
    yield f"{store.root.name}, begun {_day(card.created)}, in {store.root}"
    if card.origin:
        yield f"fork of {card.origin}"
    for name, value in card.defaults.items():
        yield f"{name}: {', '.join(cast('list[str]', value)) if isinstance(value, list) else value}"
    if any(record.simulated for record in records):
        yield "simulated: no provider was called and nothing was spent"
    for indent, record in tree.branches():
        yield f"{indent}{record.number}  {shortened(record)}"
        yield f"{indent}   {_answer(store, record)}"
    yield from (f"turn {number} cannot be read: {why}" for number, why in tree.problems.items())
    cost = _cost(sum(record.cost_nusd for record in records), all(record.cost_known for record in records))
    yield f"{plural(len(records), 'turn')}, {cost}"


def _answer(store: SessionStore, record: TurnRecord) -> str:
    turn = SessionTurn.of(store, record)
    if turn.unfinished:
        return "no answer yet: say the same again to go on with it"
    place = turn.failure.kind.value if turn.failure else turn.path.name if turn.path else ""
    said = f', said "{" ".join(turn.text.split())}"' if turn.text else ""
    return f"{place}, {turn.route}, {_cost(record.cost_nusd, record.cost_known)}{said}"


def turn_lines(turn: SessionTurn) -> Iterator[str]:
    """One turn with all that is known of it, for people."""
    record = turn.value
    after = "at the beginning" if turn.parent is None else f"after turn {turn.parent}"
    yield f"turn {turn.number}, {after}, {time.strftime('%Y-%m-%d %H:%M', time.localtime(record.created))}"
    yield f"you: {turn.prompt}"
    if turn.unfinished:
        yield "no answer yet: say the same again to go on with it"
        return
    yield from (f"thought: {line}" for line in turn.thoughts.splitlines())
    yield from (f"it said: {line}" for line in turn.text.splitlines())
    if turn.failure:
        yield f"no picture: {': '.join(filter(None, (turn.failure.kind.value, turn.failure.message)))}"
    elif turn.path is not None and record.size is not None:
        yield f"picture: {turn.path} ({record.size[0]}x{record.size[1]})"
    yield f"by {turn.route}, {plural(record.attempts, 'attempt')}, {_cost(record.cost_nusd, record.cost_known)}"
    yield _used(turn.usage)
    if note := turn.grounding:
        yield from (f"searched: {query}" for query in (*note.web_queries, *note.image_queries))
        yield from (f"source: {source.title} {source.page}" for source in note.sources)
    yield from (f"note: {notice.text}" for notice in turn.notices)


def _used(usage: Usage) -> str:
    return (
        f"tokens: {usage.input_tokens:,} in, {usage.output_image_tokens:,} for pictures, "
        f"{usage.output_text_tokens:,} for words, {usage.thought_tokens:,} for thoughts"
    )


def _cost(cost_nusd: int, known: bool) -> str:
    return money(cost_nusd) if known else f"at least {money(cost_nusd)}"


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))
