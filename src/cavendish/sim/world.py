"""World: the simulator behind the engine's provider port, in memory and on a virtual clock.

A call is written by the real dialect, read back by the same dialect's other half, answered by the simulator, and the
answer takes the same way home; in a share of the calls even as bytes, cut at random places. So a simulated job goes
through everything but the sockets.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..catalog.load import load
from ..catalog.resolve import Catalog
from ..engine.ports import Answer, Clock
from ..model.blob import Blob
from ..model.call import Call, Done, Fetch, Reply
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, Part
from ..wire.dialect import Dialect
from ..wire.media import HEAD_BYTES, UNKNOWN, sniff
from ..wire.message import WireResponse
from ..wire.spill import BlobWriter
from .dice import SeededDice
from .faults import Line
from .menu import menu_of
from .profile import Profile, load_profile
from .provider import Planned, SimProvider
from .roundtrip import reread_request, reread_response
from .shelves import MemoryShelf

TRICKLE_S = 30.0
"""How much longer a body takes that comes in drops."""


class Inbox(Protocol):
    """The side of a blob store that replies arrive at; the run folder's store has it."""

    def new_blob(self, attempt_id: str) -> BlobWriter:
        """A writer for the next blob of an attempt's reply."""
        ...

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        """Make a reply and its blobs durable. ``url``: where it was fetched from."""
        ...

    def discard(self, attempt_id: str) -> None:
        """Drop what arrived of an attempt and was not recorded."""
        ...


@dataclass(frozen=True, slots=True)
class Bill:
    """What the simulator did with one call that reached it."""

    number: int
    billed_nusd: int
    line: Line
    outcome: str


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """How a world is played.

    ``timeout_s`` is when the client gives up. ``bytes_share`` of the calls go through bytes both ways. With
    ``straight`` the dialect is left out wherever the simulator answers with a plain reply: for rehearsals of very
    large jobs.
    """

    key: str = "simulated-key"
    timeout_s: float = 300.0
    bytes_share: float = 0.0
    straight: bool = False


def open_world(
    profile: Profile | str,
    dialect: Dialect,
    clock: Clock,
    inbox: Inbox,
    *,
    seed: int = 0,
    options: WorldOptions | None = None,
    catalog: Catalog | None = None,
) -> WorldProvider:
    """A provider on a new simulator that draws tiny pictures."""
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    shelf = MemoryShelf()
    sim = SimProvider(chosen, menu_of(chosen, catalog or load()), shelf, seed=seed, mode="tiny")
    return WorldProvider(sim, shelf, dialect, clock, inbox, options)


@dataclass(slots=True)
class _Trip:
    """One call on its way there and back. ``refs`` are what the simulator put on the shelf for it."""

    call: Call
    attempt_id: str
    dice: SeededDice
    through_bytes: bool
    refs: tuple[str, ...] = ()
    moved: dict[str, Blob] = field(default_factory=dict[str, Blob])


