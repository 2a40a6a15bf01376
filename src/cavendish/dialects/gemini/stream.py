"""The events of an answer put together, and an answer taken apart into events.

An answer that is not streamed is one event. In a stream a picture is one whole part in one event; only text is split
(snapshot of a recording in pydantic-ai, 2025). The last event carries the finish words and the usage (assumed: no
recording shows it with pictures).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, cast

from ...model.call import GroundingNote
from ...model.request import Part, Text
from ...wire.reading import integer, items, mapping, member, snake, text
from .grounding import read_grounding
from .parts import read_parts, write_part

MAX_EVENTS: Final = 20_000
"""As many as the reader of event streams gives."""


@dataclass(slots=True)
class Candidate:
    """One answer of the model, as far as it arrived."""

    parts: list[Part] = field(default_factory=list[Part])
    finish: str = ""
    message: str = ""
    grounding: GroundingNote | None = None


@dataclass(slots=True)
class Gathered:
    """All events up to the first error. ``known`` says that anything at all looked like an answer."""

    candidates: dict[int, Candidate] = field(default_factory=dict[int, Candidate])
    block: str = ""
    block_message: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: str = ""
    response_id: str = ""
    error: Mapping[str, Any] | None = None
    known: bool = False

    @property
    def grounding(self) -> GroundingNote | None:
        """What the answer says of its searches: Google gives the grounding to one candidate."""
        return next((candidate.grounding for candidate in self.in_order if candidate.grounding), None)

    @property
    def in_order(self) -> list[Candidate]:
        """The candidates by their index."""
        return [candidate for _, candidate in sorted(self.candidates.items())]


_KNOWN: Final = ("candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId")


def events_of(body: Any) -> tuple[Mapping[str, Any], ...]:
    """The objects of a body: the one that it is, or those of a list (a stream, or a wrapped error)."""
    entries = cast("Sequence[Any]", body)[:MAX_EVENTS] if isinstance(body, list | tuple) else (body,)
    return tuple(cast("Mapping[str, Any]", entry) for entry in entries if isinstance(entry, Mapping))


def gather(events: Iterable[Mapping[str, Any]]) -> Gathered:
    """Put events together. Never raises."""
    answer = Gathered()
    for event in events:
        if member(event, "error") is not None and not items(event, "candidates"):
            answer.error = event
            break
        _take(answer, event)
    return answer


def _take(answer: Gathered, event: Mapping[str, Any]) -> None:
    answer.known = answer.known or any(name in event or snake(name) in event for name in _KNOWN)
    for position, value in enumerate(items(event, "candidates")):
        index = integer(value, "index")
        _add(answer.candidates.setdefault(position if index is None else index, Candidate()), value)
    feedback = mapping(event, "promptFeedback")
    answer.block = _word(feedback, "blockReason") or answer.block
    answer.block_message = text(feedback, "blockReasonMessage") or answer.block_message
    answer.usage = mapping(event, "usageMetadata") or answer.usage
    answer.model = text(event, "modelVersion") or answer.model
    answer.response_id = text(event, "responseId") or answer.response_id


def _add(candidate: Candidate, value: Any) -> None:
    _join(candidate.parts, read_parts(items(mapping(value, "content"), "parts")))
    candidate.finish = _word(value, "finishReason") or candidate.finish
    candidate.message = text(value, "finishMessage") or candidate.message
    candidate.grounding = read_grounding(value) or candidate.grounding


def _word(value: Any, name: str) -> str:
    return text(value, name).strip().upper()


def _join(parts: list[Part], new: list[Part]) -> None:
    """Text that goes on where the event before ended is one text."""
    if parts and new and _goes_on(parts[-1], new[0]):
        before, after = cast("Text", parts.pop()), cast("Text", new[0])
        parts.append(replace(before, text=before.text + after.text, signature=before.signature or after.signature))
        new = new[1:]
    parts += new


def _goes_on(before: Part, after: Part) -> bool:
    texts = isinstance(before, Text) and isinstance(after, Text) and before.thought == after.thought
    return texts and (before.signature is None or after.signature is None)


# --- writing ---------------------------------------------------------------------------------------------------------


def chunks_of(parts: Sequence[Part]) -> list[list[dict[str, Any]]]:
    """Parts spread over events: each picture in its own, a run of texts split in the middle of its first.

    Two texts that stand side by side share an event, so that they are not taken for one.
    """
    chunks: list[list[dict[str, Any]]] = []
    for is_text, run in groupby(parts, key=lambda part: isinstance(part, Text)):
        written = [write_part(part) for part in run]
        if is_text:
            first, second = _split(written[0])
            chunks += [[first], [second, *written[1:]]] if second else [written]
        else:
            chunks += [[entry] for entry in written]
    return chunks


def _split(entry: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both halves of a text; the second is empty when there is nothing to split. The signature goes with the first."""
    words = entry["text"]
    middle = len(words) // 2
    if not middle:
        return entry, {}
    marks = {"thought": True} if entry.get("thought") else {}
    return {**entry, "text": words[:middle]}, {"text": words[middle:], **marks}
