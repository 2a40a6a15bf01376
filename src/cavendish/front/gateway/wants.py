"""Wants: what a client asked for, and what it gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...catalog.resolve import UnknownModel
from ...errors import CavendishError, InputError
from ...model.fault import Fault, FaultKind
from ...model.identity import digest
from ...model.request import ImageRequest, JsonValue, Notice
from ...model.result import Failure, Outcome, Picture

ANYBODY = "anybody"
"""The caller where no keys are asked for."""

INTERRUPTED = Fault(
    FaultKind.OVERLOADED,
    "the gateway was stopped before this picture was made; ask again, and the work goes on",
    retry_after_s=5.0,
)
CANCELLED_BY_CLIENT = Fault(FaultKind.CANCELLED, "cancelled by the client")


class Refused(InputError):
    """A request that is answered with a fault before it is a job. ``held``: others hold what it needs, for now."""

    def __init__(self, fault: Fault, *, held: bool = False) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.held = held


def fault_of(error: CavendishError) -> Fault:
    """An error that the caller can mend, as a fault that a dialect can write."""
    if isinstance(error, Refused):
        return error.fault
    if not isinstance(error, InputError):
        # The books: where they are is nothing for clients.
        words = "the gateway cannot take requests just now"
        return Fault(FaultKind.OVERLOADED, words, status=503, retry_after_s=2.0)
    hints = "".join(f" ({hint})" for hint in getattr(error, "hints", ()))
    kind = FaultKind.INVALID_REQUEST
    if isinstance(error, UnknownModel):
        return Fault(FaultKind.MODEL_NOT_FOUND, f"{error}{hints}", status=404, reason="model_not_found")
    return Fault(kind, f"{error}{hints}", status=400)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client.

    ``door`` is the dialect that it spoke, ``token`` its ``Idempotency-Key``, ``repeat`` how often it says that it
    asked before. ``strict``: fewer pictures, or any field that cannot be honoured, is an error. ``notices``: what could
    not be honoured before the desk saw it. ``patient``: nobody waits for the answer, so it may wait long for its quota;
    ``max_wait_s``: how long it may otherwise, where the client says, and ``within_s`` when it hangs up. ``queued``: it
    waits for its key's limits of the moment, too. ``told`` is kept beside the notices for as long as the job is.
    """

    caller: str
    door: str
    request: ImageRequest
    stream: bool = False
    token: str | None = None
    repeat: int = 0
    strict: bool = False
    notices: tuple[Notice, ...] = ()
    patient: bool = False
    max_wait_s: float | None = None
    within_s: float | None = None
    queued: bool = False
    told: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], hash=False)

    @property
    def form(self) -> str:
        """A fingerprint of what was asked and how: a repeat has the same."""
        words = f"{self.door}\n{self.stream}\n{self.strict}\n{self.patient}\n{self.request.n}\n{digest(self.request)}"
        return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a job: one outcome for each picture that was asked for, in order.

    ``replayed``: it was bought for an earlier request, of which this one is a repeat.
    """

    job_id: str
    request: ImageRequest
    outcomes: tuple[Outcome, ...]
    notices: tuple[Notice, ...] = ()
    replayed: bool = False

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those that came."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, Picture))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Why the others did not."""
        return tuple(outcome.fault for outcome in self.outcomes if isinstance(outcome, Failure))

    @property
    def cost_nusd(self) -> int:
        """What all attempts cost, as far as it is known."""
        return sum(outcome.cost_nusd for outcome in self.outcomes)
