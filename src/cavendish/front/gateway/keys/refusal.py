"""Refusal: what a key does not allow, as a fault for the door to write."""

from __future__ import annotations

from ....io.desk.allowance import Denied, Limit
from ....model.fault import Charged, Fault, FaultKind, Scope
from ....model.money import dollars
from ..wants import Refused


def forbidden(message: str) -> Refused:
    """Never, with this key."""
    return Refused(Fault(FaultKind.FORBIDDEN, message, Charged.NO, Scope.MODEL, status=403))


def unasked(message: str) -> Refused:
    """Not so, with this key."""
    return Refused(Fault(FaultKind.INVALID_REQUEST, message, Charged.NO, status=400))


NO_KEY = Fault(
    FaultKind.BAD_KEY,
    "this gateway asks for a key: send it as x-goog-api-key or as Authorization: Bearer",
    status=401,
    scope=Scope.KEY,
)
BAD_KEY = Fault(
    FaultKind.BAD_KEY, "the key is not known here, or it has expired or was revoked", status=401, scope=Scope.KEY
)


def fault_of_denied(denied: Denied) -> Fault:
    """Why a request has to wait, or is refused, for people and programs."""
    match denied.limit:
        case Limit.KEY:
            return BAD_KEY
        case Limit.RPM | Limit.IPM:
            what = "requests" if denied.limit is Limit.RPM else "pictures"
            words, kind = f"this key may ask for {denied.value} {what} a minute", FaultKind.RATE_LIMITED
        case Limit.IN_FLIGHT:
            left = "what is left of this key's budget is set aside for its requests at work"
            words, kind = f"{left}; ask again in a moment", FaultKind.RATE_LIMITED
        case Limit.BUDGET:
            words, kind = _spent(denied), FaultKind.BUDGET
    limit = str(denied.limit)
    return Fault(kind, words, Charged.NO, Scope.KEY, denied.wait_s, limit=limit, limit_value=denied.value)


def _spent(denied: Denied) -> str:
    spent = f"{dollars(denied.spent_nusd)} are spent of this key's budget of {dollars(denied.value, 2)}"
    return f"{spent}, and the request does not fit into the rest"
