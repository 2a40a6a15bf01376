"""Marks: a sheet's reply as it arrived is on disk with the grid that was asked for, so that a crash loses no sheet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ...errors import RequestError
from ...model.blob import Blob
from ...model.call import Done
from ...model.request import Notice
from ...plan.sheet import Grid
from ...wire.blobs import BlobWriter
from ..blobs.inbox import Inbox, with_fetched

UNCUT = "sheet_uncut"
"""The code of the notice that is the mark. It is taken off when the sheet is cut."""


class Store(Inbox, Protocol):
    """A blob store from both of its sides, as far as sheets need it."""

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Keep blobs for good."""
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What a reply is going to be: a sheet of this grid, or the picture that an earlier reply names by its address."""

    grid: Grid
    earlier: Done | None = None


class MarkingInbox:
    """Implements ``Inbox`` around another: the replies of sheets are recorded with a mark, all others as they are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._expected: dict[str, Expected] = {}

    def expect(self, attempt_id: str, expected: Expected) -> None:
        """The attempt's next reply is a sheet."""
        self._expected[attempt_id] = expected

    def ended(self, attempt_id: str) -> None:
        """Nothing more is expected of it."""
        self._expected.pop(attempt_id, None)

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        """Make it durable with its mark. A reply that only names its picture is not: that is fetched first."""
        expected = self._expected.get(attempt_id)
        if expected is None:
            await self._store.record(attempt_id, reply, url)
            return
        whole = with_fetched(expected.earlier, url, reply) if expected.earlier else reply
        if all(picture.blob for picture in whole.pictures):
            await self._store.record(attempt_id, marked(whole, expected.grid))

    def new_blob(self, attempt_id: str) -> BlobWriter:
        """As the store does it."""
        return self._store.new_blob(attempt_id)

    async def drained(self) -> None:
        """As the store does it."""
        await self._store.drained()

    async def seal(self, attempt_id: str) -> None:
        """As the store does it."""
        await self._store.seal(attempt_id)

    def give(self, from_id: str, attempt_id: str, refs: Collection[str]) -> None:
        """As the store does it."""
        self._store.give(from_id, attempt_id, refs)

    def discard(self, attempt_id: str) -> None:
        """As the store does it."""
        self._store.discard(attempt_id)

    def read(self, blob: Blob) -> Iterator[bytes]:
        """As the store does it."""
        return self._store.read(blob)


def marked(reply: Done, grid: Grid) -> Done:
    """The reply with a mark that it is a sheet still to be cut."""
    return replace(reply, notices=(*reply.notices, Notice("sheet_uncut", str(grid))))


def uncut(reply: Done) -> tuple[Done, Grid | None]:
    """The reply without a mark, and the grid that the mark spoke of; ``None`` where there was none."""
    marks = [notice for notice in reply.notices if notice.code == UNCUT]
    plain = replace(reply, notices=tuple(notice for notice in reply.notices if notice.code != UNCUT))
    try:
        return plain, Grid.of(marks[-1].text) if marks else None
    except RequestError:
        # A record of a later version.
        return plain, None
