"""Stand-in: where the simulator answers for a model that only other systems offer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from ..catalog.cards import EndpointCard
from ..catalog.resolve import Catalog, Resolved
from ..sim.systems import SYSTEMS

SIMULATOR = "sim"


def stand_in(catalog: Catalog, name: str, today: date, mode: str | None) -> Resolved | None:
    """The route to a model at the simulator, as the first of the systems speaks that offer it.

    ``None`` when the simulator offers the model itself, or knows no system that does. The price is that system's.
    A name that leads nowhere there is a ``RequestError`` of the catalog's.
    """
    own = name.strip().removeprefix(f"{SIMULATOR}/")
    card = catalog.find(own)
    if card is None or catalog.offer(SIMULATOR, card.id):
        return None
    prefixes = {system.endpoint: system.prefix for system in SYSTEMS}
    system = next(
        (e for e in catalog.endpoints.values() if e.name in prefixes and catalog.offer(e.name, card.id)), None
    )
    if system is None:
        return None
    resolved = catalog.resolve(own, system.name, today, mode)
    endpoint = _below(catalog.endpoints[SIMULATOR], prefixes[system.name], system)
    return replace(resolved, endpoint=endpoint, route=replace(resolved.route, endpoint=SIMULATOR))


def _below(simulator: EndpointCard, path: str, system: EndpointCard) -> EndpointCard:
    """The simulator's endpoint with a system's wire format, below the path where that system is simulated."""
    return replace(
        simulator,
        base_url=simulator.base_url + path,
        dialect=system.dialect,
        options=system.options,
        billing=system.billing,
        default_mode=system.default_mode,
        default_tier=system.default_tier,
        day_zone=system.day_zone,
        auth_header=system.auth_header,
        auth_prefix=system.auth_prefix,
    )
