"""``cavendish quota``: what is known of each key's quota now, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options as o
from . import voice
from .voice import Exit

if TYPE_CHECKING:
    from ...catalog.cards import Limits
    from ...govern.sight import Sight
    from ...io.quota.view import Known
    from ..build import Setup

UNITS = {
    "requests": "calls a minute",
    "images": "pictures a minute",
    "tokens": "tokens a minute",
    "day": "calls a day",
    "in_flight": "calls at once",
}
"""What a limit that a provider named is of."""

HEAD = ("AT", "KEY", "MODEL", "LAST MINUTE", "TODAY", "UNDER WAY", "WAITING", "STATE")


def quota(
    endpoint: Annotated[str | None, typer.Argument(help="Only this endpoint.")] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop what was learned from replies: waits, verdicts, limits.")
    ] = False,
    as_json: o.Json = False,
) -> int:
    """What is known of each key's quota now: used, learned, who waits and who holds how much.

    It is shared by all runs that use the key. Makes no call. What was counted is never forgotten: it was used.
    """
    import asyncio

    from ...io.quota.holder import Holder
    from ..build import Setup

    setup = Setup()
    found = asyncio.run(_looked(setup, Holder.this_process(), endpoint or "", forget=forget))
    if as_json:
        voice.data([_plain(known, _key(setup, known)) for known in found])
    elif not found:
        voice.say("nothing is known of any quota" + (f" at {endpoint}" if endpoint else ""))
    else:
        voice.table(HEAD, [_line(known, _key(setup, known)) for known in found])
        _tell_holders(found)
    return Exit.ALL


async def _looked(setup: Setup, holder: Any, endpoint: str, *, forget: bool) -> list[Known]:
    from ...errors import ConfigError
    from ...io.clock import SystemClock
    from ...io.quota import view
    from ...io.quota.table import MIGRATIONS, NAME
    from ...io.state.database import StateError, open_database

    try:
        database = await open_database(setup.settings.state_address, NAME, MIGRATIONS, SystemClock())
        try:
            if forget:
                count = await database.transact(lambda link: view.forget(link, endpoint))
                voice.say(f"forgot what was learned of {count} quota{'' if count == 1 else 's'}")
            return await database.transact(lambda link: view.look(link, holder, endpoint))
        finally:
            await database.close()
    except StateError as error:
        hint = "where quotas are kept is the setting state: cavendish config show"
        raise ConfigError(str(error), hints=(hint,)) from error


def _key(setup: Setup, known: Known) -> str:
    """A key as ``cavendish config show`` tells it, else what it is filed under."""
    from ...io.quota.local import fingerprint

    name = known.site.place.endpoint.partition(" ")[0]
    settings = setup.settings.endpoints.get(name)
    keys = settings.keys.value if settings else ()
    return next((str(key) for key in keys if fingerprint(key.reveal()) == known.site.place.key), known.site.place.key)


def _line(known: Known, key: str) -> tuple[str, ...]:
    sight, place, limits = known.sight, known.site.place, known.site.limits
    return (
        place.endpoint,
        key,
        place.model,
        _minute(sight, limits),
        _of(sight.today, limits.requests_per_day),
        str(sum(known.holders.values())),
        str(len(known.waiting)),
        _state(known),
    )


def _minute(sight: Sight, limits: Limits) -> str:
    """The measure that is limited and nearest to its limit; calls when none is."""
    measures = (
        (sight.requests, limits.requests_per_minute, "calls"),
        (sight.images, limits.images_per_minute, "pictures"),
        (sight.tokens, limits.tokens_per_minute, "tokens"),
    )
    known = [(used / limit, used, limit, what) for used, limit, what in measures if limit]
    if not known:
        return f"{sight.requests:,} calls"
    _, used, limit, what = max(known, key=lambda each: each[0])
    return f"{used:,} of {limit:,} {what}"


def _of(used: int, limit: int | None) -> str:
    return f"{used:,}" if limit is None else f"{used:,} of {limit:,}"


def _state(known: Known) -> str:
    """What keeps calls from leaving, else what was learned."""
    from ...govern.verdict import Closed

    sight = known.sight
    said = [f"told of {value:,} {UNITS[name.value]}" for name, value in sight.learned.items()]
    for obstacle in sight.obstacles:
        if isinstance(obstacle, Closed):
            said.append(f"closed: {obstacle.fault.message or obstacle.fault.kind.value}")
        else:
            said.append(f"{obstacle.why}, {max(0.0, obstacle.until_s - known.now_s):,.0f} s")
    if sight.day_is_over:
        said.append(f"the day is used up, {sight.day_ends_in_s / 3600:,.1f} h")
    return "; ".join(said) or "open"


def _tell_holders(found: list[Known]) -> None:
    held = {holder: 0 for known in found for holder in known.holders}
    for known in found:
        for holder, count in known.holders.items():
            held[holder] += count
    for holder, count in held.items():
        voice.say(f"{holder}: {count} call{'' if count == 1 else 's'} under way")


def _plain(known: Known, key: str) -> dict[str, Any]:
    sight, limits = known.sight, known.site.limits
    return {
        "endpoint": known.site.place.endpoint,
        "key": key,
        "model": known.site.place.model,
        "last_minute": {"calls": sight.requests, "pictures": sight.images, "tokens": sight.tokens},
        "limits": {
            "calls": limits.requests_per_minute,
            "pictures": limits.images_per_minute,
            "tokens": limits.tokens_per_minute,
            "calls_per_day": limits.requests_per_day,
            "in_flight": limits.in_flight,
        },
        "today": sight.today,
        "day_ends_in_s": round(sight.day_ends_in_s),
        "learned": {name.value: value for name, value in sight.learned.items()},
        "calls_per_minute_now": sight.pace if sight.pace < float("inf") else None,
        "under_way": dict(known.holders),
        "waiting": len(known.waiting),
        "state": _state(known),
    }
