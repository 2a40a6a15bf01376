"""``cavendish keys``: who may use the gateway, and how much."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import options as o
from . import voice
from .voice import Exit, say

if TYPE_CHECKING:
    from ...config import Settings
    from ...io.desk.allowance import Spent
    from ...io.desk.books import DeskBooks
    from ...io.desk.keys import KeyEntry
    from ...secret import Secret

T = TypeVar("T")

keys = typer.Typer(
    name="keys",
    help="Keys of the gateway, for applications and people: who may ask, for what, and how much.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the key, or its id.")]


@keys.callback()
def _root() -> None:
    """Keys of the gateway, for applications and people: who may ask, for what, and how much."""


@keys.command()
def create(
    name: Annotated[
        str | None, typer.Argument(help="Whose key it is: an application, a team, a person. Without one, its id.")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Dollars that it may spend.")] = None,
    per: Annotated[str | None, typer.Option(help="day, week, month or total: what the budget is for.")] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests for pictures in a minute.")] = None,
    ipm: Annotated[int | None, typer.Option(help="Pictures in a minute.")] = None,
    models: Annotated[
        list[str] | None, typer.Option(help="Models that it may use, as patterns: 'nano-banana-*'. May be repeated.")
    ] = None,
    routes: Annotated[str | None, typer.Option(help="Endpoints that it may go by, divided by commas.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Dollars that one picture may cost.")] = None,
    max_n: Annotated[int | None, typer.Option(help="Pictures that one request may ask for.")] = None,
    expires: Annotated[str | None, typer.Option(help="After how long it ends: 90d, 12h.")] = None,
    role: Annotated[str, typer.Option(help="user; or admin, who sees the use of all and makes keys.")] = "user",
    as_json: o.Json = False,
) -> int:
    """Make a key. It is shown this once: only its hash is kept."""
    from ...io.clock import SystemClock
    from ..gateway.keys.asking import key_of_wish
    from ..gateway.keys.shown import key_object

    setup, now = _setup(), SystemClock().now()
    wish: dict[str, Any] = {"name": name, "budget": budget, "per": per, "rpm": rpm, "ipm": ipm, "role": role}
    wish |= {"models": _divided(models), "routes": routes, "max_price": max_price, "max_n": max_n, "expires": expires}
    entry = key_of_wish(wish, now, tuple(setup.catalog.endpoints))
    secret = asyncio.run(_with_books(setup.settings, lambda books: _keys(books).create(entry)))
    _hand_over(key_object(entry, now), secret, as_json=as_json)
    return Exit.ALL


@keys.command(name="list")
def list_keys(as_json: o.Json = False) -> int:
    """All keys, revoked ones too, and how their budgets stand."""
    from ...io.clock import SystemClock
    from ..gateway.keys.shown import key_object

    now = SystemClock().now()
    found = asyncio.run(_with_books(_setup().settings, lambda books: _standing(books, now)))
    if as_json:
        for entry, spent in found:
            voice.data(key_object(entry, now, spent))
        return Exit.ALL
    head = ("name", "key", "role", "state", "spent", "budget", "rpm", "models", "expires")
    voice.table(head, [_row(key_object(entry, now, spent)) for entry, spent in found])
    if not found:
        say("no key was made yet: the gateway serves this machine alone, without keys")
    return Exit.ALL


@keys.command()
def show(name: Name, as_json: o.Json = False) -> int:
    """One key: its limits, and how its budget stands."""
    from ...io.clock import SystemClock
    from ..gateway.keys.shown import key_object

    now = SystemClock().now()

    async def look(books: DeskBooks) -> dict[str, Any]:
        entry = await _keys(books).named(name)
        return key_object(entry, now, await _spent(books, entry, now))

    told = asyncio.run(_with_books(_setup().settings, look))
    if as_json:
        voice.data(told)
    else:
        voice.table(("", ""), [(field, _cell(field, value)) for field, value in told.items() if field != "object"])
    return Exit.ALL


@keys.command()
def revoke(name: Name) -> int:
    """From now on the key opens nothing. What it did stays on the books."""
    from ...io.clock import SystemClock

    now = SystemClock().now()
    entry = asyncio.run(_with_books(_setup().settings, lambda books: _keys(books).revoke(name, now)))
    say(f"{entry.name} is revoked; a gateway at work hears of it within seconds")
    return Exit.ALL


@keys.command()
def rotate(
    name: Name,
    grace: Annotated[str | None, typer.Option(help="How long the old secret may be used yet: 1h, 7d.")] = None,
    as_json: o.Json = False,
) -> int:
    """A new secret for a key, whose name, limits and use stay. It is shown this once."""
    from ...io.clock import SystemClock
    from ..gateway.keys.asking import seconds
    from ..gateway.keys.shown import key_object

    now, grace_s = SystemClock().now(), seconds("grace", grace) if grace else 0.0
    work = _with_books(_setup().settings, lambda books: _keys(books).rotate(name, now, grace_s))
    entry, secret = asyncio.run(work)
    _hand_over(key_object(entry, now), secret, as_json=as_json)
    return Exit.ALL


# --- the books --------------------------------------------------------------------------------------------------------


async def _with_books(settings: Settings, work: Callable[[DeskBooks], Awaitable[T]]) -> T:
    from ..gateway.keys.opening import opened_books

    async with opened_books(settings) as books:
        return await work(books)


def _keys(books: DeskBooks) -> Any:
    from ...io.desk.keys import KeyBooks

    return KeyBooks(books)


async def _standing(books: DeskBooks, now: float) -> list[tuple[KeyEntry, Spent]]:
    return [(entry, await _spent(books, entry, now)) for entry in await _keys(books).all()]


async def _spent(books: DeskBooks, entry: KeyEntry, now: float) -> Spent:
    from ...io.desk.allowance import spent_of

    return await books.read(lambda link: spent_of(link, entry, books.calendar, now))


def _setup() -> Any:
    from ..build import Setup

    return Setup()


# --- what is told -----------------------------------------------------------------------------------------------------


def _hand_over(told: dict[str, Any], secret: Secret, *, as_json: bool) -> None:
    """The one moment at which a key is seen."""
    if as_json:
        voice.data({**told, "key": secret.reveal()})
        return
    print(secret.reveal())
    say(f"the key of {told['name']}; it is shown this once, only its hash is kept")
    say("  google-genai  GOOGLE_API_KEY")
    say("  openai        OPENAI_API_KEY")


def _divided(words: list[str] | None) -> list[str]:
    return [part for word in words or () for part in word.split(",")]


def _row(told: dict[str, Any]) -> tuple[str, ...]:
    budget = "-" if told["budget"] is None else f"{_dollars(told['budget'])} {_per(told['per'])}"
    cells = (told["name"], told["key"], told["role"], told["state"], _dollars(told["spent"]), budget)
    return (*cells, str(told["rpm"] or "-"), ",".join(told["models"]) or "all", (told["expires"] or "-")[:10])


def _per(word: str) -> str:
    return "in all" if word == "total" else f"a {word}"


def _cell(field: str, value: Any) -> str:
    if field in {"budget", "spent", "held", "max_price"} and value is not None:
        return _dollars(value)
    if field in {"models", "routes"}:
        return ", ".join(str(word) for word in value or ()) or "all"
    return "-" if value is None else str(value)


def _dollars(amount: float) -> str:
    return f"${amount:,.4f}".rstrip("0").rstrip(".") if amount % 1 else f"${amount:,.0f}"
