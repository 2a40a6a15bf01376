"""Links: addresses of result pictures that whoever holds one may open, until it ends."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from ....model.result import Picture
from ....wire.media import extension

PICTURES: Final = "/v1/pictures/"
LINK_S: Final = 86_400.0
"""How long a link is good for, where nothing else is said: clients fetch at once, people within a day."""

_NAME: Final = re.compile(r"(?P<slot>[A-Za-z0-9_-]{1,80}\.\d{1,9})(?:\.[a-z0-9]{1,8})?")
_EXPIRES: Final = re.compile(r"\d{1,12}")


@dataclass(frozen=True, slots=True)
class Links:
    """Signs addresses. ``key`` is shared by all replicas; ``public_url`` is how clients reach them, when a header of
    theirs cannot be relied on for that.

    What is signed is a slot's id and an end, and never the name of a file.
    """

    key: bytes = field(repr=False)
    public_url: str = ""
    lasts_s: float = LINK_S

    def base(self, request: web.Request) -> str:
        """The address under which a client reaches this gateway."""
        return self.public_url or str(request.url.origin())

    def path(self, picture: Picture, now: float) -> str:
        """The signed path of a picture; good for so long from now on."""
        ends = int(now + self.lasts_s)
        name = f"{picture.slot.id}.{extension(picture.blob.media_type)}"
        return f"{PICTURES}{name}?expires={ends}&signature={self._signature(picture.slot.id, ends)}"

    def url(self, picture: Picture, base: str, now: float) -> str:
        """The whole address."""
        return base + self.path(picture, now)

    def slot_of(self, name: str, query: Mapping[str, str], now: float) -> str | None:
        """The slot that a link is good for; ``None`` for one that we did not sign, or that has ended."""
        match, ends = _NAME.fullmatch(name), query.get("expires", "")
        if match is None or not _EXPIRES.fullmatch(ends):
            return None
        right = self._signature(match["slot"], int(ends))
        given = query.get("signature", "").encode("utf-8", "replace")
        return match["slot"] if hmac.compare_digest(right.encode(), given) and now < int(ends) else None

    def _signature(self, slot_id: str, ends: int) -> str:
        return hmac.new(self.key, f"picture\n{slot_id}\n{ends}".encode(), hashlib.sha256).hexdigest()
