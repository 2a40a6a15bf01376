"""Entries: one outcome as one line of ``metadata.jsonl`` or ``failures.jsonl``."""

from __future__ import annotations

import json
from typing import Any

import orjson

from ...model.call import GroundingNote
from ...model.money import as_float
from ...model.request import ImageRequest, Text
from ...model.result import Failure, Picture, Slot
from ...plan.expand import for_slot


def metadata_entry(picture: Picture, *, simulated: bool = False) -> dict[str, Any]:
    """A delivered picture. Every line has the same members, so that tables can be made of them.

    ``cost`` in dollars, all attempts of the slot together; a lower bound where ``cost_known`` is false. ``seed`` is the
    one that was sent for this very picture. ``sheet`` and ``cell`` (from 1, row by row) of one that was cut from a
    contact sheet.
    """
    slot, blob = picture.slot, picture.blob
    return {
        "file_name": blob.ref,
        "key": slot.key,
        **_asked(slot),
        "route": str(picture.route),
        "width": picture.width,
        "height": picture.height,
        "media_type": blob.media_type,
        "bytes": blob.size,
        "sha256": blob.sha256,
        "seed": for_slot(slot, picture.route.wire_model, picture.attempts).seed,
        "cost": as_float(picture.cost_nusd),
        "cost_known": picture.cost_known,
        "attempts": picture.attempts,
        "latency_s": round(picture.latency_s, 3),
        "text": picture.text,
        "thoughts": _thoughts(picture),
        "grounding": _grounding(picture.grounding),
        "notices": [{"code": notice.code, "text": notice.text} for notice in picture.notices],
        "answered_by": picture.answered_by,
        "response_id": picture.response_id,
        "sheet": picture.sheet.ref if picture.sheet else None,
        "cell": picture.cell or None,
        "simulated": simulated,
        "columns": dict(slot.columns),
    }


def _thoughts(picture: Picture) -> str:
    """What the model was thinking, in words; empty unless it was asked to tell."""
    return "\n\n".join(part.text for part in picture.extras if isinstance(part, Text) and part.thought)


def failure_entry(failure: Failure) -> dict[str, Any]:
    """A slot without a picture. ``class`` decides what is tried again; ``reason`` is the provider's own word."""
    slot, fault = failure.slot, failure.fault
    return {
        "key": slot.key,
        **_asked(slot),
        "route": None if failure.route is None else str(failure.route),
        "class": fault.kind.value,
        "reason": fault.reason,
        "message": fault.message,
        "charged": fault.charged.value,
        "status": fault.status,
        "request_id": failure.request_id,
        "text": fault.text,
        "attempts": failure.attempts,
        "cost": as_float(failure.cost_nusd),
        "cost_known": failure.cost_known,
        "columns": dict(slot.columns),
    }


def line_of(entry: dict[str, Any]) -> bytes:
    """The entry as one line of JSON."""
    try:
        return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Whole numbers over 64 bits and lone surrogates, which only the standard library writes.
        return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _asked(slot: Slot) -> dict[str, Any]:
    request: ImageRequest = slot.request
    return {
        "row": slot.row,
        "ordinal": slot.ordinal,
        "slot": slot.id,
        "prompt": request.prompt,
        "model": request.model,
        "size": request.size,
        "aspect_ratio": request.aspect_ratio,
    }


def _grounding(note: GroundingNote | None) -> dict[str, Any] | None:
    if note is None:
        return None
    return {
        "web_queries": list(note.web_queries),
        "image_queries": list(note.image_queries),
        "sources": [
            {"page": source.page, "title": source.title, "picture": source.picture, "domain": source.domain}
            for source in note.sources
        ],
        "attribution": note.attribution,
    }
