"""Systems: worlds of every simulated system in its own wire format, with several pictures a call and with jobs.

A layout is drawn as for any world; the profile's own troubles, quirks and jobs stay, and lines break besides.
"""

from dataclasses import replace
from functools import cache

from cavendish.catalog.cards import Limits
from cavendish.catalog.load import load
from cavendish.catalog.resolve import Catalog, Resolved
from cavendish.model.result import Route
from cavendish.plan.estimate import PriceBook
from cavendish.plan.split import Several
from cavendish.sim.faults import Mishap
from cavendish.sim.loop import WALL_START
from cavendish.sim.menu import menu_of
from cavendish.sim.profile import Profile, load_profile
from cavendish.sim.systems import SYSTEMS, speaks
from tests.worlds.layout import GOOD_KEY, Drawing, Layout, Spoken, draw

NAMES = tuple(system.endpoint for system in SYSTEMS)
DAYS_S = 4 * 86_400.0
"""Clocks jump by some days in a world: a model that is retired by then is none to ask for."""

LINES = (Mishap.DROPPED, Mishap.OVERLOADED, Mishap.SERVER_ERROR, Mishap.CUT, Mishap.TERSE_429)


@cache
def _catalog() -> Catalog:
    return load()


@cache
def _offered(name: str) -> tuple[Resolved, ...]:
    """What can be asked for at a system: all that has a price, so that the books can be compared."""
    catalog, profile = _catalog(), load_profile(name)
    place = catalog.endpoints[profile.endpoint]
    return tuple(
        Resolved(catalog.models[offer.model], place, offer, Route(name, offer.model, offer.wire_id, profile.mode), ())
        for offer in catalog.offers_at(profile.endpoint)
        if offer.prices and menu_of(profile, catalog).find(offer.wire_id, WALL_START + DAYS_S)
    )


def spoken(name: str, by: Drawing, profile: Profile, limits: Limits) -> Spoken:
    """One of a system's models, and how it is asked for."""
    resolved = by.one(_offered(name))
    several = Several.of(resolved, limits)
    # Groups that are drawn one after another pay off where calls are few; here they are to be met in any case.
    several = replace(several, serial=several.serial and by.maybe(0.3))
    return Spoken(
        dialect=speaks(resolved.endpoint),
        menu=menu_of(profile, _catalog()),
        model=resolved.card.id,
        wire_model=resolved.offer.wire_id,
        prices=PriceBook.of(resolved),
        several=several,
    )


def drawn(name: str, seed: int) -> Layout:
    """The world of this seed at a system. Its requests have no seeds: each of them is a call of its own."""
    layout, by = draw(seed), Drawing(seed)
    own = load_profile(name)
    faults = {mishap: 4 * rate for mishap, rate in own.faults.items()}
    faults |= {by.one(LINES): by.one((0.0, 0.1, 0.3))}
    profile = replace(
        own,
        faults=faults,
        latency=layout.profile.latency,
        quota=replace(own.quota, requests_per_minute=by.one((None, 5, 30))),
    )
    limits = Limits(
        requests_per_minute=profile.quota.requests_per_minute,
        images_per_minute=profile.quota.images_per_minute,
        in_flight=profile.quota.active_tasks,
    )
    return replace(
        layout,
        rows=tuple((prompt, n, None, None) for prompt, n, _, _ in layout.rows),
        profile=profile,
        limits=limits,
        keys=(GOOD_KEY,),
        cap_nusd=None,
        timeout_s=300.0,
        spoken=(who := spoken(name, by, profile, limits)),
        wire_model=who.wire_model,
    )
