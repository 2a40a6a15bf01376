"""Books: all that a run folder shows, drawn from the outcomes in one pass, each file whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...model.result import Failure, Outcome, Picture
from .atomic import replacing
from .compare import round_of, rounds_per_page
from .entries import failure_entry, line_of, metadata_entry
from .live import FAILURES, METADATA
from .sheet import PER_PAGE, card, page, page_name
from .summary import Summary
from .thumbs import Thumbs, in_order

FEW_PICTURES = 24
"""So few are shown themselves: a screenful of whole pictures opens as fast as their thumbs could be made."""
MANY_PICTURES = 5_000
"""More get no thumbs: making them would take longer than anybody looks at the sheet."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: counts, and the pages of the sheet by name."""

    pictures: int
    failures: int
    pages: tuple[str, ...]


def write_books(root: Path, outcomes: Iterable[Outcome], summary: Summary) -> Written:
    """Write ``metadata.jsonl``, ``failures.jsonl`` and the contact sheet. Blocks; run it in a thread.

    ``outcomes`` come in the order of their rows and are read once; of them, one page is held at a time. A file of an
    earlier drawing is replaced when the new one is whole. Raises ``OSError``; no file is ever half a file.
    """
    _sweep(root)
    with contextlib.ExitStack() as stack:
        metadata = stack.enter_context(replacing(root / METADATA))
        failures = stack.enter_context(replacing(root / FAILURES))
        sheet = _Sheet(root, summary)
        books = _Books(metadata, failures, simulated=summary.facts.simulated)
        for outcome, source in _with_sources(root, summary, outcomes):
            books.add(outcome)
            sheet.add(outcome, source)
        pages = sheet.close()
    if not books.failures:
        (root / FAILURES).unlink(missing_ok=True)
    for old in _later_pages(root, len(pages)):
        old.unlink(missing_ok=True)
    return Written(books.pictures, books.failures, pages)


def _with_sources(root: Path, summary: Summary, outcomes: Iterable[Outcome]) -> Iterable[tuple[Outcome, str]]:
    """Each outcome with what the sheet shows for it: the picture itself or its thumb, made on the way."""
    if not FEW_PICTURES < summary.delivered <= MANY_PICTURES:
        return ((outcome, outcome.blob.ref if isinstance(outcome, Picture) else "") for outcome in outcomes)
    thumbs = Thumbs(root)
    return in_order(outcomes, lambda outcome: thumbs.ensure(outcome) if isinstance(outcome, Picture) else "")


def _sweep(root: Path) -> None:
    """Remove what a process that was killed left half written."""
    for name in (METADATA, FAILURES, "index*.html"):
        for torn in root.glob(f".{name}.*.tmp"):
            torn.unlink(missing_ok=True)


def _later_pages(root: Path, pages: int) -> Iterator[Path]:
    number = pages + 1
    while (path := root / page_name(number)).exists():
        yield path
        number += 1


class _Books:
    """The two files of lines."""

    def __init__(self, metadata: BinaryIO, failures: BinaryIO, *, simulated: bool) -> None:
        self._metadata = metadata
        self._failed = failures
        self._simulated = simulated
        self.pictures = 0
        self.failures = 0

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failure):
            self.failures += 1
            self._failed.write(line_of(failure_entry(outcome)))
        else:
            self.pictures += 1
            self._metadata.write(line_of(metadata_entry(outcome, simulated=self._simulated)))


class _Sheet:
    """The pages of the contact sheet, each written when the next one begins or all is over.

    A page holds cards, or where models are compared rounds of cards.
    """

    def __init__(self, root: Path, summary: Summary) -> None:
        self._root = root
        self._summary = summary
        self._models = summary.facts.models
        self._per_page = rounds_per_page(len(self._models)) if self._models else PER_PAGE
        things = summary.rounds if self._models else summary.delivered + summary.failed
        self._pages = max(1, -(-things // self._per_page))
        self._written: list[str] = []
        self._cards: list[str] = []
        self._round = _Round(-1, "", ())

    def add(self, outcome: Outcome, source: str) -> None:
        if not self._models:
            self._append(card(outcome, source))
            return
        number, place = divmod(outcome.slot.row, len(self._models))
        if number != self._round.number:
            self._end_round()
            self._round = _Round(number, outcome.slot.request.prompt, tuple([] for _ in self._models))
        self._round.cells[place].append(card(outcome, source, compared=True))

    def close(self) -> tuple[str, ...]:
        self._end_round()
        self._write()
        return tuple(self._written)

    def _end_round(self) -> None:
        if self._round.cells:
            self._append(round_of(self._round.prompt, self._round.cells, self._models))

    def _append(self, shown: str) -> None:
        # The last page takes what came in after the summary was made.
        if len(self._cards) >= self._per_page and len(self._written) + 1 < self._pages:
            self._write()
        self._cards.append(shown)

    def _write(self) -> None:
        number = len(self._written) + 1
        name = page_name(number)
        with replacing(self._root / name) as file:
            file.write(page(number, self._pages, self._cards, self._summary).encode())
        self._written.append(name)
        self._cards = []


@dataclass(frozen=True, slots=True)
class _Round:
    """What the models made of one prompt, so far: the cards of each in its own cell."""

    number: int
    prompt: str
    cells: tuple[list[str], ...]
