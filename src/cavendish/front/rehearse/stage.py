"""Stage: the lanes of a rehearsal: the real governor and the real prices, before simulated providers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...catalog.cards import Limits
from ...catalog.resolve import Catalog, Resolved
from ...engine.bulk.ports import BulkLane
from ...engine.ports import Clock, Dice, Lane, Quota
from ...engine.twins import form_of
from ...govern.governors import Place
from ...io.quota.local import LocalQuotas
from ...model.call import Call, Done, Open
from ...model.fault import Fault
from ...model.request import Notice
from ...model.result import Slot
from ...model.usage import Usage
from ...plan.estimate import PriceBook, input_tokens
from ...plan.expand import for_slot
from ...plan.split import Several
from ...sim.profile import Bursts
from ...sim.rehearsal import TOKENS_APART, RehearsalProvider, Repertoire, Stage, kind_of, profile_of
from ...sim.rehearsal_jobs import RehearsalJobs
from ..order import BATCH
from ..routes import dialect_of

REMEMBERED = 4096
"""Prices and requests of so many kinds are kept; a play has a few."""


@dataclass(frozen=True, slots=True)
class Way:
    """One route as it is played: so many keys, each with these limits. ``timeout_s``: when a call is given up."""

    resolved: Resolved
    limits: Limits
    keys: int = 1
    timeout_s: float = 300.0

    @property
    def name(self) -> str:
        """The route, and its mode."""
        return f"{self.resolved.route} ({self.resolved.route.mode})"

    @property
    def is_batch(self) -> bool:
        """Whether it is bought as jobs."""
        return self.resolved.route.mode == BATCH


@dataclass(slots=True)
class RememberedPrices:
    """Implements ``engine.ports.Pricing``: the route's prices, each worked out once for all calls that are alike."""

    book: PriceBook
    tokens_of: Callable[[Slot], int]
    _estimates: dict[object, int | None] = field(default_factory=dict[object, "int | None"])
    _bounds: dict[object, int | None] = field(default_factory=dict[object, "int | None"])
    _costs: dict[object, int | None] = field(default_factory=dict[object, "int | None"])

    def estimate(self, slot: Slot) -> int | None:
        """As ``PriceBook.estimate``."""
        kind = self._kind(slot)
        if kind not in self._estimates:
            self._estimates[kind] = self.book.estimate(slot)
        return self._estimates[kind]

    def cost(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> int | None:
        """As ``PriceBook.cost``."""
        told = (reply.kind, reply.charged) if isinstance(reply, Fault) else len(reply.finals)
        name = (self._kind(slot), usage, told, pictures)
        if name not in self._costs:
            if len(self._costs) > REMEMBERED:
                self._costs.clear()
            self._costs[name] = self.book.cost(slot, usage, reply, pictures)
        return self._costs[name]

    def bound(self, slot: Slot) -> int | None:
        """As ``PriceBook.bound``."""
        kind = self._kind(slot)
        if kind not in self._bounds:
            self._bounds[kind] = self.book.bound(slot)
        return self._bounds[kind]

    def charged(self, fault: Fault) -> Fault:
        """As ``PriceBook.charged``."""
        return self.book.charged(fault)

    def _kind(self, slot: Slot) -> tuple[object, ...]:
        return kind_of(slot.request, self.tokens_of(slot))


@dataclass(slots=True)
class Library:
    """What all plays have in common: what each route answers; without any trouble when it is ``faultless``."""

    catalog: Catalog
    faultless: bool = False
    _known: dict[str, Repertoire] = field(default_factory=dict[str, Repertoire])

    def repertoire(self, way: Way) -> Repertoire:
        """What a route answers."""
        if way.name not in self._known:
            profile = profile_of(way.resolved, way.limits)
            if self.faultless:
                profile = replace(profile, faults={}, bursts=Bursts())
            self._known[way.name] = Repertoire(profile, self.catalog, dialect_of(way.resolved))
        return self._known[way.name]


@dataclass(slots=True)
class Backstage:
    """What all lanes of one play share. Keys have names of their own."""

    library: Library
    clock: Clock
    dice: Dice
    seed: int
    _stages: dict[str, Stage] = field(default_factory=dict[str, Stage])
    _quotas: LocalQuotas | None = None

    def lanes(self, way: Way) -> tuple[Lane, ...]:
        """A lane for each key of a route."""
        return tuple(self._lane(way, f"key {number + 1}") for number in range(way.keys))

    def places(self, way: Way) -> tuple[BulkLane, ...]:
        """The same as a batch API."""
        stage = self.stage(way)
        return tuple(BulkLane(lane, RehearsalJobs(stage, lane.key, self.clock)) for lane in self.lanes(way))

    def stage(self, way: Way) -> Stage:
        """The provider of a route; the keys of an endpoint have one quota whatever the mode."""
        if way.name not in self._stages:
            made = Stage(self.library.repertoire(way), self.seed, way.name)
            same = (one for one in self._stages.values() if one.profile.endpoint == made.profile.endpoint)
            made.quotas = next((one.quotas for one in same), made.quotas)
            self._stages[way.name] = made
        return self._stages[way.name]

    def _lane(self, way: Way, key: str) -> Lane:
        resolved = way.resolved
        tokens_of = _Tokens(resolved)
        return Lane(
            route=resolved.route,
            provider=RehearsalProvider(self.stage(way), key, self.clock, way.timeout_s),
            quota=self._governed(way, key),
            pricing=RememberedPrices(PriceBook.of(resolved), tokens_of),
            make_call=_Calls(resolved, tokens_of),
            notices=_no_notices,
            input_tokens=tokens_of,
            several=Several.of(resolved, way.limits),
            key=key,
        )

    def _governed(self, way: Way, key: str) -> Quota:
        if self._quotas is None:
            self._quotas = LocalQuotas(self.clock, self.dice)
        endpoint = way.resolved.endpoint
        place = Place(endpoint.name, key, way.resolved.card.id)
        return self._quotas.quota(place, way.limits, endpoint.day_zone)


class _Tokens:
    """The tokens of a slot's request, counted once: the slots of a play are asked about again and again."""

    def __init__(self, resolved: Resolved) -> None:
        self._card = resolved.card
        self._known: dict[str, int] = {}

    def __call__(self, slot: Slot) -> int:
        form = form_of(slot.id)
        tokens = self._known.get(form)
        if tokens is None:
            tokens = self._known[form] = input_tokens(slot.request, self._card)
        return tokens


class _Calls:
    """The call of a slot: the very same for all slots that would be answered alike, whatever their words."""

    def __init__(self, resolved: Resolved, tokens_of: Callable[[Slot], int]) -> None:
        self._model = resolved.route.wire_model
        self._tokens_of = tokens_of
        self._known: dict[object, Call] = {}

    def __call__(self, slot: Slot, attempt: int) -> Call:
        kind = kind_of(slot.request, self._tokens_of(slot) // TOKENS_APART)
        call = self._known.get(kind)
        if call is None:
            call = self._known[kind] = Open(for_slot(slot, self._model, attempt))
        return call


def _no_notices(_slot: Slot) -> tuple[Notice, ...]:
    return ()
