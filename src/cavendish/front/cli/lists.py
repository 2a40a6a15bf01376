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

SIMULATOR = "sim"


def models(via: Annotated[str | None, typer.Option(help="Only this endpoint.")] = None, as_json: o.Json = False) -> int:
    """Models, where each is to be had, what it can do and how long it will live."""
    from ...catalog.tables import model_rows
    from ..build import Setup

    catalog = Setup().catalog
    _check_endpoint(catalog, via)
    rows = [row for row in model_rows(catalog, _today(), via) if via or row.endpoint != SIMULATOR]
    if as_json:
        voice.data([asdict(row) for row in rows])
        return Exit.ALL
    voice.table(("MODEL", "AT", "ID", "SIZES", "REFS", "LIFE"), [_model_line(row) for row in rows])
    return Exit.ALL


def _model_line(row: ModelRow) -> tuple[str, ...]:
    life = row.life.value
    if row.retires:
        life += f", ends {row.retires}"
    if row.successor:
        life += f", then {row.successor}"
    name = row.aliases[0] if row.aliases else row.model
    return (name, row.endpoint, row.wire_id, " ".join(row.sizes) or "fixed", str(row.reference_limit), life)


def price(
    model: Annotated[str | None, typer.Argument(help="Alias or id; all models without one.")] = None,
    n: Annotated[int, typer.Option("-n", "--count", help="For so many pictures.")] = 1,
    size: o.Size = None,
    via: Annotated[str | None, typer.Option(help="Only this endpoint.")] = None,
    as_json: o.Json = False,
) -> int:
    """Prices of a picture by endpoint, mode and size: list prices, each with its source and date.

    What a call costs besides (prompt, thoughts, searches) is in `cavendish plan`, and on the bill afterwards.
    """
    from ...catalog.tables import price_rows
    from ..build import Setup

    if n < 1:
        raise RequestError(f"-n must be at least 1, got {n}", field="n")
    catalog = Setup().catalog
    _check_endpoint(catalog, via)
    rows = [row for row in price_rows(catalog, _model_id(catalog, model), via) if size in {None, row.size}]
    rows = [row for row in rows if via or row.endpoint != SIMULATOR]
    if not rows:
        sizes = sorted({row.size for row in price_rows(catalog, _model_id(catalog, model), via)})
        raise RequestError(f"there is no price in size {size}", field="size", allowed=sizes, hints=_known(sizes))
    if as_json:
        voice.data([{**asdict(row), "n": n} for row in rows])
        return Exit.ALL
    head = ("MODEL", "AT", "MODE", "SIZE", "LIST PRICE", *(("TOTAL",) if n > 1 else ()), "AS OF", "SOURCE")
    voice.table(head, [tuple(_price_line(row, n)) for row in rows])
    return Exit.ALL


def _price_line(row: PriceRow, n: int) -> Iterator[str]:
    from ...model.money import dollars

    yield from (row.name, row.endpoint, row.mode, row.size)
    unknown = row.list_nusd is None
    yield "unknown" if row.list_nusd is None else dollars(row.list_nusd)
    if n > 1:
        yield "unknown" if unknown else dollars(n * (row.list_nusd or 0), 2)
    yield str(row.as_of or "")
    yield row.source + ("" if row.verified else " (unverified)")


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
