"""``cavendish models`` and ``cavendish price``: what there is and what it costs, out of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import RequestError
from . import options as o
from . import voice
from .voice import Exit

if TYPE_CHECKING:
    from ...catalog.resolve import Catalog
    from ...catalog.tables import ModelRow, PriceRow
    from ..build import Setup
    from ..comparison import SoMany

SIMULATOR = "sim"
TOKENS = {"input": "PROMPT", "input_image": "REFERENCE", "output_image": "PICTURE", "output_text": "WORDS"}
"""What tokens are of, for people."""

PAST_AND_FUTURE = frozenset({"retired", "announced"})
"""Lives in which an id does not answer."""


def models(
    via: Annotated[str | None, typer.Option(help="Only this endpoint.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Retired ones and earlier ids as well, with what came after them.")
    ] = False,
    as_json: o.Json = False,
) -> int:
    """Models, where each is to be had, what it can do and how long it will live."""
    from ...catalog.tables import model_rows
    from ..build import Setup

    catalog = Setup().catalog
    _check_endpoint(catalog, via)
    rows = [row for row in model_rows(catalog, _today(), via, every_id=everything) if via or row.endpoint != SIMULATOR]
    shown = [row for row in rows if everything or row.life.value not in PAST_AND_FUTURE]
    if as_json:
        voice.data([asdict(row) for row in shown])
        return Exit.ALL
    voice.table(("MODEL", "AT", "ID", "SIZES", "REFS", "A CALL", "LIFE"), [_model_line(row) for row in shown])
    if len(shown) < len(rows):
        voice.say(f"{len(rows) - len(shown)} that are retired or not yet released: cavendish models --all")
    return Exit.ALL


def _model_line(row: ModelRow) -> tuple[str, ...]:
    life = row.life.value
    if row.retires:
        life += f", {'ended' if life == 'retired' else 'ends'} {row.retires}"
    if row.successor:
        life += f", then {row.successor}"
    name = row.aliases[0] if row.aliases else row.model
    references = "" if row.reference_limit is None else str(row.reference_limit)
    sizes = "any" if row.reference_limit is None else " ".join(row.sizes) or "fixed"
    return (name, row.endpoint, row.wire_id, sizes, references, str(row.pictures_per_call), life)


def price(
    model: Annotated[str | None, typer.Argument(help="Alias or id; all models without one.")] = None,
    n: Annotated[int, typer.Option("-n", "--count", help="For so many pictures.")] = 1,
    size: Annotated[str | None, typer.Option(help="Only this size: a word, or WIDTHxHEIGHT.")] = None,
    quality: Annotated[str | None, typer.Option(help="Only this quality, where it has a price.")] = None,
    mode: Annotated[str | None, typer.Option(help="Only this mode: standard, batch, tokens, ...")] = None,
    via: Annotated[str | None, typer.Option(help="Only this endpoint.")] = None,
    as_json: o.Json = False,
) -> int:
    """Prices of a picture by endpoint, mode, size and quality: list prices, each with its source and date.

    With -n: what so many come to with a prompt of usual length, words and thoughts, and how long that takes within the
    limits of a key. Your own prompts, references and searches are in `cavendish plan`, and on the bill afterwards.
    """
    from ...catalog.tables import price_rows
    from ..build import Setup

    if n < 1:
        raise RequestError(f"-n must be at least 1, got {n}", field="n")
    setup = Setup()
    catalog = setup.catalog
    _check_endpoint(catalog, via)
    rows = [row for row in price_rows(catalog, _model_id(catalog, model), via) if via or row.endpoint != SIMULATOR]
    rows = _in_size(catalog, rows, size)
    rows = _having(_having(rows, "quality", quality), "mode", mode)
    if as_json:
        voice.data([{**asdict(row), "n": n, **_so_many(setup, row, n).to_json()} for row in rows])
        return Exit.ALL
    many = ("TOTAL", "EXPECTED", "TIME") if n > 1 else ()
    head = ("MODEL", "AT", "MODE", "SIZE", "QUALITY", "LIST PRICE", *many, "AS OF", "SOURCE")
    voice.table(head, [tuple(_price_line(row, n, _so_many(setup, row, n) if many else None)) for row in rows])
    if model and (tokens := dict.fromkeys(_token_line(row) for row in rows if row.per_million)):
        print()
        voice.table(("A MILLION TOKENS OF", "AT", "MODE", *TOKENS.values()), tokens)
    return Exit.ALL


def _token_line(row: PriceRow) -> tuple[str, ...]:
    from ...model.money import dollars

    prices = (row.per_million.get(kind) for kind in TOKENS)
    return (row.name, row.endpoint, row.mode, *("" if each is None else dollars(each, 2) for each in prices))


def _in_size(catalog: Catalog, rows: list[PriceRow], size: str | None) -> list[PriceRow]:
    """The rows of a size, however it is spelled; of pixels, those of the size word that they cost like."""
    from ...catalog.fit import size_word
    from ...catalog.shape import read_pixels, word_for

    if size is None:
        return rows
    pixels = read_pixels(size)
    cards = {row.model: catalog.models[row.model] for row in rows}
    words = {name: word_for(card, size) if pixels else size_word(size, card) for name, card in cards.items()}
    found = [row for row in rows if row.size == words[row.model]]
    return found or _having(rows, "size", size)


def _having(rows: list[PriceRow], name: str, value: str | None) -> list[PriceRow]:
    """The rows with this value. Raises ``RequestError`` with the values that there are, when there is none."""
    found = [row for row in rows if value in {None, getattr(row, name)}]
    if rows and not found:
        known = sorted({getattr(row, name) for row in rows} - {""})
        raise RequestError(f"there is no price in {name} {value}", field=name, allowed=known, hints=_known(known))
    return found


def _so_many(setup: Setup, row: PriceRow, n: int) -> SoMany:
    """What so many pictures of a row come to, with a key of the tier that is set, or else the endpoint's usual one."""
    from ..comparison import so_many

    return so_many(setup.catalog, row, n, setup.settings.endpoints[row.endpoint].tier.value)


