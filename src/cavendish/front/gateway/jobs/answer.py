"""Answer to reply: the outcomes of a job as the one reply that a dialect can write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ....model.call import Done, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Part, Text
from ....model.result import Picture
from ....wire.openai_usage import total_usage
from ..wants import Answer

TELLING = (
    FaultKind.PROMPT_BLOCKED,
    FaultKind.PROHIBITED,
    FaultKind.INVALID_REQUEST,
    FaultKind.IMAGE_SAFETY,
    FaultKind.BUDGET,
)
"""Of several faults the one that says most to the caller, the first of these."""

OWN_ACCOUNT = frozenset(
    {FaultKind.BAD_KEY, FaultKind.FORBIDDEN, FaultKind.NO_CREDIT, FaultKind.NO_QUOTA, FaultKind.SPEND_LIMIT}
)
"""What a provider says of the gateway's own key. The caller's key is good, and its client must not be told otherwise:
it would ask for another one, or take its own credit for spent."""


def reply_of(answer: Answer) -> Reply:
    """All pictures in one reply, with why others are missing; a fault when there is none at all."""
    if not answer.pictures:
        return worst(answer.faults)
    parts: list[Part] = []
    finals: list[int] = []
    for picture in answer.pictures:
        own = _parts(picture, answer.request)
        finals.append(len(parts) + own.index(_final(picture)))
        parts += own
    first = answer.pictures[0]
    return Done(
        parts=tuple(parts),
        finals=tuple(finals),
        usage=total_usage(picture.usage for picture in answer.pictures),
        finish=first.finish,
        answered_by=first.answered_by or first.route.wire_model,
        response_id=answer.job_id,
        grounding=next((picture.grounding for picture in answer.pictures if picture.grounding), None),
        shortfall=tuple(map(outward, answer.faults)),
        notices=answer.notices,
    )


def worst(faults: Sequence[Fault]) -> Fault:
    """The fault that tells a caller most."""
    told = [fault for kind in TELLING for fault in faults if fault.kind is kind]
    chosen = (*told, *faults)[0]
    usage = total_usage(fault.usage for fault in faults)
    return replace(outward(chosen), usage=usage)


def outward(fault: Fault) -> Fault:
    """A fault as a caller may be told it."""
    if fault.kind not in OWN_ACCOUNT:
        return fault
    words = fault.kind.value.replace("_", " ")
    message = f"the gateway's own account at the provider cannot draw this: {words}; its operator can mend it"
    return Fault(FaultKind.SERVER_ERROR, message, charged=fault.charged, reason=f"upstream_{fault.kind.value}")


def _final(picture: Picture) -> Image:
    return Image(blob=picture.blob, media_type=picture.blob.media_type, signature=picture.signature)


def _parts(picture: Picture, request: ImageRequest) -> list[Part]:
    """The picture with what the model said and drew around it, thoughts only when they were asked for."""
    before, after = picture.extras[: picture.place], picture.extras[picture.place :]
    around = [*before, _final(picture), *after]
    kept = [part for part in around if request.include_thoughts or not part.thought]
    said = any(isinstance(part, Text) and not part.thought for part in kept)
    return kept if said or not picture.text else [Text(picture.text), *kept]
