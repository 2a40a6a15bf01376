"""Answers, written: a reply as chat/completions says it, at once or in events.

Each picture is a choice of its own with the words that came before it; in a choice, thoughts come first, then words,
then pictures, the final one last. A picture that is missing is a choice with an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ...model.call import Done
from ...model.fault import Fault, FaultKind
from ...model.request import Image, Part, Text
from ...model.usage import Usage
from ...wire.fault_note import noted
from ...wire.message import Spilled, WireResponse
from ...wire.openai_error import error_object
from ...wire.openai_pictures import words_of
from ...wire.openai_usage import write_chat_usage
from .messages import as_markdown, joined, write_images
from .reply import FINISH_KINDS, WITHHELD, read_refused
from .spelling import Answers

K = FaultKind

_FINISH_OF: Final[Mapping[FaultKind, str]] = {
    K.TEXT_ONLY: "stop",
    K.NO_IMAGE: "stop",
    K.IMAGE_OTHER: "stop",
    K.IMAGE_SAFETY: "content_filter",
    K.PROHIBITED: "content_filter",
    K.MAX_TOKENS: "length",
}
"""Refusals that a chat answers with status 200."""

DELIVERED: Final = frozenset({"stop", "length", "tool_calls"})
"""Finish words of OpenAI that may stand beside a picture."""


def write_done(done: Done, answers: Answers, *, stream: bool) -> WireResponse:
    """An answer with pictures: one choice for each, and one for each that is missing."""
    choices = [
        {"index": index, "message": _message(parts, answers), "finish_reason": _finish(done.finish)}
        for index, parts in enumerate(_choices(done))
    ]
    for fault in done.shortfall:
        message = {"role": "assistant", "content": fault.text}
        error = error_object(fault, 200)
        choices.append({"index": len(choices), "message": message, "finish_reason": "error", "error": error})
    return _response(choices, done.usage, done.answered_by, done.response_id, stream=stream)


def _finish(word: str) -> str:
    unheard = not word or word.upper() in WITHHELD
    return "stop" if unheard else word


def is_refusal(fault: Fault) -> bool:
    """Whether a chat would answer this with status 200."""
    return fault.kind in _FINISH_OF


def write_refused(fault: Fault, *, stream: bool) -> WireResponse:
    """An answer without a picture."""
    refusal = {"refusal": fault.message} if fault.message else {}
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": fault.text, **refusal},
        "finish_reason": _FINISH_OF[fault.kind],
        **({"native_finish_reason": fault.reason} if fault.reason.upper() in FINISH_KINDS else {}),
    }
    choice = noted(choice, fault, lambda said: read_refused(said, fault.usage))
    return _response([choice], fault.usage, "", "", stream=stream)


# --- choices ---------------------------------------------------------------------------------------------------------


def _choices(done: Done) -> Iterator[list[Part]]:
    """The parts of each final picture: what comes before it, with the last one also all that comes after."""
    finals = sorted(done.finals)
    start = 0
    for number, final in enumerate(finals, start=1):
        end = final + 1 if number < len(finals) else len(done.parts)
        besides = [*done.parts[start:final], *done.parts[final + 1 : end]]
        yield [*(part for part in besides if not (isinstance(part, Image) and part.thought)), done.parts[final]]
        start = end


def _message(parts: Sequence[Part], answers: Answers) -> dict[str, Any]:
    thoughts = "\n".join(part.text for part in parts if isinstance(part, Text) and part.thought)
    pictures = [part for part in parts if isinstance(part, Image)]
    words = words_of(parts)
    message: dict[str, Any] = {"role": "assistant", "content": words}
    if answers != "images":
        spoken: list[Part] = [Text(words)] if words else []
        message["content"] = as_markdown([*spoken, *pictures])
    if answers != "markdown":
        message["images"] = write_images(pictures)
    return {**message, "reasoning": thoughts} if thoughts else message


def _response(
    choices: Sequence[Mapping[str, Any]], usage: Usage, model: str, response_id: str, *, stream: bool
) -> WireResponse:
    common: dict[str, Any] = {
        "id": response_id,
        "object": "chat.completion.chunk" if stream else "chat.completion",
        "created": 0,
        "model": model,
    }
    used = {"usage": write_chat_usage(usage)} if usage.reported else {}
    if not stream:
        return WireResponse(200, body={**common, "choices": list(choices), **used})
    events = [{**common, "choices": [delta]} for choice in choices for delta in _deltas(choice)]
    return WireResponse(200, body=[*events, *([{**common, "choices": [], **used}] if used else [])], stream=True)


def _deltas(choice: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A choice in pieces: its thoughts, its words in two halves, each picture, and how it ended."""
    message, index = choice["message"], choice["index"]
    ending = {name: value for name, value in choice.items() if name not in {"message", "index"}}
    for delta in _pieces(message):
        yield {"index": index, "delta": {"role": "assistant", **delta}, "finish_reason": None}
    yield {"index": index, "delta": {}, **ending}


def _pieces(message: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if "reasoning" in message:
        yield {"content": "", "reasoning": message["reasoning"]}
    for words in _halves(message["content"]):
        yield {"content": words}
    for image in message.get("images", ()):
        yield {"content": "", "images": [image]}
    if "refusal" in message:
        yield {"content": "", "refusal": message["refusal"]}


def _halves(content: str | Spilled) -> Iterator[Any]:
    """Words in two pieces; a picture among them stays in one with the words before it."""
    if isinstance(content, str):
        middle = len(content) // 2
        yield from filter(None, (content[:middle], content[middle:]))
        return
    run: list[Any] = []
    for piece in content.pieces:
        if run and isinstance(piece, str):
            yield Spilled(tuple(joined(run)))
            run = []
        run.append(piece)
    yield Spilled(tuple(joined(run)))
