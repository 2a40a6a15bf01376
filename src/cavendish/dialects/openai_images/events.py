"""An answer taken apart into events: the drafts of each picture, then the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...model.call import Done
from ...model.request import Image, ImageRequest
from ...wire import media
from ...wire.openai_pictures import words_of, write_item

_AUTO: Final = "auto"


def write_events(done: Done, request: ImageRequest, closing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events; ``closing`` are the members that the last one has besides."""
    kind = "image_edit" if request.references else "image_generation"
    events: list[dict[str, Any]] = []
    start = 0
    for final in sorted(done.finals):
        before = done.parts[start:final]
        drafts = [part for part in before if isinstance(part, Image) and not part.thought]
        for index, draft in enumerate(drafts):
            events.append({**_event(f"{kind}.partial_image", draft, request), "partial_image_index": index})
        words = words_of(before)
        told = {"revised_prompt": words} if words else {}
        final_part = done.parts[final]
        assert isinstance(final_part, Image)
        events.append({**_event(f"{kind}.completed", final_part, request), **told})
        start = final + 1
    return [*events[:-1], {**events[-1], **closing}]


def _event(kind: str, picture: Image, request: ImageRequest) -> dict[str, Any]:
    return {
        "type": kind,
        "created_at": 0,
        **write_item(picture),
        "size": request.size or _AUTO,
        "quality": request.quality or _AUTO,
        "background": _AUTO,
        "output_format": _format_of(picture, request),
    }


def _format_of(picture: Image, request: ImageRequest) -> str:
    if picture.blob is None:
        return request.output_format or "png"
    named = media.extension(picture.blob.media_type)
    return {"jpg": "jpeg", "bin": "png"}.get(named, named)