def _price_line(row: PriceRow, n: int, many: SoMany | None) -> Iterator[str]:
    from ...model.money import dollars

    yield from (row.name, row.endpoint, row.mode, row.size, row.quality)
    unknown = row.list_nusd is None
    yield "unknown" if row.list_nusd is None else dollars(row.list_nusd)
    if many is not None:
        yield "unknown" if unknown else dollars(n * (row.list_nusd or 0), 2)
        yield "unknown" if many.cost_nusd is None else dollars(many.cost_nusd, 2)
        yield _how_long(many)
    yield str(row.as_of or "")
    yield row.source + ("" if row.verified or not row.source else " (unverified)")


def _how_long(many: SoMany) -> str:
    from ..comparison import AT_ONCE
    from ..folder.summary import duration

    time = many.time
    if time.bound_by == "batch":
        return "within a day"
    if time.seconds is None:
        return "unknown"
    said = duration(time.seconds) if time.seconds else "0 s"
    return f"{said}, and the last call" if time.at_least else f"{said}, {AT_ONCE} at once" if time.assumed else said


def _model_id(catalog: Catalog, name: str | None) -> str | None:
    if name is None:
        return None
    card = catalog.find(name)
    if card is None:
        # The catalog's own error knows what was probably meant.
        catalog.resolve(name, None, _today())
        raise RequestError(f"no model is named {name!r}", field="model")
    return card.id


def _check_endpoint(catalog: Catalog, name: str | None) -> None:
    if name is not None and name not in catalog.endpoints:
        known = tuple(catalog.endpoints)
        raise RequestError(f"no endpoint is named {name!r}", field="via", allowed=known, hints=_known(known))


def _known(names: Any) -> tuple[str, ...]:
    return (f"known: {', '.join(names)}",)


def _today() -> Any:
    return datetime.now(UTC).date()
