"""SessionStore: the folder of a session. Everything in it is written whole or not at all. Blocks."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import orjson

from ...errors import FolderError, RequestError
from ...io.blobs.claim import held
from ...io.blobs.disk import Disk
from ...io.blobs.names import is_inside, slug
from ...io.blobs.record import holds
from ...model.blob import Blob
from ...wire.media import extension
from ..folder.atomic import replacing
from .record import TurnRecord, from_file, map_blobs, to_file, words_of
from .tree import Tree, sound

FORMAT = 1
"""Of the session as a whole; a folder with a greater number is from a newer version."""
CARD, LOCK, TURNS, RUNS = "session.json", "lock", "turns", "runs"
DIGITS = 4
SLUG_CHARS = 48
CARD_BYTES = 1 << 20
RECORD_BYTES = 64 << 20
"""Larger files are none of ours: the longest hold what was said, and signatures too small for files of their own."""

_RECORD = re.compile(r"(\d{4,6})\.json")


@dataclass(frozen=True, slots=True)
class SessionCard:
    """What holds for a session as a whole. ``defaults`` are fields of requests and routes for turns that say none.

    ``origin`` says of which session and turn it is a fork.
    """

    name: str
    created: float
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    origin: str = ""


class SessionStore:
    """One session on disk. ``hold`` it before writing; reading needs no leave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.turns = root / TURNS
        self._disk = Disk()

    # --- the session ------------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is a session in the folder."""
        return (self.root / CARD).is_file()

    def create(self, card: SessionCard) -> None:
        """Begin a session. Raises ``FolderError`` when the folder is in use for something."""
        if self.exists:
            raise FolderError(f"there is a session in {self.root} already", hints=("choose another name",))
        try:
            if self.root.is_dir() and any(self.root.iterdir()):
                raise FolderError(f"{self.root} is not empty", hints=("choose an empty or a new folder",))
            self.turns.mkdir(parents=True)
        except OSError as error:
            raise FolderError(f"{self.root} cannot be used: {error.strerror or error}") from error
        self.write_card(card)

    def write_card(self, card: SessionCard) -> None:
        """Write down what holds for the session."""
        entry = {
            "format": FORMAT,
            "name": card.name,
            "created": card.created,
            "defaults": dict(card.defaults),
            "origin": card.origin,
        }
        self._write(self.root / CARD, orjson.dumps(entry, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def card(self) -> SessionCard:
        """What holds for the session. Raises ``FolderError`` when there is none, or it cannot be read."""
        path = self.root / CARD
        try:
            entry: Any = orjson.loads(_bounded(path, CARD_BYTES))
            version, defaults = entry["format"], cast("Mapping[str, Any]", dict(entry["defaults"]))
            card = SessionCard(str(entry["name"]), float(entry["created"]), defaults, str(entry["origin"]))
        except FileNotFoundError as error:
            raise _missing(self.root) from error
        except NotADirectoryError as error:
            raise FolderError(f"{self.root} is no folder") from error
        except OSError as error:
            raise FolderError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise FolderError(f"{path} is broken", hints=("the turns beside it are whole",)) from error
        if not isinstance(version, int) or version > FORMAT:
            raise FolderError(f"{self.root} was written by a newer version of Cavendish", hints=("update",))
        return card

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """The sole right to write. Raises ``FolderError`` when another process has it, or there is no session."""
        if not self.exists:
            raise _missing(self.root)
        with held(self.root, LOCK):
            # What another process was at when it ended.
            for path in self.turns.glob(".*.tmp"):
                path.unlink(missing_ok=True)
            yield

    # --- turns ------------------------------------------------------------------------------------------------------

    def load(self) -> Tree:
        """All turns. One that cannot be read, or that follows such a one, is none of them: it is told of instead."""
        numbers = sorted(int(match[1]) for name in _names(self.turns) if (match := _RECORD.fullmatch(name)))
        records: dict[int, TurnRecord] = {}
        problems: dict[int, str] = {}
        for number in numbers:
            try:
                records[number] = self._read(number)
            except OSError as error:
                problems[number] = error.strerror or str(error)
            except (ValueError, TypeError, AttributeError) as error:
                problems[number] = str(error)
        lost = sound(records)
        kept = {number: record for number, record in records.items() if number not in lost}
        return Tree(kept, dict(sorted({**problems, **lost}.items())), numbers[-1] if numbers else 0)

    def write(self, record: TurnRecord, source: Path | None = None) -> TurnRecord:
        """Keep a turn: its pictures and signatures first, copied from where ``source`` has them, then its record.

        Refs of blobs that are relative stand below ``source``. Returns the turn with blobs as they are kept.
        """
        names = _Names(record)
        kept = map_blobs(record, lambda blob, word: self._keep(blob, names.next(blob, word), source or self.turns))
        self._write(self._path(record.number), to_file(kept))
        return kept

    def take_back(self, number: int) -> None:
        """Drop a turn for which nothing was bought, with what was copied for it."""
        self._path(number).unlink(missing_ok=True)
        for path in self.turns.glob(f"{number:0{DIGITS}d}[-.]*"):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.run_folder(number), ignore_errors=True)

    def placed(self, record: TurnRecord) -> TurnRecord:
        """The turn with absolute refs, its files looked at. Raises ``FolderError`` for one that is gone or changed."""

        def find(blob: Blob, _word: str) -> Blob:
            path = self.path_of(blob.ref)
            if not holds(path, blob):
                raise FolderError(
                    f"{path} is gone or was changed, so turn {record.number} cannot be sent again",
                    hints=("put the file back as it was, or go on from a turn before it: --turn",),
                )
            return replace(blob, ref=str(path))

        return map_blobs(record, find)

    def path_of(self, name: str) -> Path:
        """Where a file of a turn is. Raises ``ValueError`` for a name that leads elsewhere."""
        if not is_inside(name) or "/" in name:
            raise ValueError(f"it names {name!r}, which is no file beside it")
        return self.turns.absolute() / name

    def run_folder(self, number: int) -> Path:
        """Where a turn is bought."""
        return self.root / RUNS / f"{number:0{DIGITS}d}"

    def fork(self, number: int, root: Path) -> SessionStore:
        """A new session that begins with a turn and those before it, under their numbers, each file copied.

        Raises ``RequestError`` for a turn that nothing can follow.
        """
        card, tree = self.card(), self.load()
        if (last := tree.to_follow(number)) is None:
            raise RequestError("nothing is before the first turn", field="turn", hints=("begin a new session",))
        new = begin(root, card.defaults, f"turn {number} of {card.name}")
        for record in tree.chain(last):
            new.write(self.placed(record))
        return new

    # --- files ------------------------------------------------------------------------------------------------------

    def _path(self, number: int) -> Path:
        return self.turns / f"{number:0{DIGITS}d}.json"

    def _read(self, number: int) -> TurnRecord:
        record = from_file(_bounded(self._path(number), RECORD_BYTES))
        if record.number != number:
            raise ValueError(f"it says that it is turn {record.number}")
        map_blobs(record, lambda blob, _: replace(blob, ref=self.path_of(blob.ref).name))
        return record

    def _keep(self, blob: Blob, name: str, source: Path) -> Blob:
        target = self.turns / name
        if not holds(target, blob):
            place = source / blob.ref
            with place.open("rb") as read, replacing(target) as file:
                shutil.copyfileobj(read, file, 1 << 20)
            if not holds(target, blob):
                target.unlink(missing_ok=True)
                raise RequestError(f"{place} was changed while it was read", field="references")
        return replace(blob, ref=name)

    def _write(self, path: Path, data: bytes) -> None:
        with replacing(path) as file:
            file.write(data)
        self._disk.sync_folder(path.parent)


class _Names:
    """Names for the files of one turn: ``0002-make-it-night.jpg``, ``0002.signature-1.bin``."""

    def __init__(self, record: TurnRecord) -> None:
        self._number = f"{record.number:0{DIGITS}d}"
        self._words = slug(words_of(record), SLUG_CHARS).lower() or "picture"
        self._counts: dict[str, int] = {}

    def next(self, blob: Blob, word: str) -> str:
        """The name of the next file; the picture itself has no word."""
        self._counts[word] = count = self._counts.get(word, 0) + 1
        # No slug has a dot in it, so no words of a user's can take the name of another file.
        base = f".{word}-{count}" if word else f"-{self._words}"
        return f"{self._number}{base}.{'bin' if word == 'signature' else extension(blob.media_type)}"


def begin(root: Path, defaults: Mapping[str, Any], origin: str = "") -> SessionStore:
    """A new session. Raises ``FolderError`` when the folder is in use."""
    store = SessionStore(root)
    store.create(SessionCard(root.name, time.time(), defaults, origin))
    return store


def stores_in(folder: Path) -> list[SessionStore]:
    """The sessions in a folder, by name."""
    return [store for name in sorted(_names(folder)) if (store := SessionStore(folder / name)).exists]


def _missing(root: Path) -> FolderError:
    return FolderError(f"there is no session in {root}", hints=("begin one: cavendish session new",))


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _bounded(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes")
    return data
