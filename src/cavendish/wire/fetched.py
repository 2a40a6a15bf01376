"""Fetching a picture by the address that an answer named, both ways."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from ..model.call import Done, Fetch
from ..model.fault import Fault, FaultKind
from ..model.request import Image
from .http_faults import header_wait_s, kind_by_status, wait_headers, words_of
from .message import Headers, WireRequest, WireResponse

_GONE: Final = frozenset({401, 403, 404, 410})
"""Signed addresses end with these, too."""


def read_fetch(request: WireRequest) -> Fetch:
    """The address that a client asks for."""
    query = urlencode(request.query)
    return Fetch(f"{request.path}?{query}" if query else request.path)


def read_fetched(response: WireResponse) -> Done | Fault:
    """The picture, or why it is not there. Fetching is free: the picture was billed when it was made."""
    if response.status >= 300:
        kind = FaultKind.JOB_EXPIRED if response.status in _GONE else kind_by_status(response.status)
        message = words_of(response.raw) or f"HTTP status {response.status}"
        return Fault(kind, message, retry_after_s=header_wait_s(response.headers), status=response.status)
    if response.cut:
        return Fault(FaultKind.CUT, "the line broke before the picture was whole", status=response.status)
    if response.binary is None:
        return Fault(FaultKind.NOT_AN_IMAGE, "the address gave no picture", status=response.status)
    return Done(parts=(Image(blob=response.binary, media_type=response.binary.media_type),), finals=(0,))


def write_fetched(done: Done) -> WireResponse:
    """The picture as a body of its own."""
    blob = done.pictures[0].blob if done.pictures else None
    if blob is None:
        return WireResponse(404, raw=b"no such picture")
    return WireResponse(200, Headers((("Content-Type", blob.media_type),)), binary=blob)


def write_unfetched(fault: Fault) -> WireResponse:
    """Why the picture is not there, as a server of files says it: a status and its words."""
    status = fault.status if fault.status >= 400 else _STATUS_OF.get(fault.kind, 500)
    return WireResponse(status, wait_headers(fault.retry_after_s), raw=fault.message.encode("utf-8", "replace"))


_STATUS_OF: Final = {
    FaultKind.JOB_EXPIRED: 403,
    FaultKind.RATE_LIMITED: 429,
    FaultKind.OVERLOADED: 503,
    FaultKind.TIMEOUT: 504,
}
