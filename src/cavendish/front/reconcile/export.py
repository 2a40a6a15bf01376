"""Export: a CSV file from a provider's console as a bill. Strict: what cannot be read is an error with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import BatchInputError
from ...model.bill import Bill, BillLine
from .cells import Amount, currency_of, moment, read_amount, read_quantity
from .columns import find_columns, is_header, no_header

MAX_BYTES = 256 * 1024 * 1024
"""About a million lines: a month of a studio. The file is read into memory."""
MAX_LINES = 2_000_000
HEAD_CHARS = 65_536
HEAD_LINES = 40
"""The head of the table stands among so many lines: before it there is an address, or an invoice's number."""
MOST_STEP_NUSD = 10_000_000
"""A cent. Amounts that happen to have no cents are not taken for rounded to dollars."""
FOOTERS = ("total", "subtotal", "sum", "filtered total", "grand total")
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class ExportWish:
    """How a file is to be read, as far as the user says. ``columns`` names columns by what they hold."""

    path: Path
    endpoints: tuple[str, ...]
    zone: str = "UTC"
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows below a head, each with its line, and where in them is what."""

    path: str
    header: Sequence[str]
    places: Mapping[str, int]
    rows: Sequence[tuple[int, Sequence[str]]]
    commas: bool

    def cell(self, row: Sequence[str], kind: str) -> str:
        """A cell by what it holds, empty when there is none."""
        place = self.places.get(kind)
        return row[place].strip() if place is not None and place < len(row) else ""


def read_export(wish: ExportWish) -> Bill:
    """Read a file. Blocks. Raises ``BatchInputError`` with the line where it cannot be read, or is not in dollars."""
    table = _read_table(wish)
    found = [(number, row) for number, row in table.rows if not _is_footer(row)]
    amounts = [_amount(table, number, row) for number, row in found]
    places = max((amount.places for amount in amounts if amount), default=0)
    step = min(MOST_STEP_NUSD, 10 ** max(0, 9 - places))
    lines = tuple(
        _line(table, number, row, amount, 0 if places >= 9 else step)
        for (number, row), amount in zip(found, amounts, strict=True)
    )
    return Bill(wish.path.name, wish.endpoints, lines, zone=wish.zone)


def _read_table(wish: ExportWish) -> _Table:
    path = str(wish.path)
    text = _text(wish)
    delimiter = _delimiter(text)
    rows = _rows(text, path, delimiter)
    head = next((place for place, (_, row) in enumerate(rows[:HEAD_LINES]) if is_header(row, wish.columns)), None)
    if head is None:
        raise no_header(path, wish.columns)
    header = [cell.strip() for cell in rows[head][1]]
    table = _Table(path, header, find_columns(header, wish.columns), rows[head + 1 :], delimiter != ";")
    if word := currency_of(header[table.places["amount"]]):
        raise _foreign(path, rows[head][0], word)
    return table


def _text(wish: ExportWish) -> str:
    path = str(wish.path)
    try:
        size = wish.path.stat().st_size
        if size > MAX_BYTES:
            raise BatchInputError(f"{size:,} bytes, more than {MAX_BYTES:,}", path=path, hints=("export less at once",))
        data = wish.path.read_bytes()
    except OSError as error:
        raise BatchInputError(f"cannot be read: {error.strerror}", path=path) from error
    marked = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(wish.encoding or marked)
    except (UnicodeDecodeError, LookupError) as error:
        line = data[: error.start].count(b"\n") + 1 if isinstance(error, UnicodeDecodeError) else None
        hint = "say how it is written: --encoding cp1252"
        raise BatchInputError(f"not {wish.encoding or marked}", path=path, line=line, hints=(hint,)) from error


def _delimiter(text: str) -> str:
    """What cells are parted by: what the first lines have most of."""
    head = "\n".join(text[:HEAD_CHARS].splitlines()[:HEAD_LINES])
    return max(DELIMITERS, key=head.count)


def _rows(text: str, path: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((begins, row))
            if len(rows) > MAX_LINES:
                raise BatchInputError(f"more than {MAX_LINES:,} lines", path=path, hints=("export less at once",))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise BatchInputError(f"no CSV: {error}", path=path, line=begins) from error
    return rows


def _is_footer(row: Sequence[str]) -> bool:
    """Whether a line sums up those above it: it begins with such a word, or has nothing before it."""
    first = next((cell.strip().lower().rstrip(":") for cell in row if cell.strip()), "")
    return first in FOOTERS


def _amount(table: _Table, line: int, row: Sequence[str]) -> Amount | None:
    currency = table.cell(row, "currency")
    said = table.cell(row, "amount")
    if not said:
        return None
    if word := currency_of(currency, bare=True) or currency_of(said):
        raise _foreign(table.path, line, word)
    try:
        return read_amount(said, commas=table.commas)
    except ValueError as error:
        raise BatchInputError(f"{table.header[table.places['amount']]}: {error}", path=table.path, line=line) from error


def _line(table: _Table, number: int, row: Sequence[str], amount: Amount | None, step_nusd: int) -> BillLine:
    try:
        day, at = moment(table.cell(row, "date")) if "date" in table.places else (None, None)
    except ValueError as error:
        raise BatchInputError(f"{table.header[table.places['date']]}: {error}", path=table.path, line=number) from error
    return BillLine(
        amount_nusd=amount.nusd if amount else None,
        id=table.cell(row, "id"),
        at=at,
        day=day,
        model=table.cell(row, "model"),
        quantity=read_quantity(table.cell(row, "quantity"), _unit(table, row)),
        step_nusd=step_nusd,
        place=f"line {number}",
    )


def _unit(table: _Table, row: Sequence[str]) -> str:
    """What a quantity counts, where a column says so."""
    return next(_cells_named("unit", table.header, row), "")


def _cells_named(word: str, header: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    for name, cell in zip(header, row, strict=False):
        if word in name.lower().split():
            yield cell.strip().lower()


def _foreign(path: str, line: int, currency: str) -> BatchInputError:
    return BatchInputError(
        f"amounts in {currency}: our books are in US dollars, and no rate of exchange is guessed",
        path=path,
        line=line,
        hints=("export the bill in USD, or add a column of dollars and name it: --columns amount=...",),
    )
