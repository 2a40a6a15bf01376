"""The parts that the engine is given: what each must do, and nothing of how."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.attempt import Attempt
from ..model.blob import Blob
from ..model.call import Call, Done, Reply
from ..model.fault import Fault
from ..model.request import Notice
from ..model.result import Failure, Outcome, Picture, Route, Slot
from ..model.usage import Usage
from ..plan.split import ALONE, Several


class Clock(Protocol):
    """Time and waiting. Virtual in worlds."""

    def now(self) -> float:
        """Seconds since the epoch; may jump. For the books and for quotas that follow the calendar."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never jumps back. For waits and windows."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; ends at once when cancelled."""
        ...


class Dice(Protocol):
    """Chance and fresh ids. Seeded in worlds."""

    def uniform(self) -> float:
        """A number in [0, 1)."""
        ...

    def fresh_id(self) -> str:
        """An id that no other call of this or another process gave; sorts by time of birth."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider port brings back: the reply, and what it took.

    ``left_after_s``: seconds until the request was on its way, where that is known.
    """

    reply: Reply
    latency_s: float
    request_id: str = ""
    left_after_s: float = 0.0


class Provider(Protocol):
    """One endpoint that can be called: dialect, address and key, behind one method.

    ``attempt_id`` is the call's: of a call for several slots, its first attempt's.

    Real ones speak HTTP; in worlds the simulator stands behind the same dialect without a socket.
    """

    async def call(self, call: Call, attempt_id: str) -> Answer:
        """Make one exchange. Faults are answers; the only exceptions are cancellation and ``OutOfSpace``.

        Before it returns a ``Done``, the blobs of the reply and a record of the reply under ``attempt_id`` are durable,
        so that ``Blobs.recorded`` finds it after a crash.
        """
        ...


class OutOfSpace(OSError):
    """The disk is full. The engine stops new calls, keeps what it has, and can be resumed."""


class Blobs(Protocol):
    """Bytes outside memory, and the folder that the pictures end in."""

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        """Give a judged picture its final name: atomic, durable. Returns the blob with its new ``ref``.

        Placing again what was placed before under the same slot is no error and changes nothing.
        """
        ...

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Keep extras (drafts, thoughts, signatures) of an attempt for good. Returns them with their new ``ref``."""
        ...

    async def dimensions(self, blob: Blob) -> tuple[int, int] | None:
        """Width and height in pixels when the blob is a whole picture, else ``None``."""
        ...

    async def recorded(self) -> Mapping[str, Reply]:
        """Replies that arrived whole but were never settled, by attempt id: what a crash left behind."""
        ...

    async def forget(self, attempt_id: str) -> None:
        """The attempt is settled: drop its recorded reply and whatever of it was not placed or kept."""
        ...

    def free_bytes(self) -> int:
        """Room left where pictures are written."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger knows of one slot that was begun. ``slot`` is ``None`` when the input was read anew since."""

    slot_id: str
    outcome: Outcome | None
    attempts: tuple[Attempt, ...] = ()
    slot: Slot | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over a ledger, money in nano-dollars; ``unknown_nusd`` is what attempts of unknown fate or price may have
    cost.
    """

    delivered: int = 0
    failed: int = 0
    attempts: int = 0
    billed_attempts: int = 0
    unbilled_attempts: int = 0
    unknown_attempts: int = 0
    billed_nusd: int = 0
    unknown_nusd: int = 0
    in_flight: int = 0
    unpriced_attempts: int = 0


class Ledger(Protocol):
    """The books of one run. Every method that writes returns when the entry is durable; entries may be grouped."""

    async def intend(self, attempt: Attempt, slot: Slot) -> None:
        """Write an attempt down before its call leaves; also writes the slot down when it is new."""
        ...

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        """``intend`` for all slots of one call, in one transaction."""
        ...

    async def waiting(self, attempt: Attempt) -> None:
        """A job was accepted: keep its ticket."""
        ...

    async def waiting_all(self, attempts: Sequence[Attempt]) -> None:
        """``waiting`` for all slots of one call, in one transaction."""
        ...

    async def settle(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Write an attempt's receipt, and the slot's outcome when that ended it: in one transaction."""
        ...

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        """``settle`` for all slots of one call, in one transaction: a call is settled whole or not at all."""
        ...

    async def conclude(self, outcome: Failure) -> None:
        """End a slot without a further attempt."""
        ...

    async def standing(self, slot_id: str) -> Standing | None:
        """What is known of a slot, ``None`` when it was never begun."""
        ...

    async def keep(self, slot: Slot) -> None:
        """A slot that was begun before is wanted now, at this place in the input."""
        ...

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        """Attempts without a receipt: intents and waiting jobs."""
        ...

    async def hashes(self, form: str) -> Iterable[str]:
        """The sha256 of each picture delivered for one request's form, to tell exact duplicates."""
        ...

    async def tally(self) -> Tally:
        """Sums over all entries."""
        ...

    async def rows_settled(self, rows: int) -> None:
        """All rows below this number have an outcome for each of their slots: where a resumed run may begin.

        A number below one that was noted before changes nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make a call now. Give it back with ``Governor.settle``."""

    id: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """No leave before this moment (monotonic seconds). ``why`` names the limit for people.

    ``failing``: because the provider fails, and not to keep a limit.
    """

    at: float
    why: str
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Shut:
    """No leave at all: the key, model or endpoint is stopped for the reason in ``fault``."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call will take of a quota, as far as it is known beforehand."""

    requests: int = 1
    images: int = 1
    tokens: int = 0
    nusd: int = 0


