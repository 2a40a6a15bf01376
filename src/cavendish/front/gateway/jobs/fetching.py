"""Fetching: the reference pictures that a request names by address, had before anything is bought.

All doors come through here. An address of this gateway's own pictures is not asked over the net: the picture is taken
from the folder. All others must be public; see ``io.http.public``. What no HTTP leads to stays as it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from yarl import URL

from ....errors import RequestError
from ....io.blobs.folder import FolderBlobs
from ....io.desk.books import DeskBooks
from ....io.http.public import PublicPictures, Unfetched
from ....model.blob import Blob
from ....model.request import Image, ImageRequest, Part
from ....model.result import Picture
from .links import PICTURES, Links

MOST = 16
"""Addresses in one request: more references than any model takes."""

AT_ONCE = 4
"""Of one request: whoever names slow servers is to keep nobody else from a picture."""

MOST_BYTES = 128 << 20
"""Of all of them together."""


class References:
    """Has pictures by their addresses."""

    def __init__(self, blobs: FolderBlobs, books: DeskBooks, links: Links, public: PublicPictures) -> None:
        self._blobs = blobs
        self._books = books
        self._links = links
        self._public = public

    async def close(self) -> None:
        """Close all lines."""
        await self._public.close()

    async def brought(self, request: ImageRequest, own_id: str, now: float) -> ImageRequest:
        """The request with the pictures in place of their addresses. Raises ``RequestError`` for one that has none."""
        addresses = list(dict.fromkeys(_address(part) for turn in request.turns for part in turn.parts))
        wanted = [address for address in addresses if address]
        if not wanted:
            return request
        if len(wanted) > MOST:
            raise RequestError(f"at most {MOST} pictures may be named by address", field="references")
        turns = asyncio.Semaphore(AT_ONCE)

        async def in_turn(address: str) -> Blob:
            async with turns:
                return await self._found(address, own_id, now)

        fetching = [asyncio.ensure_future(in_turn(address)) for address in wanted]
        try:
            found = await asyncio.gather(*fetching)
            if sum(blob.size for blob in found) > MOST_BYTES:
                raise RequestError(f"the pictures named have more than {MOST_BYTES:,} bytes", field="references")
            await self._blobs.seal(own_id)
            kept = dict(zip(wanted, await self._blobs.keep(own_id, found), strict=True))
        finally:
            # When one cannot be had, the others are for nothing: none may still write what nobody forgets.
            for task in fetching:
                task.cancel()
            await asyncio.gather(*fetching, return_exceptions=True)
            await self._blobs.forget(own_id)
        with_pictures = (replace(turn, parts=tuple(_with(part, kept) for part in turn.parts)) for turn in request.turns)
        return request.having(turns=tuple(with_pictures))

    async def _found(self, address: str, own_id: str, now: float) -> Blob:
        own = await self._own(address, now)
        if own is not None:
            return own
        try:
            return await self._public.fetch(address, lambda: self._blobs.new_blob(own_id))
        except Unfetched as error:
            message = f"the picture at {_shown(address)} cannot be had: {error}"
            raise RequestError(message, field="references") from error

    async def _own(self, address: str, now: float) -> Blob | None:
        """The picture that a link of ours stands for, whatever host it names."""
        try:
            url = URL(address)
        except ValueError:
            return None
        if not url.path.startswith(PICTURES):
            return None
        slot_id = self._links.slot_of(url.path.removeprefix(PICTURES), url.query, now)
        outcomes = await self._books.outcomes(slot_id.rpartition(".")[0]) if slot_id else []
        return next((o.blob for o in outcomes if isinstance(o, Picture) and o.slot.id == slot_id), None)


def _address(part: Part) -> str:
    uri = (part.uri or "").strip() if isinstance(part, Image) and part.blob is None else ""
    return uri if uri.lower().startswith(("http://", "https://")) else ""


def _with(part: Part, kept: dict[str, Blob]) -> Part:
    address = _address(part)
    if not address or not isinstance(part, Image):
        return part
    return replace(part, uri=None, blob=kept[address], media_type=kept[address].media_type)


def _shown(address: str) -> str:
    """An address without what may be a secret in it."""
    try:
        url = URL(address)
        return f"{url.scheme}://{url.host}{url.path}"[:200]
    except ValueError:
        return "that address"
