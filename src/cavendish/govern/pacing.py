"""Pacing: the constants of a governor, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pacing:
    """How carefully to go about limits. All times in seconds.

    ``guard_s`` lengthens every window. Providers count arrivals and we count starts, so two calls that left sixty
    seconds apart may arrive closer together by as much as the network's delay varies. With a guard as long as that
    variation no upstream window ever holds more than its limit. It costs ``guard / 60`` of the quota: 0.4 s uses 99.3 %
    and covers the largest common variation, a cold connection's handshakes with another continent; above 0.6 s it would
    be under 99 %.

    ``first_in_flight`` and ``most_in_flight`` bound the search for a limit that nobody stated. Back-off without a hint
    doubles from ``backoff_s`` to ``backoff_cap_s``; a minute is the longest any per-minute limit takes to renew. A
    breaker opens after ``breaker_after`` failures in a row, for ``breaker_s`` doubling up to ``breaker_cap_s``. A
    closed key or model is tried again with one call after ``recheck_closed_s``: credit is bought, rights are given.
    Somebody new, such as the next run, need not wait for that: ``recheck_anew_s`` only keeps those who start together
    from asking one by one.

    A grant that nobody gave back for ``lease_s`` is taken for lost: longer than any call's time-out. What a 429 said
    about a limit is believed for ``lesson_s``: tiers change.
    """

    guard_s: float = 0.4
    first_in_flight: int = 4
    most_in_flight: int = 1024
    backoff_s: float = 2.0
    backoff_cap_s: float = 60.0
    breaker_after: int = 5
    breaker_s: float = 2.0
    breaker_cap_s: float = 60.0
    recheck_closed_s: float = 300.0
    recheck_anew_s: float = 5.0
    lease_s: float = 3600.0
    lesson_s: float = 86_400.0


DEFAULT_PACING = Pacing()

MAX_DOUBLINGS = 30
"""Beyond it every cap is reached; keeps the power small."""


def spread(base_s: float, cap_s: float, doublings: int, roll: float) -> float:
    """An exponential wait, of which the dice decide the second half."""
    ceiling = min(cap_s, base_s * 2.0 ** min(doublings, MAX_DOUBLINGS))
    return ceiling * (0.5 + 0.5 * roll)
