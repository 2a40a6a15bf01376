"""Question: what a planner is asked: the kinds of pictures, and each way to have them with its price and its pace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...catalog.cards import Latency, Limits
from ...catalog.fit import fit
from ...catalog.resolve import Resolved
from ...catalog.shape import word_for
from ...engine.bulk.ports import AT_ONCE_BY_JOBS
from ...engine.policy import Policy
from ...errors import RequestError
from ...govern.day import day_ends
from ...model.request import ImageRequest
from ...model.result import Slot
from ...plan.estimate import PriceBook, input_tokens
from ...plan.kinds import Group
from ...plan.options import BATCH_S, Call, Lane, Way, at_all, batch_paces, held_by, paces
from ...plan.quota_time import Load, Today
from ...plan.sheet import Grid, SheetBook
from ...plan.split import USUAL_LATENCY_S, Several
from ..order import BATCH
from ..routes import Routes
from .places import Missing, Route, Said, WideRoutes, limits_at, routes_to

USUAL_LATENCY = Latency(USUAL_LATENCY_S, 18.0)
"""Of a 1K picture: where the catalog has no figures for a model."""


def _nothing_used(_resolved: Resolved) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user says of a plan beside routes.

    ``others`` are models that may draw what the first was asked for. ``tiers`` and ``rates`` are those of keys.
    ``batch_within_s`` is what jobs are counted on to take. ``used_today`` tells how many requests of a day's quota
    are gone already; ``now_s`` is the time, in seconds since the epoch.
    """

    now_s: float
    first: str = ""
    others: tuple[str, ...] = ()
    tiers: Said = field(default_factory=Said)
    rates: Said = field(default_factory=Said)
    concurrency: int = Policy().concurrency
    sheet: Grid | None = None
    batch_within_s: float = BATCH_S
    used_today: Callable[[Resolved], int] = _nothing_used


@dataclass(frozen=True, slots=True)
class Option:
    """One way to have pictures drawn, with the limits of its keys."""

    id: str
    resolved: Resolved
    limits: Limits
    keys: int = 1
    used_today: int = 0
    sheet: Grid | None = None

    @property
    def is_batch(self) -> bool:
        """Whether it is bought as jobs, which are promised within a day."""
        return self.resolved.route.mode == BATCH


@dataclass(frozen=True, slots=True)
class Apart:
    """A way that is not planned with, and why; ``each_nusd`` is what a picture would cost, where that is known."""

    id: str
    why_not: str
    each_nusd: int | None = None


@dataclass(slots=True)
class Question:
    """All there is to choose from. ``calls`` are those of the ways, with their lanes. ``notes`` say what is only
    supposed.
    """

    groups: tuple[Group, ...]
    options: dict[str, Option] = field(default_factory=dict[str, Option])
    ways: list[Way] = field(default_factory=list[Way])
    calls: list[tuple[Lane, Call]] = field(default_factory=list[tuple[Lane, Call]])
    unpriced: set[int] = field(default_factory=set[int])
    apart: dict[str, Apart] = field(default_factory=dict[str, Apart])
    notes: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def counts(self) -> tuple[int, ...]:
        """Pictures of each kind."""
        return tuple(group.pictures for group in self.groups)

    def held_by(self, counts: Sequence[tuple[int, int]]) -> str:
        """The limit that pictures by these ways wait for longest; empty when they wait for none."""
        online = [(number, count) for number, count in counts if not self.options[self.ways[number].option].is_batch]
        if len(online) < len(counts):
            return BATCH
        last = max(online, key=lambda part: self._alone_s(*part), default=None)
        return "" if last is None else held_by(*self.calls[last[0]], last[1])

    def _alone_s(self, way: int, count: int) -> float:
        return max(pace.supposed().done_s(count, slow=False) for pace in self.ways[way].paces.values())


def question(groups: Sequence[Group], routes: WideRoutes, wish: Wish) -> Question:
    """Price and time every way to have these pictures. Raises what the settings or the catalog have to object."""
    made = Question(tuple(group for group in groups if group.pictures))
    for kind, group in enumerate(made.groups):
        asker = _Asker(made, routes, wish, kind)
        others = wish.others if group.kind.model == wish.first else ()
        for model in (group.kind.model, *others):
            asker.ask(model)
    return made


def as_ordered(groups: Sequence[Group], routes: Routes, wish: Wish) -> Question:
    """The ways that a run takes, each kind's preferred route; where no price is known it is put as nothing, and
    ``unpriced`` says so.
    """
    made = Question(tuple(group for group in groups if group.pictures))
    for kind, group in enumerate(made.groups):
        resolved = routes.resolve(group.kind.model)[0]
        name = name_of(resolved)
        used, keys = wish.used_today(resolved), routes.keys_of(resolved.route.endpoint)
        option = made.options.setdefault(name, Option(name, resolved, routes.limits(resolved), keys, used))
        offers = _Offers(made, wish, kind)
        each = PriceBook.of(resolved).estimate(_slot(group.longest))
        if each is None:
            made.unpriced.add(kind)
        if wish.sheet is None or option.is_batch or not offers.cut(option, group.longest, wish.sheet):
            offers.drawn(option, group.longest, each or 0)
    return made


