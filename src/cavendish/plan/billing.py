"""Whether a call that gave no picture was billed, by the rules of whoever sends the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..model.fault import Charged, Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of biller treats calls whose end we did not see.

    ``left`` is for calls that we gave up, by time-out or by choice; ``cut`` for lines that broke; ``gateway_timeout``
    for a proxy's word (504, 524) that the answer took too long. ``counts_tokens``: an answer is billed by the tokens it
    reports.
    """

    left: Charged
    cut: Charged
    gateway_timeout: Charged
    counts_tokens: bool


RULES: Mapping[str, Rule] = {
    # No error status is billed. Whether a call that was given up is, nobody says.
    "google": Rule(Charged.UNKNOWN, Charged.UNKNOWN, Charged.NO, counts_tokens=True),
    # docs.apiyi.com, 2026-11: a client that hangs up is billed, its result is lost; 4xx, 429 and 503 are not.
    "relay_tokens": Rule(Charged.YES, Charged.UNKNOWN, Charged.UNKNOWN, counts_tokens=True),
    "relay_per_request": Rule(Charged.YES, Charged.UNKNOWN, Charged.UNKNOWN, counts_tokens=False),
}

FREE_WORDS = "not be charged"
"""In Google's sentence for a picture that could not be drawn, which is not billed although the answer is a 200."""

_GATEWAY_TIMEOUTS = frozenset({504, 524})
_LEFT = frozenset({FaultKind.TIMEOUT, FaultKind.CANCELLED})
_PICTURE_REFUSED = frozenset({FaultKind.IMAGE_SAFETY, FaultKind.PROHIBITED})
_ANSWERED = _PICTURE_REFUSED | {
    FaultKind.PROMPT_BLOCKED,
    FaultKind.IMAGE_OTHER,
    FaultKind.NO_IMAGE,
    FaultKind.TEXT_ONLY,
    FaultKind.MAX_TOKENS,
    FaultKind.NOT_AN_IMAGE,
    FaultKind.MALFORMED,
}


def charged(fault: Fault, billing: str, *, bills_refusals: bool | None = None) -> Fault:
    """The fault with ``charged`` filled in. ``billing`` names one of ``RULES``; what is known to be billed stays so.

    ``bills_refusals``: an answer without a picture is billed (true), a refused picture is not (false), or it goes by
    the tokens that were reported.
    """
    return replace(fault, charged=_verdict(fault, RULES[billing], bills_refusals=bills_refusals))


def _verdict(fault: Fault, rule: Rule, *, bills_refusals: bool | None) -> Charged:
    if fault.charged is Charged.YES:
        return Charged.YES
    if FREE_WORDS in fault.message.lower():
        return Charged.NO
    if fault.status >= 400:
        return rule.gateway_timeout if fault.status in _GATEWAY_TIMEOUTS else Charged.NO
    if fault.kind in _ANSWERED:
        return _answered(fault, rule, bills_refusals=bills_refusals)
    if fault.kind in _LEFT:
        return rule.left
    if fault.kind is FaultKind.CUT:
        return rule.cut
    return Charged.NO if fault.kind is FaultKind.CONNECT else fault.charged


def _answered(fault: Fault, rule: Rule, *, bills_refusals: bool | None) -> Charged:
    if bills_refusals:
        return Charged.YES
    if bills_refusals is False and fault.kind in _PICTURE_REFUSED:
        return Charged.NO
    return Charged.YES if rule.counts_tokens and fault.usage.reported else Charged.UNKNOWN
