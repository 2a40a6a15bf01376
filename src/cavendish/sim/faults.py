"""What can go wrong with a call, by name: the vocabulary of profiles, of request headers and of prompts.

A mishap is chosen by a profile's rates, by the header ``X-Cavendish-Sim: fault=no_image``, or by ``[sim:no_image]`` in
the prompt. The header and the prompt take the same words, see ``Wish``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from ..model.fault import FaultKind

WISH_HEADER = "X-Cavendish-Sim"
_IN_PROMPT = re.compile(r"\[sim:([^\]\n]{1,300})\]")
MAX_PICTURES = 32
MAX_BYTES = 1 << 30


class Mishap(StrEnum):
    """Everything that the simulator can do wrong, or merely differently, to one call."""

    # Answered with 200, but no picture.
    TEXT_ONLY = "text_only"
    NO_IMAGE = "no_image"
    IMAGE_OTHER = "image_other"
    IMAGE_SAFETY = "image_safety"
    IMAGE_PROHIBITED = "image_prohibited"
    IMAGE_RECITATION = "image_recitation"
    PROMPT_BLOCKED = "prompt_blocked"
    PROMPT_PROHIBITED = "prompt_prohibited"
    SAFETY = "safety"
    RECITATION = "recitation"
    PROHIBITED = "prohibited"
    BLOCKLIST = "blocklist"
    MAX_TOKENS = "max_tokens"
    # An error status.
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    TERSE_429 = "terse_429"
    FORBIDDEN = "forbidden"
    NO_CREDIT = "no_credit"
    # A body that no client expects.
    HTML_502 = "html_502"
    EMPTY_200 = "empty_200"
    NOT_JSON = "not_json"
    NO_CANDIDATES = "no_candidates"
    NOT_AN_IMAGE = "not_an_image"
    WRONG_TYPE = "wrong_type"
    GIGANTIC = "gigantic"
    DUPLICATE = "duplicate"
    # A good answer in an unusual shape.
    DRAFTS = "drafts"
    THOUGHTS = "thoughts"
    BIG_SIGNATURE = "big_signature"
    URL = "url"
    SHORT = "short"
    # A contact sheet that is none, or not whole; nothing to a picture that is to be no sheet.
    NO_GRID = "no_grid"
    UNEVEN_GRID = "uneven_grid"
    MISSING_CELL = "missing_cell"
    EMPTY_CELL = "empty_cell"
    TWIN_CELLS = "twin_cells"
    # The line.
    REFUSED = "refused"
    DROPPED = "dropped"
    CUT = "cut"
    RESET = "reset"
    TRICKLE = "trickle"
    HANG = "hang"


class Line(StrEnum):
    """What the connection does, whatever the answer is.

    ``REFUSED``: closed before the call was read; never billed. ``DROPPED``: closed after billing, before the first
    byte. ``CUT`` and ``RESET``: closed, or torn down, in the middle of the body. ``TRICKLE``: the body comes in
    drops. ``HANG``: billed, and never answered.
    """

    CLEAN = "clean"
    REFUSED = "refused"
    DROPPED = "dropped"
    CUT = "cut"
    RESET = "reset"
    TRICKLE = "trickle"
    HANG = "hang"


LINES = {
    Mishap.REFUSED: Line.REFUSED,
    Mishap.DROPPED: Line.DROPPED,
    Mishap.CUT: Line.CUT,
    Mishap.RESET: Line.RESET,
    Mishap.TRICKLE: Line.TRICKLE,
    Mishap.HANG: Line.HANG,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with status 200 and no picture: the provider's word and sentence for it."""

    kind: FaultKind
    reason: str
    message: str = ""


_CODE = "Support code: 10000000."
REFUSALS = {
    Mishap.NO_IMAGE: Refusal(FaultKind.NO_IMAGE, "NO_IMAGE"),
    Mishap.IMAGE_OTHER: Refusal(
        FaultKind.IMAGE_OTHER,
        "IMAGE_OTHER",
        "Simulated: the picture could not be made. You will not be charged for it.",
    ),
    Mishap.IMAGE_SAFETY: Refusal(
        FaultKind.IMAGE_SAFETY, "IMAGE_SAFETY", f"Simulated: the picture is withheld. {_CODE}"
    ),
    Mishap.IMAGE_PROHIBITED: Refusal(
        FaultKind.PROHIBITED, "IMAGE_PROHIBITED_CONTENT", f"Simulated: the picture is not allowed. {_CODE}"
    ),
    Mishap.IMAGE_RECITATION: Refusal(
        FaultKind.PROHIBITED, "IMAGE_RECITATION", f"Simulated: the picture resembles another too much. {_CODE}"
    ),
    Mishap.PROMPT_BLOCKED: Refusal(FaultKind.PROMPT_BLOCKED, "SAFETY"),
    Mishap.PROMPT_PROHIBITED: Refusal(FaultKind.PROMPT_BLOCKED, "PROHIBITED_CONTENT"),
    Mishap.SAFETY: Refusal(FaultKind.PROHIBITED, "SAFETY"),
    Mishap.RECITATION: Refusal(FaultKind.PROHIBITED, "RECITATION"),
    Mishap.PROHIBITED: Refusal(FaultKind.PROHIBITED, "PROHIBITED_CONTENT"),
    Mishap.BLOCKLIST: Refusal(FaultKind.PROHIBITED, "BLOCKLIST"),
    Mishap.MAX_TOKENS: Refusal(FaultKind.MAX_TOKENS, "MAX_TOKENS"),
    Mishap.TEXT_ONLY: Refusal(FaultKind.TEXT_ONLY, "STOP"),
}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """An error status: what a Google front end says with it, and how long it takes to say so."""

    kind: FaultKind
    status: int
    reason: str
    message: str
    latency_s: float = 0.2


