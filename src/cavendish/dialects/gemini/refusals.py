"""Refusals: answers with status 200 and no picture to deliver, both ways.

Google says why in ``promptFeedback.blockReason`` when the prompt was blocked, else in a candidate's ``finishReason``,
with a sentence in ``finishMessage``. Words from google-genai 3.4.0, ``FinishReason`` and ``BlockedReason``.

``charged`` goes by what the answer reports: billed when the model wrote any tokens, unless the message says that it is
not. What an endpoint bills otherwise is its pricing's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Part, Text
from ...model.usage import NOTHING_USED, Usage

K = FaultKind

FINISH_KINDS: Final[Mapping[str, FaultKind]] = {
    "NO_IMAGE": K.NO_IMAGE,
    "CONTINUATION": K.NO_IMAGE,
    "IMAGE_OTHER": K.IMAGE_OTHER,
    "OTHER": K.IMAGE_OTHER,
    "IMAGE_SAFETY": K.IMAGE_SAFETY,
    "PROHIBITED_CONTENT": K.PROHIBITED,
    "IMAGE_PROHIBITED_CONTENT": K.PROHIBITED,
    "SAFETY": K.PROHIBITED,
    "RECITATION": K.PROHIBITED,
    "IMAGE_RECITATION": K.PROHIBITED,
    "BLOCKLIST": K.PROHIBITED,
    "SPII": K.PROHIBITED,
    "MODEL_ARMOR": K.PROHIBITED,
    "ESCALATION": K.PROHIBITED,
    "PUP_LIMITED_DISABLED": K.PROHIBITED,
    "LANGUAGE": K.INVALID_REQUEST,
    "MAX_TOKENS": K.MAX_TOKENS,
    "MISSING_THOUGHT_SIGNATURE": K.LOST_SIGNATURE,
    "MALFORMED_FUNCTION_CALL": K.MALFORMED,
    "MALFORMED_RESPONSE": K.MALFORMED,
    "UNEXPECTED_TOOL_CALL": K.MALFORMED,
    "TOO_MANY_TOOL_CALLS": K.MALFORMED,
}
"""What a candidate without a picture means by its finish word. With any other (``STOP``, none, a new one) the model
spoke instead of drawing, or did nothing."""

WITHHELD: Final = frozenset(
    word
    for word, kind in FINISH_KINDS.items()
    if kind in {K.NO_IMAGE, K.IMAGE_OTHER, K.IMAGE_SAFETY, K.PROHIBITED} and word not in {"OTHER", "CONTINUATION"}
)
"""With these words, whatever pictures came before are drafts of one that was withheld."""

DELIVERED: Final = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED", *FINISH_KINDS}) - WITHHELD
"""Finish words that may stand beside a picture."""

BLOCK_WORDS: Final = frozenset(
    {"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK"}
)

_WORD_OF: Final[Mapping[FaultKind, str]] = {
    K.NO_IMAGE: "NO_IMAGE",
    K.IMAGE_OTHER: "IMAGE_OTHER",
    K.IMAGE_SAFETY: "IMAGE_SAFETY",
    K.PROHIBITED: "PROHIBITED_CONTENT",
    K.TEXT_ONLY: "STOP",
    K.MAX_TOKENS: "MAX_TOKENS",
}
"""The word for a refusal whose own word Google does not know: it came from another wire format."""

_FREE: Final = "not be charged"


def read_refusal(finish: str, message: str, parts: Iterable[Part], usage: Usage = NOTHING_USED) -> Fault:
    """Why a candidate holds no picture."""
    said = "\n".join(part.text for part in parts if isinstance(part, Text) and not part.thought)
    return Fault(
        FINISH_KINDS.get(finish) or _kind_by_words(said),
        message,
        charged=_charged(message, usage),
        reason=finish,
        status=200,
        text=said,
        usage=usage,
    )


def _kind_by_words(said: str) -> FaultKind:
    return K.TEXT_ONLY if said.strip() else K.NO_IMAGE


def read_block(reason: str, message: str, usage: Usage) -> Fault:
    """A prompt that was blocked before any work."""
    charged = _charged(message, usage)
    return Fault(K.PROMPT_BLOCKED, message, charged=charged, reason=reason, status=200, usage=usage)


def _charged(message: str, usage: Usage) -> Charged:
    wrote = usage.output_image_tokens or usage.output_text_tokens or usage.thought_tokens
    return Charged.YES if wrote and _FREE not in message.lower() else Charged.NO


def is_refusal(fault: Fault) -> bool:
    """Whether Google would answer this with status 200."""
    said_so = fault.status == 200 and FINISH_KINDS.get(fault.reason) is fault.kind
    return said_so or fault.kind in _WORD_OF or fault.kind is K.PROMPT_BLOCKED


def write_refusal(fault: Fault, index: int = 0) -> dict[str, Any]:
    """The candidate of an answer without a picture."""
    content = {"role": "model", "parts": [{"text": fault.text}]} if fault.text else {}
    candidate: dict[str, Any] = {"content": content, "finishReason": _finish_word(fault), "index": index}
    if fault.message:
        candidate["finishMessage"] = fault.message
    return candidate


def _finish_word(fault: Fault) -> str:
    meant = _kind_by_words(fault.text) if fault.reason == "STOP" else FINISH_KINDS.get(fault.reason)
    return fault.reason if meant is fault.kind else _WORD_OF.get(fault.kind, "OTHER")


def write_block(fault: Fault) -> dict[str, Any]:
    """The ``promptFeedback`` of a blocked prompt. Vertex AI alone gives a message with it."""
    feedback = {"blockReason": fault.reason if fault.reason in BLOCK_WORDS else "OTHER"}
    return {**feedback, "blockReasonMessage": fault.message} if fault.message else feedback
