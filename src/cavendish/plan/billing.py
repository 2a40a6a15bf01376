"""Whether a call that gave no picture was billed, by the rules of whoever sends the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..model.fault import Charged, Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of biller treats calls that gave no picture.

    ``left`` is for calls that we gave up, by time-out or by choice. ``errors_free``: no error status is ever billed;
    else what the dialect found stands, and a proxy's word that the answer failed or took too long leaves it unknown.
    ``counts_tokens``: an answer in words is billed by the tokens that were written.
    """

    left: Charged
    errors_free: bool
    counts_tokens: bool


RULES: Mapping[str, Rule] = {
    # Whether a call that was given up is billed, Google does not say.
    "google": Rule(Charged.UNKNOWN, errors_free=True, counts_tokens=True),
    # docs.apiyi.com, 2026-11: a client that hangs up is billed, its result is lost; 4xx, 429 and 503 are not.
    "relay_tokens": Rule(Charged.YES, errors_free=False, counts_tokens=True),
    "relay_per_request": Rule(Charged.YES, errors_free=False, counts_tokens=False),
    # What the wire format's own answers say stands: Ark, Black Forest Labs, fal, OpenAI, OpenRouter.
    "as_told": Rule(Charged.UNKNOWN, errors_free=False, counts_tokens=True),
}

FREE_WORDS = "not be charged"
"""In Google's sentence for a picture that could not be drawn, which is not billed although the answer is a 200."""

_BY_A_PROXY = frozenset({502, 504, 520, 522, 524})
_LEFT = frozenset({FaultKind.TIMEOUT, FaultKind.CANCELLED})
_ON_THE_WAY = _LEFT | {FaultKind.CUT}
_PICTURE_REFUSED = frozenset({FaultKind.IMAGE_SAFETY, FaultKind.PROHIBITED})
_ANSWERED = _PICTURE_REFUSED | {
    FaultKind.PROMPT_BLOCKED,
    FaultKind.IMAGE_OTHER,
    FaultKind.NO_IMAGE,
    FaultKind.TEXT_ONLY,
    FaultKind.MAX_TOKENS,
}


def charged(fault: Fault, billing: str, *, bills_refusals: bool | None = None) -> Fault:
    """The fault with ``charged`` as this biller has it. ``billing`` names one of ``RULES``.

    What the dialect found stands where the rule knows no better. ``bills_refusals``: every answer without a picture is
    billed (true), a refused picture is not (false), or it goes by the tokens that were written.
    """
    return replace(fault, charged=_verdict(fault, RULES[billing], bills_refusals=bills_refusals))


def _verdict(fault: Fault, rule: Rule, *, bills_refusals: bool | None) -> Charged:
    if FREE_WORDS in fault.message.lower():
        return Charged.NO
    if fault.kind in _ANSWERED and fault.status < 400:
        return _answered(fault, rule, bills_refusals=bills_refusals)
    if fault.charged is Charged.YES:
        return Charged.YES
    if fault.status >= 400:
        return _error(fault, rule)
    if fault.charged is Charged.NO and not fault.status and fault.kind in _ON_THE_WAY:
        # The transport knows that the call never left.
        return Charged.NO
    if fault.kind in _LEFT:
        return rule.left
    if fault.kind is FaultKind.CUT:
        return Charged.UNKNOWN
    return Charged.NO if fault.kind is FaultKind.CONNECT else fault.charged


def _answered(fault: Fault, rule: Rule, *, bills_refusals: bool | None) -> Charged:
    if bills_refusals:
        return Charged.YES
    if bills_refusals is False and fault.kind in _PICTURE_REFUSED:
        return Charged.NO
    if not rule.counts_tokens:
        return Charged.UNKNOWN
    used = fault.usage
    if used.output_image_tokens + used.output_text_tokens + used.thought_tokens:
        return Charged.YES
    # Counted pieces say that something was drawn, not that it was billed.
    return Charged.NO if used.reported and not used.images else fault.charged


def _error(fault: Fault, rule: Rule) -> Charged:
    if rule.errors_free:
        return Charged.NO
    return Charged.UNKNOWN if fault.status in _BY_A_PROXY else fault.charged