class _Offers:
    """Puts ways to have one kind of pictures into a question."""

    def __init__(self, made: Question, wish: Wish, kind: int) -> None:
        self._made = made
        self._wish = wish
        self._kind = kind
        self._group = made.groups[kind]

    def drawn(self, option: Option, request: ImageRequest, each_nusd: int) -> None:
        """By calls for one picture, or for several where that is cheaper or faster."""
        resolved, together = option.resolved, self._group.kind.together
        several = Several.of(resolved, option.limits)
        calls = (1,) if option.is_batch else several.split(together, request, self._group.pictures)
        latency = self._latency(resolved, request)
        if several.serial:
            latency = Latency(latency.p50_s * calls[0], latency.p90_s * calls[0])
        load = Load(input_tokens(request, resolved.card), each_nusd * calls[0], calls[0])
        self._put(option, each_nusd, Call(load, latency, len(calls), sum(calls)))

    def cut(self, option: Option, request: ImageRequest, grid: Grid) -> bool:
        """As cells of large pictures, which share the option's quota; false when that cannot be, or does not pay."""
        name, together = f"{option.id} sheet {grid}", self._group.kind.together
        book = SheetBook(option.resolved, grid)
        try:
            asked = book.fitted(request)
            sheets = book.groups(asked, together)
            size = book.whole(asked).size if sheets else ""
        except RequestError as error:
            self.apart(Apart(name, error.message))
            return False
        if not sheets:
            self.apart(Apart(name, f"no sheet is cheaper than {together} drawn one by one"))
            return False
        prices = [book.price(_slot(asked), cells) or 0 for cells in (*sheets, *(1,) * (together - sum(sheets)))]
        load = Load(input_tokens(asked, option.resolved.card), max(prices))
        call = Call(load, self._latency(option.resolved, asked.having(size=size)), len(prices), together)
        self._made.options.setdefault(name, replace(option, id=name, sheet=grid))
        self._put(self._made.options[name], -(-sum(prices) // together), call)
        return True

    def apart(self, apart: Apart) -> None:
        """A way that is not planned with."""
        self._made.apart.setdefault(apart.id, apart)

    def note(self, texts: Iterable[str]) -> None:
        """What is only supposed."""
        self._made.notes.update(dict.fromkeys(texts))

    def _put(self, option: Option, each_nusd: int, call: Call) -> None:
        made, lane = self._made, lane_of(option, self._wish)
        most = at_all(made.counts)
        # The jobs of a run are so many at once, whoever takes them.
        batch = batch_paces(BATCH, most, self._wish.batch_within_s, AT_ONCE_BY_JOBS)
        found = batch if option.is_batch else paces(lane, call, most)
        made.ways.append(Way(self._kind, option.id, each_nusd, found, call.load.nusd))
        made.calls.append((lane, call))

    def _latency(self, resolved: Resolved, request: ImageRequest) -> Latency:
        known = resolved.offer.latency.get(word_for(resolved.card, request.size))
        if known is None:
            text = f"how long a call takes at {name_of(resolved)} is not known: {USUAL_LATENCY_S:g} s are supposed"
            self.note([text])
        return known or USUAL_LATENCY


class _Asker:
    """Looks at all routes for one kind of pictures."""

    def __init__(self, made: Question, routes: WideRoutes, wish: Wish, kind: int) -> None:
        self._made = made
        self._routes = routes
        self._wish = wish
        self._group = made.groups[kind]
        self._offers = _Offers(made, wish, kind)

    def ask(self, model: str) -> None:
        """By every route to a model."""
        for route in self._found(model):
            if isinstance(route, Missing):
                self._offers.apart(Apart(f"{route.endpoint}/{route.model}", route.why_not))
                continue
            try:
                fitted = fit(self._group.asked_of(model), route.resolved, strict=self._routes.wish.strict)
            except RequestError as error:
                self._offers.apart(Apart(name_of(route.resolved), error.message))
                continue
            if model != self._group.kind.model:
                self._offers.note(f"{route.resolved.card.name}: {notice.text}" for notice in fitted.notices)
            self._weigh(route, fitted.request)

    def _found(self, model: str) -> Iterator[Route | Missing]:
        try:
            yield from routes_to(self._routes, model)
        except RequestError as error:
            if model == self._group.kind.model:
                raise
            yield Missing("", model, error.message)

    def _weigh(self, route: Route, request: ImageRequest) -> None:
        name = name_of(route.resolved)
        each = PriceBook.of(route.resolved).estimate(_slot(request))
        if route.why_not:
            self._offers.apart(Apart(name, route.why_not, each))
        elif each is None:
            self._offers.apart(Apart(name, "its price is not known"))
        else:
            option = self._option(name, route.resolved)
            self._offers.drawn(option, request, each)
            if self._wish.sheet is not None and not option.is_batch:
                self._offers.cut(option, request, self._wish.sheet)

    def _option(self, name: str, resolved: Resolved) -> Option:
        if name not in self._made.options:
            limits = limits_at(self._routes, resolved, self._wish.tiers, self._wish.rates)
            keys, used = self._routes.keys_of(resolved.route.endpoint), self._wish.used_today(resolved)
            self._made.options[name] = Option(name, resolved, limits, keys, used)
        return self._made.options[name]


def lane_of(option: Option, wish: Wish) -> Lane:
    """The keys of an option, with what is left of the day. Sheets draw on the lane of single pictures."""
    resolved = option.resolved
    endpoint, mode = resolved.route.endpoint, resolved.route.mode
    ends_s = day_ends(resolved.endpoint.day_zone)(wish.now_s)
    today = Today(ends_s - wish.now_s, -(-option.used_today // option.keys))
    # Endpoints that take the same key are one account, whose quota they share.
    account = next(iter(resolved.endpoint.key_env), endpoint)
    lane, purse = f"{account} {resolved.route.model} {mode}", f"{account} {mode} money"
    return Lane(lane, purse, option.limits, option.keys, today, wish.concurrency)


def name_of(resolved: Resolved) -> str:
    """A route in words: ``google/gemini-3.1-flash-image batch``."""
    route = resolved.route
    return f"{route.endpoint}/{route.model} {route.mode}"


def _slot(request: ImageRequest) -> Slot:
    return Slot("", "", 0, 0, request)
