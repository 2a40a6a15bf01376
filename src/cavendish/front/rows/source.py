"""RowSource: a batch file as rows, from any row on, any number of times."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ...errors import BatchInputError
from ...model.request import Notice
from .build import Builder, Row, problem
from .columns import layout_of
from .formats import READERS, Item, Reader, Record, format_of
from .intake import CHUNK_BYTES, Intake, Origin, find
from .options import RowDefaults, RowOptions
from .provider_lines import is_provider_line
from .references import References
from .seen import Seen
from .template import check_grid

__all__ = ["CHECKED_ROWS", "Row", "RowSource", "open_rows"]

CHECKED_ROWS = 50_000
"""A file of at most so many rows is read through before its first row is given: under a second."""
SHOWN_PROBLEMS = 20
LOOSE = frozenset({"json", "jsonl"})
"""Formats in which each record has members of its own."""
KEPT_PROBLEMS = 1000


@dataclass(slots=True)
class Problems:
    """Broken rows that were passed over: each counted once, the first ``KEPT_PROBLEMS`` kept."""

    kept: list[BatchInputError] = field(default_factory=list[BatchInputError])
    _lines: set[int | None] = field(default_factory=set[int | None])

    @property
    def count(self) -> int:
        """How many lines are broken."""
        return len(self._lines)

    def add(self, error: BatchInputError) -> None:
        """One more, unless it is known: a file may be read several times."""
        if error.line not in self._lines and len(self.kept) < KEPT_PROBLEMS:
            self.kept.append(error)
        self._lines.add(error.line)


class RowSource:
    """The rows of a batch file, in order. Each iteration reads the file anew and holds one row.

    Raises ``BatchInputError`` at a broken row, or, with ``skip_bad``, collects it in ``problems``. ``format`` is the
    word for what the file was found to be. A broken row has its number all the same, so mending it renames no other.
    """

    def __init__(self, origin: Origin, reader: Reader, builder: Builder, options: RowOptions, digest: bytes) -> None:
        self._origin = origin
        self._reader = reader
        self._builder = builder
        self._options = options
        self._digest = digest
        self._start = 0
        self.name = origin.name
        self.format = options.format or ""
        self.problems = Problems()
        self.notices: tuple[Notice, ...] = ()
        self.counts_vary = True
        self.names_pictures = False

    def __iter__(self) -> Iterator[Row]:
        return self._rows()

    def skip(self, rows: int) -> RowSource:
        """The same rows from this number on, with the same ``problems``. What is skipped is not checked again."""
        later = RowSource(self._origin, self._reader, self._builder, self._options, self._digest)
        later._start = rows
        later.problems = self.problems
        later.notices = self.notices
        return later

    def total(self) -> int:
        """How many rows there are, the broken ones included: reads the file without building rows."""
        return self._reader.count(self._origin, self._options.encoding) * self._builder.combinations

    def fingerprint(self) -> str:
        """The hash of the file's bytes and of all options that decide what its rows ask for: 64 digits.

        Empty when rows name pictures: those may change while the file does not.
        """
        if self.names_pictures:
            return ""
        hashed = hashlib.sha256(self._digest)
        with self._origin.open() as file:
            while chunk := file.read(CHUNK_BYTES):
                hashed.update(chunk)
        return hashed.hexdigest()

    def check(self) -> None:
        """Read at most ``CHECKED_ROWS`` rows. Raises ``BatchInputError`` naming the first mistakes among them."""
        problems = Problems()
        number = -1
        for found in itertools.islice(self._results(0, Seen()), CHECKED_ROWS):
            number += 1
            if isinstance(found, BatchInputError):
                problems.add(found)
        if number < 0:
            hints = ("the first line is the header; rows follow it",)
            raise BatchInputError(f"{self.name} has no rows", path=self.name, hints=hints)
        if problems.count and not self._options.skip_bad:
            raise _together(problems)

    def _records(self) -> Iterator[Item]:
        return self._reader.records(self._origin, self._options.encoding)

    def _rows(self) -> Iterator[Row]:
        for found in self._results(self._start, Seen()):
            if isinstance(found, Row):
                yield found
            elif self._options.skip_bad:
                self.problems.add(found)
            else:
                raise found

    def _results(self, start: int, seen: Seen | None) -> Iterator[Row | BatchInputError]:
        each = self._builder.combinations
        whole, within = divmod(start, each)
        number = whole * each
        records = self._records()
        for item in itertools.islice(records, whole):
            if seen is not None and isinstance(item, Record):
                self._pass_by(item, seen)
        for item in records:
            made = [item] * each if isinstance(item, BatchInputError) else self._made(item, number, seen)
            yield from made[within:] if within else made
            within = 0
            number += each

    def _pass_by(self, record: Record, seen: Seen) -> None:
        # A broken row's key is free for a later one, so where rows may be broken it takes a look at the whole row.
        if self._options.skip_bad:
            self._made(record, 0, seen)
        else:
            for key in self._builder.keys(record):
                seen.add(key)

    def _made(self, record: Record, number: int, seen: Seen | None) -> list[Row | BatchInputError]:
        made: list[Row | BatchInputError] = []
        for row in self._builder.rows(record, number):
            if isinstance(row, ValueError):
                made.append(problem(self.name, record.line, row))
            elif seen is not None and self._builder.keys_are_given(record.names) and seen.add(row.key):
                made.append(self._twice(row))
            else:
                made.append(row)
        return made

    def _twice(self, row: Row) -> Row | BatchInputError:
        """The error for a key that was met before, naming both lines: the file is read again up to the first."""
        earlier = (other for other in self._results(0, None) if isinstance(other, Row))
        first = next((other for other in earlier if other.key == row.key), row)
        if first.number >= row.number:
            return row
        return BatchInputError(
            f"{self.name}, line {row.line}: the key {row.key!r} stands in line {first.line} already",
            path=self.name,
            line=row.line,
            hints=('keys tell rows apart; another column can hold them: --key COLUMN, or --key "" to number the rows',),
        )

    def look(self) -> None:
        """Note what the first record tells of all: which columns are no field of a request, whether counts vary."""
        first = next(self._records(), None)
        self.counts_vary = (
            not isinstance(first, Record) or is_provider_line(first.names) or self._options.format in LOOSE
        )
        if isinstance(first, Record) and not is_provider_line(first.names):
            layout = layout_of(first.names, self._options.key_column)
            self.names_pictures = bool(layout.references)
            self.counts_vary = self.counts_vary or any(cell.field == "n" for cell in layout.cells)
            carried = [name for name, _ in layout.carried]
            used = self._options.template or ""
            idle = [name for name in carried if f"{{{name}}}" not in used]
            if idle:
                text = f"columns that only go into the metadata: {', '.join(idle)}"
                self.notices = (Notice("columns_carried", text),)


def _together(problems: Problems) -> BatchInputError:
    first, *others = problems.kept
    hints = [*first.hints, *(other.message for other in others[: SHOWN_PROBLEMS - 1])]
    if (more := problems.count - 1 - len(others[: SHOWN_PROBLEMS - 1])) > 0:
        hints.append(f"and {more} more")
    if others:
        hints.append("--skip-bad runs the rows that are whole")
    return BatchInputError(first.message, path=first.path, line=first.line, hints=hints)


def open_rows(
    path: str | os.PathLike[str],
    defaults: RowDefaults,
    options: RowOptions | None = None,
    intake: Intake | None = None,
) -> RowSource:
    """A batch file, checked. ``-`` is standard input.

    Raises ``BatchInputError`` when it cannot be read, has no rows, or has a mistake in its first ``CHECKED_ROWS`` rows
    (later ones are found as they are read), and ``RequestError`` for a broken template or grid.
    """
    chosen = options or RowOptions()
    parts = intake or Intake()
    check_grid(chosen.grid)
    origin = find(path, parts)
    word = format_of(os.fspath(path), origin, chosen.format)
    chosen = replace(chosen, format=word)
    builder = Builder(chosen, defaults, References(origin.base, parts.new_blob), parts)
    source = RowSource(origin, READERS[word], builder, chosen, chosen.digest(defaults))
    source.check()
    source.look()
    return source
