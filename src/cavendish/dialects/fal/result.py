"""A result, both ways: ``images``, and with ``has_nsfw_concepts`` which of them are black instead of drawn.

A black picture is none: it is refused, and never delivered.
"""

from __future__ import annotations

from typing import Any, Final

from ...model.call import Done
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image, Part, Text
from ...model.usage import Usage
from ...wire.data_uri import read_picture, write_picture
from ...wire.http_faults import bare_fault
from ...wire.message import Headers, WireResponse
from ...wire.reading import flag, items, mapping, member, text

_REQUEST_ID: Final = "X-Fal-Request-Id"
NSFW: Final = "has_nsfw_concepts"
_BLACK: Final = "the picture was blacked out by the safety checker"


def read_result(response: WireResponse, wanted: int | None, identity: str = "") -> Done | Fault:
    """The pictures of a result, of which ``wanted`` are to be delivered (``None``: all). Never raises."""
    body = response.body
    entries = items(body, "images") or ((member(body, "image"),) if mapping(body, "image") else ())
    marks = items(body, "hasNsfwConcepts")
    if not entries:
        return _without_picture(response)
    usage = Usage(images=len(entries))
    pictures: list[Part] = []
    refused: list[Fault] = []
    for place, entry in enumerate(entries):
        image = _read_picture(entry)
        if place < len(marks) and flag({"mark": marks[place]}, "mark"):
            refused.append(Fault(FaultKind.IMAGE_SAFETY, _BLACK, Charged.UNKNOWN, reason=NSFW, status=response.status))
        elif image is None:
            message = "an entry without a picture"
            refused.append(Fault(FaultKind.MALFORMED, message, Charged.UNKNOWN, status=response.status))
        else:
            pictures.append(image)
    if not pictures:
        return refused[0].having(usage=usage)
    finals = len(pictures) if wanted is None else min(len(pictures), max(wanted, 1))
    missing = len(refused) if wanted is None else max(wanted - finals, 0)
    said = text(body, "description")
    return Done(
        parts=(*pictures, *((Text(said),) if said else ())),
        finals=tuple(range(finals)),
        usage=usage,
        response_id=response.headers.get(_REQUEST_ID) or identity,
        shortfall=tuple(refused[:missing]),
    )


def _without_picture(response: WireResponse) -> Fault:
    if "images" in mapping({"of": response.body}, "of"):
        return Fault(FaultKind.NO_IMAGE, charged=Charged.UNKNOWN, status=response.status)
    return bare_fault(response)


def _read_picture(entry: Any) -> Image | None:
    image = read_picture(member(entry, "url"))
    if image is None or image.blob is not None:
        return image
    return Image(uri=image.uri, media_type=text(entry, "contentType") or None)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_result(done: Done) -> WireResponse:
    """A result, in which the pictures that were refused are black ones without an address."""
    pictures = [_write_picture(image) for image in done.pictures]
    others = [part for part in done.extras if isinstance(part, Image) and not part.thought]
    pictures += [_write_picture(image) for image in others] if not done.shortfall else []
    black = [{"url": "", "content_type": "image/png"} for _ in done.shortfall]
    body: dict[str, Any] = {
        "images": [*pictures, *black],
        NSFW: [*(False for _ in pictures), *(True for _ in black)],
        **({"description": done.text} if done.text else {}),
    }
    identity = done.response_id
    named = ((_REQUEST_ID, identity),) if identity and identity.isascii() and identity.isprintable() else ()
    return WireResponse(200, Headers(named), body)


def _write_picture(image: Image) -> dict[str, Any]:
    kind = image.media_type or (image.blob.media_type if image.blob else "")
    return {"url": write_picture(image), **({"content_type": kind} if kind else {})}
