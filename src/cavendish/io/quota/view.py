"""View: what a shared database knows of quotas, for people; and to forget what was learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from ...catalog.cards import Limits
from ...govern.counter import Counter
from ...govern.fairness import Claim
from ...govern.governors import Place
from ...govern.sight import Sight
from ...model.request import JsonValue
from ..state.database import Link
from .holder import Holder
from .table import BROKEN, FORM, STATED, Site, load, save


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one quota. ``holders`` are processes with calls under way, and how many; ``now_s`` is when."""

    site: Site
    sight: Sight
    waiting: Mapping[str, Claim]
    holders: Mapping[str, int]
    now_s: float


def look(link: Link, holder: Holder, endpoint: str = "") -> list[Known]:
    """What is known of all quotas, or of those of one endpoint. What cannot be read is left out."""
    now_s, wall_s = link.now_s(), link.wall_s()
    there = holder.present(link, now_s)
    names = {name: f"process {pid} on {host.split()[0]}" for name, host, pid in _holders(link)}
    found: list[Known] = []
    for site in _sites(link, endpoint):
        here = load(link, site)
        Counter(here.governors.governor(site.place, site.limits, site.ends), here.shares).sweep(
            lambda name: name not in there, now_s
        )
        sight = here.governors.governor(site.place, site.limits, site.ends).sight(now_s, wall_s)
        holders = {names.get(name, name): count for name, count in sight.holders.items()}
        found.append(Known(site, sight, here.shares.waiting, holders, now_s))
    return found


def forget(link: Link, endpoint: str = "") -> int:
    """Drop what was learned from replies; what was counted stays. Returns of how many quotas."""
    now_s = link.now_s()
    sites = list(_sites(link, endpoint))
    for site in sites:
        found = load(link, site)
        found.governors.governor(site.place, site.limits, site.ends).forget()
        save(link, site, found, now_s)
    return len(sites)


def _holders(link: Link) -> list[tuple[str, str, int]]:
    return [(name, host, pid) for name, host, pid in link.run("SELECT name, host, pid FROM holder")]


def _sites(link: Link, endpoint: str) -> Iterator[Site]:
    rows = link.run(
        "SELECT endpoint, key, model, state FROM known WHERE model <> '' AND form = :form"
        " AND (:endpoint = '' OR endpoint = :endpoint) ORDER BY endpoint, key, model",
        form=FORM,
        endpoint=endpoint,
    )
    for *place, state in rows:
        try:
            stated: JsonValue = orjson.loads(state)[STATED]
            yield Site(Place(*place), Limits(**stated["limits"]), stated["zone"])
        except BROKEN:
            continue
