"""Policy: how often a slot may be tried again, by failure class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..model.fault import FaultKind

K = FaultKind

PACED = frozenset({K.RATE_LIMITED, K.DAY_QUOTA, K.SPEND_LIMIT})
"""The governor makes these wait; they are not failures of the slot, so only ``paced_tries`` bounds them."""

SHUTTING = frozenset({K.BAD_KEY, K.FORBIDDEN, K.NO_CREDIT, K.NO_QUOTA, K.MODEL_NOT_FOUND})
"""These end the lane, not the slot: the slot goes to its next lane, or the run stops."""

STOPPING = frozenset({K.CANCELLED, K.BUDGET, K.DISK_FULL})
"""These end the run. Their slots can be resumed."""

FINAL = frozenset({K.INVALID_REQUEST, K.TOO_LARGE, K.PROMPT_BLOCKED, K.PROHIBITED, K.LOST_SIGNATURE, K.IMAGE_SAFETY})
"""A resumed run does not try these again: the same request would be refused again, and perhaps billed."""

TOO_MUCH_AT_ONCE = frozenset({K.INVALID_REQUEST, K.TOO_LARGE})
"""A call for several that is refused so says nothing of one picture: its slots are tried alone."""

WITHHELD = frozenset({K.IMAGE_SAFETY})
"""A call for several is refused so when one of its pictures is: each slot is tried alone, as if for the first time."""

DEFAULT_REFILLS: Mapping[FaultKind, int] = MappingProxyType(
    {
        # Sometimes luck: one more try is reasonable; more would be buying refusals.
        K.IMAGE_SAFETY: 1,
        K.IMAGE_OTHER: 4,
        K.NO_IMAGE: 4,
        K.TEXT_ONLY: 4,
        K.DUPLICATE: 4,
        K.MAX_TOKENS: 1,
        K.NOT_AN_IMAGE: 2,
        K.MALFORMED: 2,
        # May have been billed each time, so few.
        K.TIMEOUT: 2,
        K.CUT: 3,
        # Not billed, so patient.
        K.OVERLOADED: 10,
        K.SERVER_ERROR: 6,
        K.CONNECT: 8,
        K.JOB_FAILED: 1,
        K.JOB_EXPIRED: 1,
    }
)


@dataclass(frozen=True, slots=True)
class Hedge:
    """When a second call for a slot leaves beside one that is slow.

    After ``after_s``, or, without that, when it has taken longer than the share ``quantile`` of the calls of its route
    before it: of at least ``samples``, for fewer say little. At most the part ``share`` of all calls are hedged (one is
    always allowed), and each slot once. When all else is over, the slower of two calls is waited for ``grace_s`` more.
    """

    after_s: float | None = None
    quantile: float = 0.95
    samples: int = 20
    share: float = 0.1
    grace_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The bounds of one run.

    ``refills`` says how many further tries a slot gets after a fault of a kind (absent: none). ``total_tries`` bounds
    all tries of a slot that were not merely paced, ``paced_tries`` those that were. Back-off doubles from
    ``backoff_s`` up to ``backoff_cap_s``. ``max_wait_s``: a quota that would make the whole run wait longer stops it
    instead, to be resumed. ``poll_limit`` bounds the polls of one job, ``concurrency`` the calls in flight,
    ``charged_tries`` the further tries after a provider's trouble that was billed all the same. A slot whose route
    fails, or would make it wait longer than ``failover_s``, goes by the next route that is allowed: more than a minute,
    so that what merely keeps the pace of a limit per minute is not sent to a dearer one. ``hedge``: see there.
    """

    refills: Mapping[FaultKind, int] = field(default_factory=lambda: DEFAULT_REFILLS)
    total_tries: int = 16
    paced_tries: int = 500
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0
    max_wait_s: float = 3600.0
    poll_limit: int = 10_000
    charged_tries: int = 2
    concurrency: int = 256
    failover_s: float = 90.0
    hedge: Hedge | None = None

    def backoff(self, tries: int, roll: float) -> float:
        """Seconds to wait after the so-many-th failure; ``roll`` in [0, 1) spreads slots that failed together."""
        ceiling = min(self.backoff_cap_s, self.backoff_s * 2.0 ** min(tries, 30))
        return ceiling * (0.5 + roll / 2)
