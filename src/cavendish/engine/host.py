"""Host: what a flight is given, and what it tells the run that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..model.attempt import Attempt
from ..model.call import Later, Reply
from ..model.fault import Fault
from ..model.result import Outcome
from .budget import Budget
from .common import Common
from .ports import Blobs, Caps, Clock, Dice, Lane, Ledger, Progress
from .queue import Work
from .twins import Twins


@dataclass(frozen=True, slots=True)
class Parts:
    """What every run is given. ``caps`` are those that it shares with other runs.

    ``common`` is what it has in common with another engine that is at work at the same run.
    """

    ledger: Ledger
    blobs: Blobs
    clock: Clock
    dice: Dice
    progress: Progress
    caps: Caps | None = None
    common: Common | None = None


class Host(Protocol):
    """The run, as a flight sees it."""

    @property
    def halted(self) -> bool:
        """Whether no call may leave any more."""
        ...

    @property
    def budget(self) -> Budget:
        """The run's cap."""
        ...

    @property
    def twins(self) -> Twins:
        """The run's memory of pictures."""
        ...

    def requeue(self, work: Work, after_s: float) -> None:
        """Try this slot again, not before so many seconds from now."""
        ...

    def ended(self, work: Work, outcome: Outcome) -> None:
        """This slot has its outcome."""
        ...

    def left_open(self, work: Work, fault: Fault) -> None:
        """This slot cannot go on in this run."""
        ...

    def close_lane(self, lane: Lane, work: Work, fault: Fault) -> None:
        """No later call is to take this lane. The slot goes on without it, unless another call for it is under way."""
        ...

    def narrow(self, lane: Lane, most: int) -> None:
        """No later call of this lane is to be asked for more pictures than so many."""
        ...

    def money_moved(self) -> None:
        """A reservation was settled: who waits may look again."""
        ...


@dataclass(slots=True)
class Landing:
    """What came back for a call's attempts: the reply, how long it took, and what had been set aside for it.

    ``lost`` says, by their places among the parts, why pictures that the reply names could not be fetched.
    ``request_id`` is what the provider calls the exchange that opened it. ``left_after_s``: how much of the time had
    passed when the request was on its way.
    """

    attempts: tuple[Attempt, ...]
    reply: Reply
    latency_s: float = 0.0
    reserved_nusd: int = 0
    lost: Mapping[int, Fault] = field(default_factory=dict[int, Fault])
    left_after_s: float = 0.0
    request_id: str = ""
    _cost_nusd: int | None = None
    _priced: bool = False

    def cost_nusd(self, lane: Lane, works: Sequence[Work]) -> int | None:
        """What the whole call cost; worked out once."""
        if not self._priced:
            assert not isinstance(self.reply, Later)
            self._cost_nusd = lane.pricing.cost(works[0].slot, self.reply.usage, self.reply, len(works))
            self._priced = True
        return self._cost_nusd
