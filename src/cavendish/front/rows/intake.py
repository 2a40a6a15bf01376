"""Where the bytes of a batch come from: a file, or standard input kept so that it can be read again."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, cast

from ...errors import BatchInputError
from ...model.call import Call
from ...model.fault import Fault
from ...wire.blobs import NewBlob
from ...wire.message import WireRequest

STDIN = "-"
STDIN_NAME = "standard input"
MEMORY_BYTES = 64 * 1024 * 1024
"""Of an input that is not spooled to a file: a hundred thousand rows or so."""
CHUNK_BYTES = 1024 * 1024
HEAD_BYTES = 64 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

ReadCall = Callable[[WireRequest], Call | Fault]


@dataclass(frozen=True, slots=True)
class Intake:
    """The parts that reading may need.

    ``stdin`` is read for ``-`` and, when ``spool`` names a file, kept there. ``new_blob`` takes pictures that stand
    inside a batch file as base64. ``read_calls`` are the dialects' readers by name (``gemini``, ``openai_images``,
    ``openai_chat``), for providers' own batch files. ``name`` is what messages call the bytes of ``stdin``.
    """

    stdin: BinaryIO | None = None
    spool: Path | None = None
    new_blob: NewBlob | None = None
    read_calls: Mapping[str, ReadCall] = field(default_factory=dict[str, ReadCall])
    name: str = STDIN_NAME


@dataclass(frozen=True, slots=True)
class Origin:
    """Bytes that can be read from their beginning any number of times. ``base`` is where relative paths start."""

    name: str
    base: Path
    path: Path | None = None
    data: bytes = field(default=b"", repr=False)

    def open(self) -> BinaryIO:
        """The bytes, from the beginning."""
        if self.path is None:
            return io.BytesIO(self.data)
        try:
            return self.path.open("rb")
        except OSError as error:
            raise BatchInputError(f"{self.name}: {error.strerror}", path=self.name) from error

    def head(self) -> bytes:
        """The first bytes."""
        with self.open() as file:
            return file.read(HEAD_BYTES)

    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data) if self.path is None else self.path.stat().st_size


def find(path: str | os.PathLike[str], intake: Intake) -> Origin:
    """The origin that a path (or ``-``) names. Raises ``BatchInputError`` when there is nothing to read."""
    origin = _from_stdin(intake) if os.fspath(path) == STDIN else _from_file(Path(path))
    if not origin.size():
        raise BatchInputError(f"{origin.name} is empty", path=origin.name)
    return origin


def _from_file(path: Path) -> Origin:
    if path.is_dir():
        raise BatchInputError(f"{path} is a folder, not a batch file", path=str(path))
    if not path.is_file():
        raise BatchInputError(f"there is no file {path}", path=str(path))
    return Origin(str(path), path.absolute().parent, path)


def _from_stdin(intake: Intake) -> Origin:
    if intake.stdin is None:
        raise BatchInputError(f"{intake.name} cannot be read here", path=intake.name)
    if intake.spool is None:
        data = intake.stdin.read(MEMORY_BYTES + 1)
        if len(data) > MEMORY_BYTES:
            raise BatchInputError(
                f"{intake.name} has more than {MEMORY_BYTES} bytes",
                path=intake.name,
                hints=("write it to a file and name the file",),
            )
        return Origin(intake.name, Path.cwd(), None, data)
    with intake.spool.open("wb") as file:
        while chunk := intake.stdin.read(CHUNK_BYTES):
            file.write(chunk)
    return Origin(intake.name, Path.cwd(), intake.spool)


# --- text ------------------------------------------------------------------------------------------------------------


def encoding_of(origin: Origin, wanted: str | None) -> str:
    """The encoding by the byte order mark, else the wanted one, else UTF-8. Raises for what is no text at all."""
    head = origin.head()
    marked = next((encoding for bom, encoding in _BOMS if head.startswith(bom)), None)
    if wanted is not None:
        _check_encoding(wanted)
    encoding = marked or wanted or "utf-8"
    if b"\0" in head and not encoding.startswith(("utf-16", "utf-32")):
        at = head.index(b"\0")
        raise BatchInputError(
            f"{origin.name} has a NUL at byte {at}, so it is no UTF-8 text",
            path=origin.name,
            line=head.count(b"\n", 0, at) + 1,
            hints=("if it is UTF-16 without a mark: --encoding utf-16-le",),
        )
    return encoding


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise BatchInputError(f"--encoding {name}: there is no such encoding") from error


def open_text(origin: Origin, encoding: str) -> TextIO:
    """The text, line ends untouched. Decoding errors are ``UnicodeDecodeError``: see ``undecodable``."""
    return io.TextIOWrapper(cast("IO[bytes]", origin.open()), encoding=encoding, newline="")


def undecodable(origin: Origin, encoding: str) -> BatchInputError:
    """The error for a file that proved to be in another encoding: looks again to name the byte and the line."""
    at, line, byte = _first_bad_byte(origin, encoding)
    hint = "save it as UTF-8, or name its encoding: --encoding latin-1 (or cp1252, shift_jis, gb18030, ...)"
    return BatchInputError(
        f"{origin.name}: byte {at} (0x{byte:02x}) is not {encoding.removesuffix('-sig').upper()}",
        path=origin.name,
        line=line,
        hints=(hint,),
    )


def _first_bad_byte(origin: Origin, encoding: str) -> tuple[int, int, int]:
    decoder: Any = codecs.getincrementaldecoder(encoding)()
    done, line = 0, 1
    with origin.open() as file:
        for chunk in _chunks(file):
            try:
                line += decoder.decode(chunk, not chunk).count("\n")
            except UnicodeDecodeError as error:
                carried = len(error.object) - len(chunk)
                good = error.object[: error.start].decode(encoding, "ignore")
                return done - carried + error.start, line + good.count("\n"), error.object[error.start]
            done += len(chunk)
    return done, line, 0


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
    yield b""
