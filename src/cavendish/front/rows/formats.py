"""File formats: the records of a batch file, one after another, each with its line."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

import orjson

from ...errors import BatchInputError
from .intake import STDIN, Origin, encoding_of, open_text, undecodable

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Of a JSON line: pictures may stand in it as base64, and providers take at most 20 MB of a request."""
ARRAY_CHUNK = 64 * 1024
PARQUET_ROWS = 4096

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".txt": "txt",
    ".parquet": "parquet",
}
FORMATS = ("csv", "tsv", "jsonl", "json", "txt", "parquet")
PROMPT_NAMES = ("prompt",)


class Record(NamedTuple):
    """One row as it stands in the file: names of its cells, and their values."""

    line: int
    names: tuple[str, ...]
    values: Sequence[Any]


Item = Record | BatchInputError
"""A record, or what is wrong with it: after a broken one the file is read on."""


class Reader(NamedTuple):
    """A format: how its records are read, and how they are counted without being built."""

    records: Callable[[Origin, str | None], Iterator[Item]]
    count: Callable[[Origin, str | None], int]


def format_of(path: str, origin: Origin, wanted: str | None) -> str:
    """The format's word: the wanted one, else by the file's ending, else (standard input) by its beginning."""
    if wanted is not None:
        if wanted not in FORMATS:
            raise BatchInputError(f"--format {wanted}: there are {', '.join(FORMATS)}", path=origin.name)
        return wanted
    if path == STDIN:
        first = origin.head().removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return {b"{": "jsonl", b"[": "json"}.get(first, "txt")
    suffix = PurePath(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise BatchInputError(
            f"{origin.name}: what format is {suffix or 'a file without an ending'}?",
            path=origin.name,
            hints=(f"--format says it: {', '.join(FORMATS)}",),
        )
    return SUFFIXES[suffix]


def _problem(origin: Origin, line: int, message: str, *hints: str) -> BatchInputError:
    return BatchInputError(f"{origin.name}, line {line}: {message}", path=origin.name, line=line, hints=hints)


# --- CSV and TSV -----------------------------------------------------------------------------------------------------


def _table(origin: Origin, encoding: str | None, *, delimiter: str | None) -> Iterator[Item]:
    found = encoding_of(origin, encoding)
    try:
        with open_text(origin, found) as file:
            yield from _table_rows(origin, file, delimiter)
    except UnicodeDecodeError as error:
        raise undecodable(origin, found) from error


def _table_rows(origin: Origin, file: TextIO, delimiter: str | None) -> Iterator[Item]:
    reader = csv.reader(file, delimiter=delimiter or _delimiter(file), strict=True)
    try:
        names = _header(origin, next((cells for cells in reader if any(cells)), None), reader.line_num)
    except csv.Error as error:
        raise _csv_problem(origin, 1, error) from error
    width = len(names)
    while True:
        line = reader.line_num + 1
        try:
            for cells in reader:
                if len(cells) == width:
                    yield Record(line, names, cells)
                elif cells:
                    yield _width_problem(origin, line, len(cells), width)
                line = reader.line_num + 1
            return
        except csv.Error as error:
            yield _csv_problem(origin, line, error)


def _delimiter(file: TextIO) -> str:
    header = file.readline()
    file.seek(0)
    bare = "".join(header.split('"')[::2])
    return max(",;\t|", key=bare.count)


def _header(origin: Origin, cells: list[str] | None, line: int) -> tuple[str, ...]:
    names = tuple(cell.strip().removeprefix("\ufeff") for cell in cells or ())
    if not names:
        raise BatchInputError(f"{origin.name} has no header", path=origin.name, line=1)
    for index, name in enumerate(names):
        if not name:
            raise _problem(origin, line, f"column {index + 1} has no name")
        if name in names[:index]:
            raise _problem(origin, line, f"two columns are named {name!r}")
    return names


def _width_problem(origin: Origin, line: int, found: int, width: int) -> BatchInputError:
    hint = "a cell with a comma or a line end in it stands in double quotes"
    return _problem(origin, line, f"{found} cells where the header has {width}", hint)


def _csv_problem(origin: Origin, line: int, error: csv.Error) -> BatchInputError:
    hint = "a double quote inside a quoted cell is doubled; a quote that was opened must be closed"
    return _problem(origin, line, f"broken quoting or an over-long cell: {error}", hint)


def _count_table(origin: Origin, encoding: str | None, *, delimiter: str | None) -> int:
    return sum(1 for _ in _table(origin, encoding, delimiter=delimiter))


# --- lines -----------------------------------------------------------------------------------------------------------


def _lines(origin: Origin, encoding: str | None) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, as UTF-8, with their numbers."""
    found = encoding_of(origin, encoding)
    if found.startswith("utf-8"):
        yield from _byte_lines(origin)
        return
    try:
        with open_text(origin, found) as file:
            for number, line in enumerate(file, 1):
                if text := line.strip("\ufeff\r\n"):
                    yield number, text.encode()
    except UnicodeDecodeError as error:
        raise undecodable(origin, found) from error


def _byte_lines(origin: Origin) -> Iterator[tuple[int, bytes]]:
    with origin.open() as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        for number, line in enumerate(iter(partial(file.readline, MAX_LINE_BYTES), b""), 1):
            if len(line) == MAX_LINE_BYTES:
                raise _problem(origin, number, f"longer than {MAX_LINE_BYTES} bytes")
            if not line.isspace():
                yield number, line


def _json_lines(origin: Origin, encoding: str | None) -> Iterator[Item]:
    loads = orjson.loads
    for number, line in _lines(origin, encoding):
        try:
            value = loads(line)
        except orjson.JSONDecodeError as error:
            yield _json_problem(origin, encoding, number, error)
            continue
        yield _record(origin, number, value)


def _json_problem(origin: Origin, encoding: str | None, line: int, error: orjson.JSONDecodeError) -> BatchInputError:
    if "utf-8" in error.msg.lower():
        return undecodable(origin, encoding_of(origin, encoding))
    return _problem(origin, line, f"broken JSON: {error.msg} at column {error.colno}")


def _record(origin: Origin, line: int, value: Any) -> Item:
    if type(value) is dict:
        found = cast("dict[str, Any]", value)
        return Record(line, tuple(found), tuple(found.values()))
    if isinstance(value, str):
        return Record(line, PROMPT_NAMES, (value,))
    return _problem(origin, line, f"expected a JSON object, got {json.dumps(value)[:40]}")


def _text_lines(origin: Origin, encoding: str | None) -> Iterator[Item]:
    for number, line in _lines(origin, encoding):
        try:
            yield Record(number, PROMPT_NAMES, (line.decode().rstrip("\r\n"),))
        except UnicodeDecodeError as error:
            raise undecodable(origin, "utf-8") from error


def _count_lines(origin: Origin, encoding: str | None) -> int:
    return sum(1 for _ in _lines(origin, encoding))


# --- JSON ------------------------------------------------------------------------------------------------------------


def _array(origin: Origin, encoding: str | None) -> Iterator[Item]:
    found = encoding_of(origin, encoding)
    try:
        with open_text(origin, found) as file:
            yield from (_record(origin, line, value) for line, value in _ArrayReader(origin, file))
    except UnicodeDecodeError as error:
        raise undecodable(origin, found) from error


class _ArrayReader:
    """The elements of a JSON array, with the lines where they begin, holding one at a time."""

    def __init__(self, origin: Origin, file: TextIO) -> None:
        self._origin = origin
        self._file = file
        self._text = ""
        self._at = 0
        self._line = 1
        self._decoder = json.JSONDecoder()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if self._next_sign() != "[":
            raise _problem(self._origin, self._line, "expected a JSON array", "JSON Lines end in .jsonl")
        self._at += 1
        sign = self._next_sign()
        while sign != "]":
            line = self._line
            yield line, self._element()
            sign = self._next_sign()
            if sign not in {",", "]"} or not sign:
                raise _problem(self._origin, self._line, "expected a comma or the end of the array")
            if sign == ",":
                self._at += 1
                sign = self._next_sign()

    def _next_sign(self) -> str:
        while True:
            while self._at < len(self._text):
                sign = self._text[self._at]
                if sign not in " \t\r\n\ufeff":
                    return sign
                self._line += sign == "\n"
                self._at += 1
            if not self._fill(ARRAY_CHUNK):
                return ""

    def _element(self) -> Any:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                break
            except json.JSONDecodeError as error:
                held = len(self._text) - self._at
                # Twice as much each time, so that a long element is not begun again for each chunk.
                if held > MAX_LINE_BYTES or not self._fill(max(ARRAY_CHUNK, held)):
                    line = self._line + self._text.count("\n", self._at, error.pos)
                    raise _problem(self._origin, line, f"broken JSON: {error.msg}") from error
        self._line += self._text.count("\n", self._at, end)
        self._at = end
        return value

    def _fill(self, size: int) -> bool:
        more = self._file.read(size)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)


def _count_array(origin: Origin, encoding: str | None) -> int:
    return sum(1 for _ in _array(origin, encoding))


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet(origin: Origin, source: BinaryIO) -> Any:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise BatchInputError(
            f"{origin.name}: reading Parquet needs pyarrow",
            path=origin.name,
            hints=('pip install "cavendish[parquet]"',),
        ) from error
    try:
        return parquet.ParquetFile(source)
    except (ValueError, OSError) as error:
        raise BatchInputError(f"{origin.name}: not a Parquet file: {error}", path=origin.name) from error


def _parquet_rows(origin: Origin, _encoding: str | None) -> Iterator[Item]:
    with origin.open() as source:
        file = _parquet(origin, source)
        names = tuple(cast("list[str]", file.schema_arrow.names))
        line = 1
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            columns = [column.to_pylist() for column in batch.columns]
            for values in zip(*columns, strict=True):
                yield Record(line, names, values)
                line += 1


def _count_parquet(origin: Origin, _encoding: str | None) -> int:
    with origin.open() as source:
        return int(_parquet(origin, source).metadata.num_rows)


READERS: dict[str, Reader] = {
    "csv": Reader(partial(_table, delimiter=None), partial(_count_table, delimiter=None)),
    "tsv": Reader(partial(_table, delimiter="\t"), partial(_count_table, delimiter="\t")),
    "jsonl": Reader(_json_lines, _count_lines),
    "json": Reader(_array, _count_array),
    "txt": Reader(_text_lines, _count_lines),
    "parquet": Reader(_parquet_rows, _count_parquet),
}
