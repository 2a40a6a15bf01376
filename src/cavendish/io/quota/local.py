"""LocalQuota: quotas kept in this process, shared by all lanes of a key."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cache

from ...catalog.cards import Limits
from ...engine.ports import Clock, Cost, Dice, Grant, Shut, WaitUntil
from ...govern.day import PACIFIC, DayEnds, day_ends
from ...govern.governor import Governor
from ...govern.governors import Governors, Name, Place
from ...govern.pacing import DEFAULT_PACING, Pacing
from ...govern.verdict import Ending, Granted, Wait
from ...model.fault import Fault
from ...model.request import JsonValue

FINGERPRINT_DIGITS = 16


def fingerprint(key: str) -> str:
    """A name for a key that can be written down: sixteen hexadecimal digits that do not lead back to it."""
    return hashlib.blake2b(key.encode(), digest_size=FINGERPRINT_DIGITS // 2, person=b"cavendish-key").hexdigest()


class LocalQuota:
    """The engine's ``Quota`` over one governor.

    Nothing here waits, so within one event loop each question is answered whole before the next. Grants of several runs
    in this process may be mixed; a grant that is not known is no error.
    """

    def __init__(self, governor: Governor, clock: Clock, dice: Dice) -> None:
        self._governor = governor
        self._clock = clock
        self._dice = dice
        self._is_new = True

    async def reserve(self, cost: Cost, wanted: int = 1) -> Grant | WaitUntil | Shut:
        """Ask for leave. A wait that only the end of another call can end has no moment: it is infinite."""
        del wanted  # the next one is asked for when it goes
        if self._is_new:
            self._is_new = False
            self._governor.reconsider(self._clock.monotonic())
        verdict = self._governor.reserve(self._clock.monotonic(), self._clock.now(), cost)
        if isinstance(verdict, Granted):
            return Grant(verdict.id)
        if isinstance(verdict, Wait):
            return WaitUntil(math.inf if verdict.needs_settle else verdict.until_s, verdict.why, verdict.failing)
        return Shut(verdict.fault)

    async def settle(self, grant: Grant, fault: Fault | None, latency_s: float, spent_nusd: int | None) -> None:
        """The call ended: free its place, and learn from how it went."""
        ending = Ending(fault, latency_s, spent_nusd, self._dice.uniform())
        self._governor.late(grant.id, self._clock.monotonic() - latency_s)
        self._governor.settle(grant.id, self._clock.monotonic(), self._clock.now(), ending)

    async def cancel(self, grant: Grant) -> None:
        """The call never left: as if it had not been granted."""
        self._governor.cancel(grant.id)


class LocalQuotas:
    """The quotas of this process, one for each key, endpoint and model."""

    def __init__(self, clock: Clock, dice: Dice, pacing: Pacing = DEFAULT_PACING) -> None:
        self._clock = clock
        self._dice = dice
        self._governors = Governors(pacing)

    def quota(self, place: Place, limits: Limits, zone: str = PACIFIC) -> LocalQuota:
        """The quota of this place. All who ask for the same place share it; ``zone`` is the one that its days end in.

        ``limits`` and ``zone`` matter at the first time of asking. Raises ``ValueError`` for a zone that is not known;
        most zones but Pacific time are read from the system's tables, so outside of an event loop.
        """
        governor = self._governors.governor(place, limits, ends_of(zone))
        # What was granted under a name was granted by a store that is no more: nobody gives it back here.
        governor.abandon(bool, self._clock.monotonic())
        return LocalQuota(governor, self._clock, self._dice)

    def restore(self, state: Mapping[Name, JsonValue], then_s: float) -> None:
        """Go on from what a shared store knew, before any quota is asked for; ``then_s`` is its zero on our clock."""
        self._governors.restore(state, then_s)


@cache
def ends_of(zone: str) -> DayEnds:
    """When days end in a zone; see ``day_ends``."""
    return day_ends(zone)