class Quota(Protocol):
    """One route's quota with one key. Pure arithmetic or a shared store behind the same three questions."""

    async def reserve(self, cost: Cost, wanted: int = 1) -> Grant | WaitUntil | Shut:
        """Ask for leave to make one call now. ``wanted``: how many such calls stand ready, this one among them."""
        ...

    async def settle(self, grant: Grant, fault: Fault | None, latency_s: float, spent_nusd: int | None) -> None:
        """The call ended, so long after it left: free its place, and learn from how it went."""
        ...

    async def cancel(self, grant: Grant) -> None:
        """The call never left: as if it had not been granted."""
        ...


class Caps(Protocol):
    """Caps that all runs of a user share, by day and month and endpoint. Asked after the run's own budget."""

    async def ask(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """Set a call's price aside; returns how much was. Who is cancelled while asking has nothing set aside.

        Where there is no room for the price, a call that is alone may go with as little as ``least_nusd``.
        """
        ...

    def release(self, endpoint: str, price_nusd: int) -> None:
        """A call ended or never left: what was set aside for it is free. Its receipt was on the books before."""
        ...

    def carry(self, attempts: Sequence[Attempt]) -> None:
        """A call of an earlier process is gone on with: its estimate is set aside, whatever room there is."""
        ...


class Pricing(Protocol):
    """What calls cost on one route."""

    def bound(self, slot: Slot) -> int | None:
        """The most that one picture can cost in nano-dollars; ``None`` where nobody can know."""
        ...

    def estimate(self, slot: Slot) -> int | None:
        """The expected price of one picture in nano-dollars; ``None`` when no price is known."""
        ...

    def cost(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> int | None:
        """The true price of the whole call by what was used, in nano-dollars; ``None`` when it cannot be told.

        Of a fault that was not charged: 0. ``pictures`` is how many the call was asked for.
        """
        ...

    def charged(self, fault: Fault) -> Fault:
        """The fault with ``charged`` filled in by the rules of this endpoint's billing."""
        ...


@dataclass(frozen=True, slots=True)
class Lane:
    """A route that can be used: its provider, quota and prices, and how a slot becomes a call.

    ``make_call`` is given the slot and the number of the attempt, from 1. ``several`` says of how many slots of one
    request a call may be. ``key`` is the fingerprint of the key, or of whose account its calls are on.
    """

    route: Route
    provider: Provider
    quota: Quota
    pricing: Pricing
    make_call: Callable[[Slot, int], Call]
    notices: Callable[[Slot], tuple[Notice, ...]]
    input_tokens: Callable[[Slot], int]
    several: Several = ALONE
    key: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """A key is of no more use in this run, or (``key`` is empty) a whole route. ``key`` is safe to show."""

    route: Route
    key: str
    fault: Fault
    keys_left: int = 0


@dataclass(frozen=True, slots=True)
class Detour:
    """Pictures that did not come by the first of the routes allowed, and why."""

    route: str
    why: str
    pictures: int


class Progress(Protocol):
    """Who watches. Called in the loop, must be quick, must not raise."""

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """A call for this slot is about to leave."""
        ...

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """It came back, one way or another."""
        ...

    def slot_ended(self, outcome: Picture | Failure) -> None:
        """The slot has its outcome, and it is durable."""
        ...

    def slot_kept(self, outcome: Picture | Failure) -> None:
        """The slot had its outcome before this run began."""
        ...

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """The slot was begun or queued, and stays open: the run or its lane stopped."""
        ...

    def waiting(self, why: str, seconds: float) -> None:
        """Nothing can start for this long."""
        ...

    def key_lost(self, closing: Closing) -> None:
        """A key, or a route, is of no more use; told once for each."""
        ...


Slots = AsyncIterator[Slot] | Iterable[Slot]


async def each(slots: Slots) -> AsyncIterator[Slot]:
    """One after another, whichever way they come."""
    if isinstance(slots, Iterable):
        for slot in slots:
            yield slot
    else:
        async for slot in slots:
            yield slot
