"""Source: an endpoint whose bill can be asked for, and what it answers as bills."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, cast

from ...catalog.cards import EndpointCard
from ...errors import ConfigError
from ...io.http.exchange import Timeouts
from ...io.http.provider import Tokens
from ...io.http.usage import METERS, READERS, USAGE, Asked, Reading
from ...io.quota.local import fingerprint
from ...io.state.database import StateError
from ...model.bill import Bill
from ...model.fault import Fault, FaultKind
from ...secret import Secret
from ..build import SIMULATED_KEY, Workshop
from ..routes import SIMULATOR
from .accounts import on_one_bill
from .batches import read_jobs
from .calls import OurCall
from .meters import between, note

TIMEOUT_S = 60.0
MARGIN_S = 3600.0
"""A bill may have a call a little before or after we do."""


class Source:
    """One bill: that of an endpoint and of those that share its key. ``calls`` are ours that can be on it.

    ``key`` is asked with instead of those that are set: one that may see what the account used.
    """

    def __init__(self, workshop: Workshop, endpoint: str, calls: Sequence[OurCall], key: Secret | None = None) -> None:
        self._workshop = workshop
        self._setup = workshop.setup
        self._card = workshop.setup.catalog.endpoints[endpoint]
        self._calls = calls
        self._key = key
        self._endpoints = on_one_bill(workshop.setup.catalog, endpoint)

    async def read(self) -> AsyncIterator[Bill | str]:
        """Each bill that there is, or why there is none."""
        name = self._card.name
        ways = _ways(self._card)
        keys = self._keys()
        async for found in read_jobs(self._workshop, self._calls):
            yield found
        if not ways:
            yield f"{name} has no bill that can be read: take an export of its console, --csv"
        elif not keys:
            yield f"{name}: there is no key to ask with"
        else:
            asked = [way for way in ways if self._calls or way.get("reader") in METERS]
            for way, key in product(asked, keys):
                yield await self._ask(way, key, len(keys))
            if not asked:
                yield f"{name}: there are no calls of it in these folders"

    def _keys(self) -> Sequence[Secret]:
        if self._key is not None:
            return (self._key,)
        name = self._card.name
        held = self._setup.settings.endpoints[name].keys.value
        return held or ((SIMULATED_KEY,) if name == SIMULATOR else ())

    async def _ask(self, way: Mapping[str, str], key: Secret, keys: int) -> Bill | str:
        reader = READERS.get(way.get("reader", ""))
        if reader is None:
            known = ", ".join(READERS)
            raise ConfigError(f"endpoint {self._card.name}: no usage reader is named {way.get('reader')!r}: {known}")
        label = self._card.name if keys == 1 else f"{self._card.name}, key {key.fingerprint}"
        provider = self._workshop.provider(self._there(way), cast("Secret | Tokens", key), Timeouts(whole_s=TIMEOUT_S))
        found = await reader(provider.look, self._asked(f"{label}: {way['reader']}", way, key, keys))
        match found:
            case Bill():
                return found
            case Reading():
                return await self._difference(found, way, key)
            case Fault():
                said = found.message or found.reason or found.kind.value
                what = f"{label}: {way['reader']} cannot be read: {found.kind.value}: {said}"
                return what + _hint(found, self._card.name)

    def _asked(self, source: str, way: Mapping[str, str], key: Secret, keys: int) -> Asked:
        whose = fingerprint(key.reveal())
        ours = [call for call in self._calls if keys == 1 or call.key in {whose, ""}]
        ids = tuple(dict.fromkeys(each for call in ours for each in call.ids))
        times = [call.at for call in ours] or [0.0]
        return Asked(source, self._endpoints, ids, min(times) - MARGIN_S, max(times) + MARGIN_S, way.get("path", "/"))

    def _there(self, way: Mapping[str, str]) -> EndpointCard:
        """The host of the bill: another than that of the calls, unless the user has an address of his own."""
        there = self._workshop.there(self._card)
        own = self._setup.settings.endpoints[self._card.name].base_url.value
        return replace(there, base_url=way["base_url"]) if "base_url" in way and not own else there

    async def _difference(self, reading: Reading, way: Mapping[str, str], key: Secret) -> Bill | str:
        meter = f"{self._there(way).base_url} {way.get('path')} {fingerprint(key.reveal())}"
        address = self._setup.settings.state_address
        try:
            before, now = await note(address, meter, reading, self._workshop.clock)
        except StateError as error:
            return f"{reading.source}: the reading cannot be kept, so it is of no use: {error}"
        if before is None:
            return f"{reading.source}: its meter was read and noted; the next reading tells what was spent since"
        bill = between(before, reading, now)
        return (
            bill or f"{reading.source}: money was paid in since the last reading, so the two tell nothing; noted anew"
        )


def _hint(fault: Fault, endpoint: str) -> str:
    """What can be done about it."""
    if endpoint == SIMULATOR:
        return " (the simulator's books end with it: let `cavendish sim` run, and CAVENDISH_SIM_BASE_URL name it)"
    refused = fault.kind in {FaultKind.BAD_KEY, FaultKind.FORBIDDEN}
    return " (it may want another key, an admin's: --key-env NAME)" if refused else ""


def _ways(card: EndpointCard) -> list[Mapping[str, str]]:
    """How an endpoint's bill can be read, by the catalog."""
    found: Any = card.options.get(USAGE) or ()
    return [cast("Mapping[str, str]", way) for way in found]