BREAKDOWNS = {
    Mishap.SERVER_ERROR: Breakdown(
        FaultKind.SERVER_ERROR, 500, "INTERNAL", "Simulated: an internal error has occurred.", 2.0
    ),
    Mishap.OVERLOADED: Breakdown(
        FaultKind.OVERLOADED, 503, "UNAVAILABLE", "The model is overloaded. Please try again later.", 1.0
    ),
    Mishap.DEADLINE: Breakdown(
        FaultKind.TIMEOUT,
        504,
        "DEADLINE_EXCEEDED",
        "Simulated: the deadline expired before the answer was ready.",
        60.0,
    ),
    Mishap.TERSE_429: Breakdown(
        FaultKind.RATE_LIMITED, 429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."
    ),
    Mishap.FORBIDDEN: Breakdown(
        FaultKind.FORBIDDEN, 403, "PERMISSION_DENIED", "Simulated: this key has no right to use this model."
    ),
    Mishap.NO_CREDIT: Breakdown(
        FaultKind.NO_CREDIT, 429, "RESOURCE_EXHAUSTED", "Simulated: your prepayment credits are depleted."
    ),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request asks of the simulator.

    Words are separated by commas: ``fault=NAME`` (or the bare name; ``none`` for a faultless call),
    ``latency=SECONDS``, ``bytes=N`` (the least size of each picture's file), ``pictures=N`` (how many drafts),
    ``after=N`` (bytes before a cut), ``times=N`` (only the first N calls of this prompt, so that a retry succeeds),
    ``hits=N`` (of several pictures in one call, only the first N are refused), ``seed=N``.
    """

    mishap: Mishap | None = None
    faultless: bool = False
    latency_s: float | None = None
    least_bytes: int = 0
    pictures: int = 0
    after_bytes: int = 0
    times: int = 0
    hits: int = 0
    seed: int | None = None
    raw: str = field(default="", compare=False)


NO_WISH = Wish()


class UnknownWish(ValueError):
    """A word that the simulator does not know. The message lists those it does."""


def read_wish(text: str) -> Wish:
    """The wish in a header's or a prompt's words. Raises ``UnknownWish``."""
    fields: dict[str, object] = {}
    for word in filter(None, (part.strip() for part in re.split("[,;]", text))):
        name, equals, value = word.partition("=")
        name, value = (name.strip(), value.strip()) if equals else ("fault", name.strip())
        fields.update(_read_word(name, value))
    return Wish(raw=text, **fields)  # type: ignore[arg-type]


def wish_in(prompt: str) -> str:
    """The words of ``[sim:...]`` in a prompt, empty when there are none."""
    found = _IN_PROMPT.search(prompt)
    return found[1] if found else ""


def _read_word(name: str, value: str) -> dict[str, object]:
    try:
        if name == "fault":
            return {"faultless": True} if value in {"none", "ok"} else {"mishap": Mishap(value)}
        if name == "latency":
            return {"latency_s": min(3600.0, max(0.0, float(value)))}
        member, least, most = _NUMBERS[name]
        return {member: min(most, max(least, int(value)))}
    except (KeyError, ValueError) as error:
        faults = ", ".join(mishap.value for mishap in Mishap)
        message = f"not a word of the simulator: {name}={value}; it knows {_WORDS}; the faults are none, {faults}"
        raise UnknownWish(message) from error


_NUMBERS = {
    "bytes": ("least_bytes", 0, MAX_BYTES),
    "pictures": ("pictures", 1, MAX_PICTURES),
    "after": ("after_bytes", 0, MAX_BYTES),
    "times": ("times", 1, 1000),
    "hits": ("hits", 1, MAX_PICTURES),
    "seed": ("seed", 0, (1 << 63) - 1),
}
_WORDS = ", ".join(("fault", "latency", *_NUMBERS))
