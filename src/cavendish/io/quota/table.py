"""Table: what is known of quotas as rows of a shared database, and a visit to them in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache

import orjson

from ...catalog.cards import Limits
from ...govern.counter import Ask, Counter, Report, Served
from ...govern.day import PACIFIC, DayEnds
from ...govern.fairness import Shares
from ...govern.governors import Governors, Name, Place
from ...govern.pacing import DEFAULT_PACING, Pacing
from ...model.request import JsonValue
from ..state.database import Link, StateError
from .holder import BEAT_S, Holder
from .local import ends_of

NAME = "quota"
"""Of the database."""

MIGRATIONS = (
    """
    CREATE TABLE known (
        endpoint TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL,
        form INTEGER NOT NULL, saved_s REAL NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (endpoint, key, model)
    ) STRICT;
    CREATE TABLE holder (
        name TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, birth TEXT NOT NULL, beat_s REAL NOT NULL
    ) STRICT
    """,
)

FORM = 1
"""The version of the states' form. An older one is not read; of a later one nothing is touched."""

SWEEP_S = 1.0
"""How often a process looks who is gone."""

KEPT_S = 60 * 86_400.0
"""What nobody asked for in so long is dropped."""

SHARES, STATED = "shares", "stated"
"""Who waits for a model, and what was stated of its quota, are kept in the model's row, beside its governor."""

BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What comes of reading a state that is none."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place, and what is known of it beforehand."""

    place: Place
    limits: Limits
    zone: str = PACIFIC
    pacing: Pacing = DEFAULT_PACING

    @property
    def ends(self) -> DayEnds:
        """When its days end. Raises ``ValueError`` for a zone that is not known."""
        return ends_of(self.zone)

    @property
    def lock(self) -> str:
        """All keys of an endpoint share its brake, so they take turns."""
        return self.place.endpoint


@dataclass(frozen=True, slots=True)
class Found:
    """What the rows of a place say, and their texts to tell what changed. ``anew``: some could not be read."""

    governors: Governors
    shares: Shares
    texts: Mapping[Name, bytes] = field(default_factory=dict[Name, bytes])
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a visit. ``found`` is all that is known now."""

    now_s: float
    served: Served | None
    found: Found
    swept: bool = False
    beaten: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """What a process brings: how its calls went, and what it asks for. ``beat_s``, ``swept_s``: when it last did so."""

    site: Site
    holder: Holder
    reports: Sequence[Report] = ()
    ask: Ask | None = None
    beat_s: float = 0.0
    swept_s: float = 0.0


def call(link: Link, visit: Visit, now_s: float, known: Found | None = None) -> Receipt:
    """One visit, in one transaction. ``known`` is what the last one found, and is not to be used again after this."""
    site, wall_s = visit.site, link.wall_s()
    beaten = visit.beat_s + BEAT_S <= now_s
    if beaten:
        visit.holder.beat(link, now_s)
    found = load(link, site, known)
    counter = Counter(found.governors.governor(site.place, site.limits, site.ends), found.shares)
    if swept := visit.swept_s + SWEEP_S <= now_s:
        there = visit.holder.present(link, now_s)
        counter.sweep(lambda name: name not in there, now_s)
    for report in visit.reports:
        counter.hear(report, now_s, wall_s)
    served = None if visit.ask is None else counter.serve(visit.ask, now_s, wall_s)
    return Receipt(now_s, served, save(link, site, found, now_s), swept, beaten)


def load(link: Link, site: Site, known: Found | None = None) -> Found:
    """What is known of a place: what was ``known`` if nobody else was there since.

    What cannot be read is dropped, with all that belongs to the same key.
    """
    texts = _texts(link, site.place)
    if known is not None and known.texts == texts:
        return replace(known, anew=False)
    try:
        return _read(site, texts)
    except BROKEN:
        endpoint, key, _ = site.place
        link.run("DELETE FROM known WHERE endpoint = :endpoint AND key IN (:key, '')", endpoint=endpoint, key=key)
        return Found(Governors(site.pacing), Shares(), anew=True)


def _texts(link: Link, place: Place) -> dict[Name, bytes]:
    rows = link.run(
        "SELECT key, model, form, state FROM known"
        " WHERE endpoint = :endpoint AND (key = '' OR key = :key) AND (model = '' OR model = :model)",
        **place._asdict(),
    )
    if any(form > FORM for _, _, form, _ in rows):
        raise StateError("quotas were kept there by a later version of Cavendish")
    return {_name(place.endpoint, key, model): state.encode() for key, model, form, state in rows if form == FORM}


def _name(endpoint: str, key: str, model: str) -> Name:
    return tuple(part for part in (endpoint, key, model) if part)


def _read(site: Site, texts: Mapping[Name, bytes]) -> Found:
    governors, shares = Governors(site.pacing), Shares()
    states: dict[Name, JsonValue] = {name: orjson.loads(text) for name, text in texts.items()}
    known = states.get(tuple(site.place))
    if known is not None:
        shares.restore(known[SHARES], 0.0)
    governors.restore(states, 0.0)
    governors.governor(site.place, site.limits, site.ends)
    return Found(governors, shares, texts)


def save(link: Link, site: Site, found: Found, now_s: float) -> Found:
    """Write down what changed. Moments are those of the store's clock, so what rests stays the same."""
    rows: dict[Name, bytes] = {}
    for name, known in found.governors.to_state(0.0).items():
        beside = (
            {SHARES: found.shares.to_state(0.0), STATED: _stated(site.limits, site.zone)}
            if name == tuple(site.place)
            else {}
        )
        rows[name] = orjson.dumps({**known, **beside})
        if rows[name] != found.texts.get(name):
            _write(link, name, rows[name], now_s)
    return replace(found, texts=rows)


def _write(link: Link, name: Name, text: bytes, now_s: float) -> None:
    endpoint, key, model = (*name, "", "")[:3]
    link.run(
        "INSERT INTO known (endpoint, key, model, form, saved_s, state)"
        " VALUES (:endpoint, :key, :model, :form, :saved_s, :state)"
        " ON CONFLICT (endpoint, key, model) DO UPDATE SET form = :form, saved_s = :saved_s, state = :state",
        endpoint=endpoint,
        key=key,
        model=model,
        form=FORM,
        saved_s=now_s,
        state=text.decode(),
    )


def drop_old(link: Link) -> None:
    """Drop what nobody asked for in a long time."""
    link.run("DELETE FROM known WHERE saved_s < :then_s", then_s=link.now_s() - KEPT_S)


def restored(rows: Mapping[Name, bytes]) -> dict[Name, JsonValue]:
    """The texts of rows as states of governors."""
    return {name: orjson.loads(text) for name, text in rows.items()}


@lru_cache(maxsize=64)
def _stated(limits: Limits, zone: str) -> JsonValue:
    return {"limits": asdict(replace(limits, provenance=None)), "zone": zone}
