"""Advice: what a person can do about a fault that stops a run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..engine.budget import MAX_COST
from ..engine.ports import Closing
from ..model.fault import Fault, FaultKind

ADVICE: Mapping[FaultKind, str] = MappingProxyType(
    {
        FaultKind.BAD_KEY: "make a new key where the provider gives them, and set it anew; see cavendish doctor",
        FaultKind.FORBIDDEN: "the key may be restricted to other services or places: look at its restrictions",
        FaultKind.NO_CREDIT: "add credit to the account of this key",
        FaultKind.NO_QUOTA: "the key's plan has no quota for this model: look at the provider's page of limits",
        FaultKind.DAY_QUOTA: "the day's quota is renewed at the provider's midnight; --max-wait waits for it",
        FaultKind.SPEND_LIMIT: "the provider's limit of spending is reached: wait, or raise it at the provider",
        FaultKind.CONNECT: "is there a network, a proxy or a firewall between? see HTTPS_PROXY and SSL_CERT_FILE",
        FaultKind.MODEL_NOT_FOUND: "see cavendish models; does the base URL point at the provider's API?",
        FaultKind.BUDGET: "a higher cap lets it go on: --max-cost",
        FaultKind.DISK_FULL: "make room; everything that arrived is kept",
    }
)
"""By fault. What is not here goes away by itself, or says all there is to say."""


def who(closing: Closing) -> str:
    """A key or a route, by a name that is safe to show."""
    return f"{closing.route.endpoint}, {closing.key}" if closing.key else str(closing.route)


def lost(closing: Closing) -> str:
    """In one line: which key or route a run lost and why, what goes on, and what to do."""
    fault = closing.fault
    why = (fault.message or fault.kind.value).rstrip(".")
    left = closing.keys_left
    rest = f"; the run goes on with the other {f'{left} keys' if left > 1 else 'key'}" if left else ""
    advice = f"; {ADVICE[fault.kind]}" if fault.kind in ADVICE else ""
    return f"{who(closing)} is out of this run: {why}{rest}{advice}"


def advice_on(stop: Fault) -> str | None:
    """What to do about what stopped a run, beside the line that resumes it, which has a cap that is enough."""
    if stop.limit == MAX_COST:
        return None
    if stop.kind is FaultKind.BUDGET and stop.limit:
        return f"a higher {stop.limit} in the configuration lets it go on before; see cavendish spend"
    return ADVICE.get(stop.kind)