class WorldProvider:
    """``engine.ports.Provider`` on a simulator in memory.

    ``shelf`` must be the simulator's own. ``bills`` lists, by attempt id, every call that reached the simulator;
    calls that were cancelled on their way home are among them.
    """

    def __init__(
        self,
        sim: SimProvider,
        shelf: MemoryShelf,
        dialect: Dialect,
        clock: Clock,
        inbox: Inbox,
        options: WorldOptions | None = None,
    ) -> None:
        self.sim = sim
        self._shelf = shelf
        self._dialect = dialect
        self._clock = clock
        self._inbox = inbox
        self._options = options or WorldOptions()
        self._trips = itertools.count(1)
        self.bills: defaultdict[str, list[Bill]] = defaultdict(list)

    @property
    def billed_nusd(self) -> int:
        """What all calls through this port were billed."""
        return sum(bill.billed_nusd for bills in self.bills.values() for bill in bills)

    async def call(self, call: Call, attempt_id: str) -> Answer:
        """Make one exchange in virtual time."""
        began = self._clock.monotonic()
        trip = self._trip(call, attempt_id)
        planned = await self._send(trip)
        try:
            reply = await self._receive(trip, planned)
        finally:
            self._shelf.drop(trip.refs)
        return Answer(reply, self._clock.monotonic() - began, f"sim-{planned.number}")

    def _trip(self, call: Call, attempt_id: str) -> _Trip:
        dice = self.sim.dice_for(-next(self._trips))
        share = self._options.bytes_share
        return _Trip(call, attempt_id, dice, through_bytes=share > 0 and dice.uniform() < share)

    async def _send(self, trip: _Trip) -> Planned:
        """The call's way to the provider, and what it decides."""
        if network_s := self.sim.profile.quirks.network_s:
            await self._clock.sleep(network_s * trip.dice.uniform())
        heard = self._hear(trip)
        planned = self.sim.handle(heard, self._options.key, self._clock.monotonic(), self._clock.now())
        trip.refs = self._shelf.made()
        if planned.line is not Line.REFUSED:
            bill = Bill(planned.number, planned.billed_nusd, planned.line, planned.outcome)
            self.bills[trip.attempt_id].append(bill)
        return planned

    async def _receive(self, trip: _Trip, planned: Planned) -> Reply:
        """The answer's way home."""
        if planned.line is Line.REFUSED:
            return Fault(FaultKind.CONNECT, "connection refused", Charged.NO)
        takes_s = planned.latency_s + (TRICKLE_S if planned.line is Line.TRICKLE else 0.0)
        hangs = planned.line is Line.HANG or takes_s > self._options.timeout_s
        with self.sim.books.in_work():
            await self._clock.sleep(self._options.timeout_s if hangs else takes_s)
        if hangs:
            return Fault(FaultKind.TIMEOUT, f"no answer within {self._options.timeout_s:g} s", Charged.UNKNOWN)
        if planned.line is Line.DROPPED:
            return Fault(FaultKind.CUT, "connection closed before the answer", Charged.UNKNOWN)
        return await self._keep(trip, self._read(trip, planned))

    async def _keep(self, trip: _Trip, reply: Reply) -> Reply:
        if isinstance(reply, Done):
            await self._inbox.record(trip.attempt_id, reply, trip.call.url if isinstance(trip.call, Fetch) else "")
        else:
            self._inbox.discard(trip.attempt_id)
        return reply

    # --- the wire ----------------------------------------------------------------------------------------------------

    def _hear(self, trip: _Trip) -> Call | Fault:
        """The call as the provider understands it."""
        if self._options.straight:
            return trip.call
        request = self._dialect.write_call(trip.call)
        return self._dialect.read_call(reread_request(request, trip.dice) if trip.through_bytes else request)

    def _read(self, trip: _Trip, planned: Planned) -> Reply:
        """The answer as the client understands it, its blobs in the client's store."""
        response = planned.reply
        if not isinstance(response, WireResponse):
            if self._options.straight and planned.line is not Line.CUT and planned.line is not Line.RESET:
                return self._moved(trip, response)
            response = self._dialect.write_reply(response, trip.call)
        if planned.line in {Line.CUT, Line.RESET}:
            cut = WireResponse(response.status, response.headers, stream=response.stream, cut=True)
            return self._dialect.read_reply(cut, trip.call)
        if trip.through_bytes:
            response = reread_response(response, self._shelf.read, lambda: self._new_blob(trip), trip.dice)
            return self._dialect.read_reply(response, trip.call)
        return self._moved(trip, self._dialect.read_reply(response, trip.call))

    def _new_blob(self, trip: _Trip) -> BlobWriter:
        return self._inbox.new_blob(trip.attempt_id)

    def _moved(self, trip: _Trip, reply: Reply) -> Reply:
        """The reply with its blobs in the client's store instead of on the shelf."""
        if not isinstance(reply, Done):
            return reply
        return replace(reply, parts=tuple(self._moved_part(trip, part) for part in reply.parts))

    def _moved_part(self, trip: _Trip, part: Part) -> Part:
        if isinstance(part, Image) and part.blob:
            part = replace(part, blob=self._move(trip, part.blob))
        if isinstance(part.signature, Blob):
            part = replace(part, signature=self._move(trip, part.signature))
        return part

    def _move(self, trip: _Trip, blob: Blob) -> Blob:
        if blob.ref not in trip.moved:
            data = b"".join(self._shelf.read(blob))
            writer = self._new_blob(trip)
            writer.write(data)
            trip.moved[blob.ref] = writer.finish(sniff(data[:HEAD_BYTES]) or UNKNOWN)
        return trip.moved[blob.ref]
