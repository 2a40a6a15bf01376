"""Work: our calls against an export, or against what their providers can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...config import read_sources
from ...errors import ConfigError, RequestError
from ...model.bill import Bill
from ...secret import Secret
from ..build import Setup, Workshop
from .accounts import bills_of, check_endpoint, on_one_bill, the_one_bill
from .calls import OurCall
from .difference import Account
from .explain import reconcile
from .export import ExportWish, read_export
from .prices import CatalogPrices, names
from .source import Source

GOOGLE = ("google", "vertex")
"""How the names of endpoints begin whose bills have days that end at midnight Pacific."""
PACIFIC, ELSEWHERE = "America/Los_Angeles", "UTC"


def against_export(setup: Setup, calls: Sequence[OurCall], wish: ExportWish, via: str | None) -> Account:
    """Set our calls against an export. Blocks. Raises ``BatchInputError``, and ``RequestError`` for the options."""
    catalog = setup.catalog
    endpoint = check_endpoint(catalog, via) if via else the_one_bill(catalog, calls)
    zone = wish.zone or (PACIFIC if endpoint.startswith(GOOGLE) else ELSEWHERE)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RequestError(f"no time zone is named {zone!r}", field="zone", hints=("such as UTC",)) from error
    bill = read_export(replace(wish, endpoints=on_one_bill(catalog, endpoint), zone=zone))
    return reconcile(bill, calls, names(catalog, calls), CatalogPrices(catalog))


def key_named(variable: str) -> Secret:
    """The key that a variable of the environment holds. Raises ``ConfigError`` when it holds none."""
    value = read_sources().environ.get(variable, "").strip()
    if not value:
        raise ConfigError(f"the variable {variable} holds no key", hints=(f"set it: export {variable}=...",))
    return Secret(value)


def against_providers(
    setup: Setup, calls: Sequence[OurCall], via: str | None, key: Secret | None = None
) -> tuple[tuple[Account, ...], tuple[str, ...]]:
    """Set our calls against what their providers can be asked, and say what could not be. Raises ``CavendishError``.

    ``key`` is asked with instead of those that are set.
    """
    catalog = setup.catalog
    endpoints = (check_endpoint(catalog, via),) if via else bills_of(catalog, calls)
    bills, notes = asyncio.run(_bills(setup, calls, endpoints, key))
    canonical, prices = names(catalog, calls), CatalogPrices(catalog)
    return tuple(reconcile(bill, calls, canonical, prices) for bill in bills), tuple(notes)


async def _bills(
    setup: Setup, calls: Sequence[OurCall], endpoints: Sequence[str], key: Secret | None
) -> tuple[list[Bill], list[str]]:
    bills: list[Bill] = []
    notes: list[str] = []
    async with Workshop(setup) as workshop:
        for endpoint in endpoints:
            shared = on_one_bill(setup.catalog, endpoint)
            ours = [call for call in calls if call.endpoint in shared]
            async for found in Source(workshop, endpoint, ours, key).read():
                if isinstance(found, str):
                    notes.append(found)
                else:
                    bills.append(found)
    return bills, notes
