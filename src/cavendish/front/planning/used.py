"""Used: how much of today's quotas is gone, as all runs that share them have written it down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from ...catalog.resolve import Resolved
from ...config import Settings
from ...io.clock import SystemClock
from ...io.quota.local import fingerprint
from ...io.quota.table import BROKEN, FORM, MIGRATIONS
from ...io.state.database import Link, StateError, is_server, open_database
from ...model.request import JsonValue

QUOTA = "quota"
ALL_OF_IT = 10**9
"""What a provider that says "nothing left today" has counted: more than any limit."""

Rows = Mapping[tuple[str, str, str], int]
"""Requests of the day by endpoint, fingerprint of the key, and model."""


def used_today(settings: Settings, now_s: float) -> Callable[[Resolved], int]:
    """Tells of a route how many requests its keys have made of today's quota. Reads, and writes nothing.

    What cannot be read counts as nothing: a plan is no promise. Not for an event loop.
    """
    address = settings.state_address
    rows: Rows = {}
    if is_server(address) or (Path(address) / f"{QUOTA}.sqlite3").is_file():
        with contextlib.suppress(StateError):
            rows = asyncio.run(_read(address, now_s))
    return lambda resolved: _of(settings, rows, resolved)


async def _read(address: str | Path, now_s: float) -> Rows:
    database = await open_database(address, QUOTA, MIGRATIONS, SystemClock())
    try:
        return await database.transact(lambda link: _rows(link, now_s))
    finally:
        await database.close()


def _rows(link: Link, now_s: float) -> Rows:
    found = link.run("SELECT endpoint, key, model, state FROM known WHERE model <> '' AND form = :form", form=FORM)
    return {(endpoint, key, model): _used(state, now_s) for endpoint, key, model, state in found}


def _used(state: str, now_s: float) -> int:
    try:
        day: JsonValue = orjson.loads(state)["day"]
        if not day["end"] > now_s:
            return 0
        return ALL_OF_IT if day["exhausted"] else int(day["used"])
    except BROKEN:
        return 0


def _of(settings: Settings, rows: Rows, resolved: Resolved) -> int:
    name = resolved.route.endpoint
    own = settings.endpoints[name]
    keys = {fingerprint(key.reveal()) for key in own.keys.value}
    elsewhere = bool(own.base_url.value)
    return sum(
        used
        for (endpoint, key, model), used in rows.items()
        if key in keys
        and model == resolved.card.id
        # What answers at an address of the user's own has a quota of its own, named after it.
        and (endpoint.startswith(f"{name} ") if elsewhere else endpoint == name)
    )
