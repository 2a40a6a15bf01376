"""Answers, read: what a reply of chat/completions means.

Which picture is the final one: of one choice the last that were asked for, and those before them are drafts (relays
hand all pictures of a Gemini model on in one message); of several choices the last of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...model.call import Done, Open
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image, Part
from ...model.usage import Usage
from ...wire.fault_note import read_note
from ...wire.message import WireResponse
from ...wire.openai_error import error_of, has_large_picture, read_error, read_error_object
from ...wire.openai_pictures import words_of
from ...wire.openai_usage import read_usage
from ...wire.reading import mapping
from .choices import Choice, Gathered, gather

K = FaultKind

FINISH_KINDS: Final[Mapping[str, FaultKind]] = {
    "CONTENT_FILTER": K.IMAGE_SAFETY,
    "LENGTH": K.MAX_TOKENS,
    "MAX_TOKENS": K.MAX_TOKENS,
    "IMAGE_SAFETY": K.IMAGE_SAFETY,
    "NO_IMAGE": K.NO_IMAGE,
    "IMAGE_OTHER": K.IMAGE_OTHER,
    "OTHER": K.IMAGE_OTHER,
    "SAFETY": K.PROHIBITED,
    "PROHIBITED_CONTENT": K.PROHIBITED,
    "IMAGE_PROHIBITED_CONTENT": K.PROHIBITED,
    "RECITATION": K.PROHIBITED,
    "IMAGE_RECITATION": K.PROHIBITED,
    "BLOCKLIST": K.PROHIBITED,
    "SPII": K.PROHIBITED,
}
"""What a choice without a picture means by its finish word, OpenAI's or the one of Google that a relay passes on."""

WITHHELD: Final = frozenset(
    word for word, kind in FINISH_KINDS.items() if kind in {K.IMAGE_SAFETY, K.PROHIBITED, K.IMAGE_OTHER, K.NO_IMAGE}
) - {"OTHER"}
"""With these words, whatever pictures came before are drafts of one that was withheld."""


def read_answer(response: WireResponse, call: Open) -> Done | Fault:
    """What an answer to ``Open`` means. Never raises."""
    large = has_large_picture(call.request)
    if not 200 <= response.status < 300:
        return read_error(response, large_pictures=large)
    if response.binary is not None and not response.cut:
        return Done(parts=(Image(blob=response.binary, media_type=response.binary.media_type),), finals=(0,))
    answer = gather(response.body)
    done = _done(answer, max(call.request.n, 1))
    if response.cut or answer.error is not None:
        return done if done and _is_whole(answer) else _broken(response, answer, large=large)
    return done or _without_picture(response, answer, large=large)


def _done(answer: Gathered, wanted: int) -> Done | None:
    parts: list[Part] = list(answer.listed)
    finals = [i for i, part in enumerate(parts) if isinstance(part, Image)][:wanted]
    choices, refused = answer.in_order, [*answer.faults]
    finishes: list[str] = []
    for choice in choices:
        said = choice.parts()
        places = [] if _is_withheld(choice) else _pictures(said)
        if not places:
            refused.append(_refusal(choice, said))
            continue
        several = wanted if len(choices) == 1 else 1
        finals += [len(parts) + place for place in places[-several:]][: wanted - len(finals)]
        finishes.append(choice.finish)
        parts += said
    if not finals:
        return None
    return Done(
        parts=tuple(parts),
        finals=tuple(finals),
        usage=read_usage(answer.usage, with_picture=True),
        finish=next(filter(None, finishes), ""),
        answered_by=answer.model,
        response_id=answer.response_id,
        shortfall=tuple(refused[: wanted - len(finals)]),
    )


def _pictures(parts: Sequence[Part]) -> list[int]:
    return [i for i, part in enumerate(parts) if isinstance(part, Image)]


def _is_withheld(choice: Choice) -> bool:
    return bool({choice.finish.upper(), choice.native.upper()} & WITHHELD)


def _is_whole(answer: Gathered) -> bool:
    """Whether every choice had its finish word: what follows can only have been a formality."""
    return bool(answer.choices) and all(choice.finish for choice in answer.in_order)


def _broken(response: WireResponse, answer: Gathered, *, large: bool) -> Fault:
    """The line broke, or an error came, before the answer was whole. What was begun may well be billed."""
    usage = read_usage(answer.usage, with_picture=False)
    if answer.error is not None:
        fault = read_error(replace(response, body=answer.error, cut=False), large_pictures=large)
        fault = replace(fault, charged=Charged.UNKNOWN) if answer.choices else fault
        return replace(fault, usage=usage) if usage.reported else fault
    message = "the answer broke off" if answer.known else "the line broke before the answer"
    return Fault(K.CUT, message, charged=Charged.UNKNOWN, status=response.status, usage=usage)


def _without_picture(response: WireResponse, answer: Gathered, *, large: bool) -> Fault:
    usage = read_usage(answer.usage, with_picture=False)
    if answer.in_order:
        faults = [_refusal(choice, choice.parts(), usage) for choice in answer.in_order]
        return next((fault for fault in faults if fault.kind not in {K.TEXT_ONLY, K.NO_IMAGE}), faults[0])
    if answer.faults:
        return replace(answer.faults[0], usage=usage)
    if error_of(response.body) is None and answer.known:
        return Fault(K.NO_IMAGE, charged=_charged(usage), status=response.status, usage=usage)
    return read_error(response, large_pictures=large)


def _refusal(choice: Choice, parts: Sequence[Part], usage: Usage | None = None) -> Fault:
    """Why a choice holds no picture."""
    used = Usage() if usage is None else usage
    said = words_of(parts)
    if told := read_note(choice.last):
        return replace(told, message=choice.refusal, status=200)
    if error := mapping(choice.last, "error"):
        fault = read_error_object(error, 200)
        return replace(fault, text=fault.text or said, usage=used if used.reported else fault.usage)
    return Fault(
        _kind(choice, said),
        choice.refusal,
        charged=_charged(used),
        reason=choice.native or choice.finish,
        status=200,
        text=said,
        usage=used,
    )


def _kind(choice: Choice, said: str) -> FaultKind:
    for word in (choice.native, choice.finish):
        if kind := FINISH_KINDS.get(word.strip().upper()):
            return kind
    if choice.refusal:
        return K.PROHIBITED
    return K.TEXT_ONLY if said.strip() else K.NO_IMAGE


def _charged(usage: Usage) -> Charged:
    if usage.output_image_tokens or usage.output_text_tokens or usage.thought_tokens:
        return Charged.YES
    return Charged.NO if usage.reported else Charged.UNKNOWN


def read_refused(choice: Mapping[str, Any], usage: Usage) -> Fault:
    """How a refusal that was just written will be read."""
    answer = gather({"choices": [choice]})
    (found,) = answer.in_order
    return _refusal(found, found.parts(), usage)
