"""Google's 429: which quota was hit, both ways.

The kind is told by the quota's id, never by the wait: a daily quota may carry a short one. ``limit: 0`` is a key
without any quota for the model. Ids seen: ``GenerateRequestsPerMinutePerProjectPerModel``,
``GenerateRequestsPerDayPerProjectPerModel``, ``GenerateContentPaidTierInputTokensPerModelPerMinute``, each also with
``-FreeTier``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ...model.fault import Fault, FaultKind, Scope
from ..reading import integer, items, mapping, text

_TEXT: Final = re.compile(r"metric: ([\w./-]{1,300}), limit: (\d{1,18})(?:, model: ([\w.-]{1,200}))?")
_CREDIT: Final = re.compile(
    r"prepayment credit|insufficient (?:credit|balance|fund)"
    r"|(?:credits?|balance) (?:\w+ ){0,3}(?:depleted|exhausted|used up)",
    re.IGNORECASE,
)
_SPEND: Final = re.compile(r"spend", re.IGNORECASE)
_DAY: Final = re.compile(r"per.?day|daily", re.IGNORECASE)
_RANKS: Final = (FaultKind.NO_QUOTA, FaultKind.SPEND_LIMIT, FaultKind.DAY_QUOTA, FaultKind.RATE_LIMITED)
"""Of several quotas that were hit, the one that keeps us out longest."""

HELP: Final = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota that was hit."""

    name: str = ""
    value: int | None = None
    scope: Scope = Scope.CALL

    @property
    def kind(self) -> FaultKind:
        """What hitting it means."""
        if self.value == 0:
            return FaultKind.NO_QUOTA
        if _SPEND.search(self.name):
            return FaultKind.SPEND_LIMIT
        return FaultKind.DAY_QUOTA if _DAY.search(self.name) else FaultKind.RATE_LIMITED


def read_quota(message: str, details: Iterable[Any]) -> Fault:
    """Kind, scope and limit of a 429, the rest at its default."""
    told = {metric: int(limit) for metric, limit, _ in _TEXT.findall(message)}
    quotas = [
        _quota(violation, told)
        for detail in details
        if text(detail, "@type").endswith("QuotaFailure")
        for violation in items(detail, "violations")
    ]
    quotas = quotas or [
        Quota(metric, int(limit), Scope.MODEL if model else Scope.KEY)
        for metric, limit, model in _TEXT.findall(message)
    ]
    if _CREDIT.search(message):
        return Fault(FaultKind.NO_CREDIT, scope=Scope.KEY)
    if not quotas:
        return _by_words(message)
    worst = min(quotas, key=lambda quota: _RANKS.index(quota.kind))
    reaches_key = worst.kind in {FaultKind.NO_QUOTA, FaultKind.SPEND_LIMIT}
    scope = Scope.KEY if reaches_key else worst.scope
    return Fault(worst.kind, scope=scope, limit=worst.name, limit_value=worst.value)


def _quota(violation: Any, told: dict[str, int]) -> Quota:
    metric = text(violation, "quotaMetric")
    name = text(violation, "quotaId") or metric or text(violation, "subject")
    value = integer(violation, "quotaValue")  # left out when it is 0
    of_model = bool(text(mapping(violation, "quotaDimensions"), "model")) or "permodel" in name.lower()
    return Quota(name, told.get(metric) if value is None else value, Scope.MODEL if of_model else Scope.KEY)


def _by_words(message: str) -> Fault:
    if _SPEND.search(message):
        return Fault(FaultKind.SPEND_LIMIT, scope=Scope.KEY)
    return Fault(FaultKind.DAY_QUOTA if _DAY.search(message) else FaultKind.RATE_LIMITED)


def write_quota(fault: Fault, model: str) -> list[dict[str, Any]]:
    """The details of a 429 that names its quota: none for a terse one."""
    if not fault.limit:
        return []
    violation: dict[str, Any] = {"quotaId": fault.limit}
    if told := _TEXT.search(fault.message):
        violation["quotaMetric"] = told[1]
    if fault.scope is Scope.MODEL and model:
        violation["quotaDimensions"] = {"location": "global", "model": model}
    if fault.limit_value is not None:
        violation["quotaValue"] = str(fault.limit_value)
    return [HELP, {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
