"""Answers, both ways: predictions, which are pictures or the reasons why there is none.

Nothing is counted in an answer: what came is what is billed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from ...model.call import Done
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image
from ...model.usage import Usage
from ...wire.fault_note import noted, read_note
from ...wire.google import read_google_error, read_wait
from ...wire.google import write_error as write_google_error
from ...wire.http_faults import bare_fault
from ...wire.message import Spilled, WireResponse
from ...wire.reading import blob_of, entries_of, items, mapping, member, text

FILTERED: Final = frozenset({FaultKind.IMAGE_SAFETY, FaultKind.PROMPT_BLOCKED, FaultKind.PROHIBITED})
"""Refusals: said in a prediction, under status 200."""

_SENSITIVE_PROMPT: Final = re.compile(r"prompt could not be submitted|prompt contains|input prompt", re.IGNORECASE)
_CODES: Final = re.compile(r"support codes?: ([\d, ]{1,100}\d)", re.IGNORECASE)
_MEMBERS: Final = frozenset({"predictions", "positivePromptSafetyAttributes", "metadata", "model", "deployedModelId"})


def read_answer(response: WireResponse, wanted: int) -> Done | Fault:
    """What an answer means. Never raises."""
    if not 200 <= response.status < 300 or mapping(response.body, "error"):
        return read_error(response)
    pictures: list[Image] = []
    refused: list[Fault] = []
    for entry in items(response.body, "predictions"):
        if image := _read_picture(entry):
            pictures.append(image)
        elif fault := _read_refusal(entry, response.status):
            refused.append(fault)
    if not pictures:
        return _without_picture(response, refused)
    finals = range(min(len(pictures), max(wanted, 1)))
    return Done(
        parts=tuple(pictures),
        finals=tuple(finals),
        usage=Usage(images=len(pictures)),
        answered_by=text(response.body, "model"),
        shortfall=tuple(refused[: max(wanted - len(finals), 0)]),
    )


def _read_picture(entry: Any) -> Image | None:
    blob = blob_of(member(entry, "bytesBase64Encoded"))
    kind, uri = text(entry, "mimeType"), text(entry, "gcsUri")
    if blob:
        return Image(blob=blob, media_type=kind or blob.media_type)
    return Image(uri=uri, media_type=kind or None) if uri else None


def _read_refusal(entry: Any, status: int) -> Fault | None:
    """Why there is no picture; ``None`` for an entry that only says how safe the prompt is."""
    message = text(entry, "raiFilteredReason")
    if not message:
        if mapping(entry, "safetyAttributes"):
            return None
        return Fault(FaultKind.MALFORMED, "an entry without a picture", charged=Charged.UNKNOWN, status=status)
    kind = FaultKind.PROMPT_BLOCKED if _SENSITIVE_PROMPT.search(message) else FaultKind.IMAGE_SAFETY
    told = read_note(entry) or Fault(kind, charged=Charged.UNKNOWN)
    codes = _CODES.search(message)
    return replace(told, message=message, reason=told.reason or (codes[1] if codes else ""), status=status)


def _without_picture(response: WireResponse, refused: list[Fault]) -> Fault:
    if refused:
        return refused[0]
    body = response.body
    # Filtered pictures are missing when their reason was not asked for, and then all may be.
    if isinstance(body, dict) and not body.keys() - _MEMBERS:
        message = "no picture, and no reason"
        return Fault(FaultKind.NO_IMAGE, message, charged=Charged.UNKNOWN, status=response.status)
    return bare_fault(response)


def read_error(response: WireResponse) -> Fault:
    """Google's error. Never raises."""
    found = (mapping(entry, "error") for entry in entries_of(response.body) or (response.body,))
    error = next(filter(None, found), None)
    if error is None:
        return bare_fault(response)
    fault = read_google_error(error, response.status)
    if fault.kind is FaultKind.INVALID_REQUEST and _SENSITIVE_PROMPT.search(fault.message):
        fault = replace(fault, kind=FaultKind.PROMPT_BLOCKED)
    return replace(fault, retry_after_s=read_wait(fault.message, items(error, "details"), response.headers))


# --- writing ---------------------------------------------------------------------------------------------------------


def write_done(done: Done) -> WireResponse:
    """The pictures, and for each that is missing why."""
    pictures = [image for image in done.pictures if image.blob or image.uri]
    predictions = [*map(_write_picture, pictures), *map(_write_refusal, done.shortfall)]
    named = {"model": done.answered_by} if done.answered_by else {}
    return WireResponse(200, body={"predictions": predictions, **named})


def _write_picture(image: Image) -> dict[str, Any]:
    if image.blob is None:
        return {**({"mimeType": image.media_type} if image.media_type else {}), "gcsUri": image.uri or ""}
    return {"mimeType": image.media_type or image.blob.media_type, "bytesBase64Encoded": Spilled((image.blob,))}


def _write_refusal(fault: Fault) -> dict[str, Any]:
    message = fault.message or "Unable to show the generated image: it was filtered."
    entry = {"raiFilteredReason": message}
    return noted(entry, fault, lambda said: _read_refusal(said, fault.status) or fault)


def write_fault(fault: Fault, model: str) -> WireResponse:
    """A refusal as the one prediction; all else as Google's error."""
    if fault.kind in FILTERED and fault.retry_after_s is None:
        return WireResponse(200, body={"predictions": [_write_refusal(fault)]})
    return write_google_error(fault, model)
