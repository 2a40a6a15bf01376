"""Answers, both ways: what a generateContent reply means, and how a reply is said.

Which picture is the final one: parts marked as thoughts never are; of the others the last picture of a candidate is,
and those before it are drafts (Google's guide on thought parts; 66 answers measured by a reseller in 2026).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from ...model.call import Call, Done, Open
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image, Part
from ...model.usage import Usage
from ...wire.message import WireResponse
from ...wire.pictures_in_words import linked_pictures
from .errors import read_error
from .grounding import write_grounding
from .parts import write_part
from .refusals import DELIVERED, FINISH_KINDS, WITHHELD, read_block, read_refusal, write_block, write_refusal
from .stream import Candidate, Gathered, chunks_of, events_of, gather
from .usage import read_tier, read_usage, write_usage


def read_answer(response: WireResponse, call: Call) -> Done | Fault:
    """What an answer to ``Open`` means. Never raises."""
    if not 200 <= response.status < 300:
        return read_error(response, call)
    if response.binary is not None and not response.cut:
        return Done(parts=(Image(blob=response.binary, media_type=response.binary.media_type),), finals=(0,))
    answer = gather(events_of(response.body))
    _link_pictures(answer)
    done = _done(answer, _wanted(call))
    if response.cut or answer.error is not None:
        return done if done and _is_whole(answer) else _broken(response, answer, call)
    return done or _without_picture(response, answer, call)


def read_drafts(event: Any) -> tuple[Image, ...]:
    """Pictures that are thoughts: no later event makes one of them the picture. Never raises."""
    parts = [part for candidate in gather(events_of(event)).in_order for part in candidate.parts]
    return tuple(part for part in parts if isinstance(part, Image) and part.thought)


def _wanted(call: Call) -> int:
    return max(call.request.n, 1) if isinstance(call, Open) else 1


def _picture(parts: Sequence[Part]) -> int | None:
    """Where the last picture stands that is no thought."""
    places = [i for i, part in enumerate(parts) if isinstance(part, Image) and not part.thought]
    return places[-1] if places else None


def _final(candidate: Candidate) -> int | None:
    """Where the picture to deliver stands."""
    return None if candidate.finish in WITHHELD else _picture(candidate.parts)


def _link_pictures(answer: Gathered) -> None:
    """A candidate without a picture may name the address of one in its words."""
    for candidate in answer.candidates.values():
        if _picture(candidate.parts) is None and candidate.finish not in WITHHELD:
            candidate.parts = [part for own in candidate.parts for part in linked_pictures(own)]


def _done(answer: Gathered, wanted: int) -> Done | None:
    parts: list[Part] = []
    finals: list[int] = []
    finishes: list[str] = []
    refused: list[Candidate] = []
    for candidate in answer.in_order:
        place = _final(candidate)
        if place is None:
            refused.append(candidate)
            continue
        if len(finals) < wanted:
            finals.append(len(parts) + place)
            finishes.append(candidate.finish)
        parts += candidate.parts
    if not finals:
        return None
    return Done(
        parts=tuple(parts),
        finals=tuple(finals),
        usage=_usage(answer, with_picture=True),
        finish=next(filter(None, finishes), ""),
        answered_by=answer.model,
        response_id=answer.response_id,
        grounding=answer.grounding,
        shortfall=tuple(read_refusal(c.finish, c.message, c.parts) for c in refused[: wanted - len(finals)]),
        tier=read_tier(answer.usage),
    )


def _usage(answer: Gathered, *, with_picture: bool) -> Usage:
    return read_usage(answer.usage, with_picture=with_picture, grounding=answer.grounding)


def _is_whole(answer: Gathered) -> bool:
    """Whether every candidate had its finish word: what follows can only have been a formality."""
    return all(candidate.finish for candidate in answer.in_order)


def _broken(response: WireResponse, answer: Gathered, call: Call) -> Fault:
    """The line broke, or an error came, before the answer was whole. What was begun may well be billed."""
    usage = _usage(answer, with_picture=False)
    if answer.error is not None:
        fault = read_error(replace(response, body=answer.error, cut=False), call)
        return replace(fault, usage=usage, charged=Charged.UNKNOWN) if answer.candidates else fault
    message = "the answer broke off" if answer.known else "the line broke before the answer"
    return Fault(FaultKind.CUT, message, charged=Charged.UNKNOWN, status=response.status, usage=usage)


def _without_picture(response: WireResponse, answer: Gathered, call: Call) -> Fault:
    usage = _usage(answer, with_picture=False)
    if answer.block and answer.block != "BLOCKED_REASON_UNSPECIFIED":
        return read_block(answer.block, answer.block_message, usage)
    if candidates := answer.in_order:
        told = next((c for c in candidates if c.finish in FINISH_KINDS), candidates[0])
        return read_refusal(told.finish, told.message, told.parts, usage)
    if answer.known:
        return read_refusal("", "", (), usage)
    return read_error(response, call)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_done(done: Done, *, stream: bool, vertex: bool = False) -> WireResponse:
    """An answer with pictures: one candidate for each, and one for each that is missing."""
    drawn = bool(done.finals) or not done.shortfall
    usage = write_usage(done.usage, with_picture=drawn, tier=done.tier, vertex=vertex)
    said = _Said(_trailer(usage, done.answered_by, done.response_id))
    for parts in _candidates(done):
        said.add(parts, {"finishReason": done.finish if done.finish in DELIVERED else "STOP"})
    if done.grounding:
        said.endings[0]["groundingMetadata"] = write_grounding(done.grounding)
    for fault in done.shortfall:
        said.add((), write_refusal(fault))
    if vertex and len(said.endings) == 1:
        del said.endings[0]["index"]
    return said.as_stream() if stream else said.as_one()


def write_refused(fault: Fault, *, stream: bool, vertex: bool = False) -> WireResponse:
    """An answer without a picture, as Google words it: status 200."""
    trailer = _trailer(write_usage(fault.usage, with_picture=False, vertex=vertex))
    if fault.kind is FaultKind.PROMPT_BLOCKED:
        body = {"promptFeedback": write_block(fault), **trailer}
    else:
        body = {"candidates": [write_refusal(fault)], **trailer}
    return WireResponse(200, body=[body] if stream else body, stream=stream)


NOTHING_COUNTED: Final = {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}
"""Where the upstream told no usage: clients were seen that fail without any."""


def _trailer(usage: dict[str, Any], model: str = "", response_id: str = "") -> dict[str, Any]:
    written = {"usageMetadata": usage or NOTHING_COUNTED, "modelVersion": model, "responseId": response_id}
    return {name: value for name, value in written.items() if value}


def _candidates(done: Done) -> Iterator[tuple[Part, ...]]:
    """The parts of each final picture: what comes before it, and with the last one all that comes after."""
    finals = sorted({i for i in done.finals if 0 <= i < len(done.parts)})
    start = 0
    for number, final in enumerate(finals, start=1):
        end = final + 1 if number < len(finals) else len(done.parts)
        yield _with_final_last(done.parts[start:final], done.parts[final], done.parts[final + 1 : end])
        start = end
    if not finals and not done.shortfall:
        yield done.parts


def _with_final_last(before: Sequence[Part], final: Part, after: Sequence[Part]) -> tuple[Part, ...]:
    """A draft that follows the final picture would be taken for it, so it goes before."""
    drafts = [part for part in after if isinstance(part, Image) and not part.thought]
    return (*before, *drafts, final, *(part for part in after if part not in drafts))


class _Said:
    """What the candidates say, and how each of them ends."""

    def __init__(self, trailer: dict[str, Any]) -> None:
        self.trailer = trailer
        self.spoken: list[Sequence[Part]] = []
        self.endings: list[dict[str, Any]] = []

    def add(self, parts: Sequence[Part], ending: dict[str, Any]) -> None:
        """One candidate more."""
        self.endings.append({**ending, "index": len(self.endings)})
        self.spoken.append(parts)

    def as_one(self) -> WireResponse:
        candidates = [
            {"content": _content([write_part(part) for part in parts]), **ending} if parts else ending
            for parts, ending in zip(self.spoken, self.endings, strict=True)
        ]
        return WireResponse(200, body={"candidates": candidates, **self.trailer})

    def as_stream(self) -> WireResponse:
        named = {name: value for name, value in self.trailer.items() if name != "usageMetadata"}
        events = [
            {"candidates": [{"content": _content(chunk), "index": index}], **named}
            for index, parts in enumerate(self.spoken)
            for chunk in chunks_of(parts)
        ]
        return WireResponse(200, body=[*events, {"candidates": self.endings, **self.trailer}], stream=True)


def _content(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "model", "parts": parts}
