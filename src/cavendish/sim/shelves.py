"""Shelves: where the simulator's pictures wait until they are sent."""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Iterable

from ..model.blob import Blob
from .draw import Drawn, Sketch, draw, media_type_of

ADDRESSES_KEPT = 2_000
"""Pictures that can still be fetched by their URL; the oldest go first, as at a real provider."""


class MemoryShelf:
    """Implements ``answers.Shelf``.

    A lazy shelf draws when it is read, so that a picture takes memory only while it is sent; its blobs then have
    neither hash nor size. ``url_base`` is what the addresses of pictures begin with.
    """

    def __init__(self, *, lazy: bool = False, url_base: str = "https://pictures.simulated/") -> None:
        self.url_base = url_base
        self._lazy = lazy
        self._things: dict[str, Sketch | Drawn] = {}
        self._made: list[str] = []
        self._addresses: OrderedDict[str, Sketch] = OrderedDict()
        self._numbers = itertools.count(1)

    def picture(self, sketch: Sketch) -> Blob:
        """A picture, drawn now or when it is read."""
        if self._lazy:
            return Blob("", 0, media_type_of(sketch), self._put(sketch))
        drawn = draw(sketch)
        return self.keep(drawn.to_bytes(), drawn.media_type)

    def keep(self, data: bytes, media_type: str) -> Blob:
        """Any other bytes."""
        ref = self._put(Drawn((data,), media_type))
        return Blob(hashlib.sha256(data).hexdigest(), len(data), media_type, ref)

    def url(self, sketch: Sketch) -> str:
        """An address that ``at`` knows."""
        kind = media_type_of(sketch).partition("/")[2].replace("jpeg", "jpg")
        url = f"{self.url_base}{next(self._numbers)}.{kind}"
        self._addresses[url] = sketch
        if len(self._addresses) > ADDRESSES_KEPT:
            self._addresses.popitem(last=False)
        return url

    def at(self, url: str) -> Sketch | None:
        """The picture behind an address."""
        return self._addresses.get(url)

    def read(self, blob: Blob) -> Iterable[bytes | memoryview]:
        """The bytes of a blob, in pieces. Raises ``KeyError`` when it was dropped."""
        thing = self._things[blob.ref]
        return (draw(thing) if isinstance(thing, Sketch) else thing).pieces

    def made(self) -> tuple[str, ...]:
        """References of all that was put here since this was last asked: what one call made."""
        made, self._made = tuple(self._made), []
        return made

    def drop(self, refs: Iterable[str]) -> None:
        """Forget them."""
        for ref in refs:
            self._things.pop(ref, None)

    def __len__(self) -> int:
        return len(self._things)

    def _put(self, thing: Sketch | Drawn) -> str:
        ref = f"shelf-{next(self._numbers)}"
        self._things[ref] = thing
        self._made.append(ref)
        return ref
