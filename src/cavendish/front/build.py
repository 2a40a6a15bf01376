"""Build: the composition root. The only place that picks the real parts and fits them together."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .. import config
from ..catalog.cards import EndpointCard, Limits
from ..catalog.load import load as load_catalog
from ..catalog.resolve import Catalog, Resolved
from ..catalog.shape import told
from ..dialects.gemini.batch_files import GeminiFiles
from ..engine.ports import Clock, Dice, Lane, Quota
from ..errors import ConfigError
from ..govern.governors import Place
from ..io.auth import GoogleTokens
from ..io.blobs.memory import MemoryBlobs
from ..io.clock import SystemClock
from ..io.dice import SystemDice
from ..io.http.drafts import Onlooker
from ..io.http.exchange import Timeouts
from ..io.http.files import Door
from ..io.http.files_placed import FILES_API, PlacedReferences, PlacingProvider
from ..io.http.provider import HttpProvider, Tokens
from ..io.http.session import Session
from ..io.quota.local import LocalQuotas, fingerprint
from ..io.quota.shared import Asker, SharedQuotas
from ..io.quota.table import MIGRATIONS, NAME
from ..io.state.database import open_database
from ..model.call import Call, Open
from ..model.request import Notice
from ..model.result import Slot
from ..plan.estimate import PriceBook, input_tokens
from ..plan.expand import for_slot
from ..plan.split import Several
from ..secret import Secret
from ..wire.dialect import Dialect
from .placing import placed
from .routes import SIMULATOR, Routes, RouteWish, dialect_of, speaks
from .spending import Spending

if TYPE_CHECKING:
    from ..io.blobs.inbox import Inbox
    from ..sim.server import SimServer

SIMULATED_KEY = Secret("simulated-key")
SIMULATOR_PROFILE = "demo"


class Setup:
    """Settings and catalog: what every command needs, without any connection.

    ``simulator`` is the profile of the simulator that this process starts when there is no key for anything. Of any but
    the usual one no quota is known: it is found out as it goes.
    """

    def __init__(self, flags: Mapping[str, Any] | None = None, simulator: str = SIMULATOR_PROFILE) -> None:
        self.simulator = simulator
        sources = config.read_sources()
        self.catalog: Catalog = load_catalog(sources.catalog)
        self.settings = config.load(sources, self.catalog.endpoints, flags)

    def routes(self, wish: RouteWish, today: date | None = None) -> Routes:
        """What a run may use, as of today."""
        limits = None if self.simulator == SIMULATOR_PROFILE else Limits()
        return Routes(self.catalog, self.settings, wish, today or datetime.now(UTC).date(), of_simulator=limits)


class Workshop:
    """What all runs of a process share: the HTTP session and the quotas of its keys. Open it before use.

    ``onlooker`` is shown drafts while they arrive.
    """

    def __init__(self, setup: Setup, *, clock: Clock | None = None, dice: Dice | None = None) -> None:
        self.setup = setup
        self.clock = clock or SystemClock()
        self.dice = dice or SystemDice()
        self._own_quotas = LocalQuotas(self.clock, self.dice)
        self._shared_quotas = SharedQuotas(
            lambda: open_database(setup.settings.state_address, NAME, MIGRATIONS, self.clock), self.clock, self.dice
        )
        self._stack = AsyncExitStack()
        self._session: Session | None = None
        self.onlooker: Onlooker | None = None
        self._simulator: SimServer | None = None
        self._starting = asyncio.Lock()
        self._placed: dict[tuple[str, str], PlacedReferences] = {}
        self.login = GoogleTokens(setup.settings.ca_bundle.value)
        self.spending = Spending(setup.settings, self.clock)

    async def __aenter__(self) -> Self:
        bundle = self.setup.settings.ca_bundle
        tls = await asyncio.to_thread(_trust, bundle.value, bundle.origin) if bundle.value else None
        self._session = await self._stack.enter_async_context(Session(tls))
        self._stack.push_async_callback(self._shared_quotas.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await self.spending.close()

    async def ready(self, routes: Routes) -> None:
        """Start what the routes need: the simulator, when it is to answer and runs nowhere else; a login.

        Raises ``ConfigError`` when there is no login, or no project for it.
        """
        for card in routes.cards:
            if self._needs_login(card):
                await self.login.find()
                self.there(card)
        own = self.setup.settings.endpoints[SIMULATOR].base_url.value
        if not routes.simulated or own:
            return
        async with self._starting:
            if self._simulator is None:
                from ..sim.server import start_server

                self._simulator = await start_server(self.setup.simulator)
                self._stack.push_async_callback(self._simulator.close)

    def provider(
        self,
        card: EndpointCard,
        key: Secret | Tokens | None,
        timeouts: Timeouts,
        *,
        dialect: Dialect | None = None,
        inbox: Inbox | None = None,
    ) -> HttpProvider:
        """An endpoint that can be called. Without an inbox, what arrives is kept in memory: for a look."""
        assert self._session is not None, "the workshop is not open"
        spoken = dialect or speaks(card)
        provider = HttpProvider(spoken, card, key, self._session, inbox or MemoryBlobs(), self.clock, timeouts)
        provider.onlooker = self.onlooker
        return provider

    def lanes(
        self, routes: Routes, name: str, inbox: Inbox, timeout_s: float | None, *, asker: str = ""
    ) -> tuple[Lane, ...]:
        """The lanes to a model: one for each of its routes and keys, in the order of preference.

        ``asker``: whoever has this name shares a quota as one, in all processes.
        """
        return tuple(
            self._lane(routes, resolved, key, inbox, timeout_s, asker)
            for resolved in routes.resolve(name)
            for key in self._keys(resolved)
        )

    def doors(self, routes: Routes, name: str, inbox: Inbox) -> tuple[tuple[Resolved, Door], ...]:
        """The routes to a model with each of their keys, for what is no call; in the order of ``lanes``."""
        assert self._session is not None, "the workshop is not open"
        return tuple(
            (resolved, Door(self.there(resolved.endpoint), key, self._session, inbox, self.clock))
            for resolved in routes.resolve(name)
            for key in self._keys(resolved)
        )

    def references(self, there: EndpointCard, key: Secret | None) -> PlacedReferences | None:
        """Where large references are kept for a key, ``None`` at an endpoint that keeps none."""
        if not there.options.get(FILES_API):
            return None
        assert self._session is not None, "the workshop is not open"
        whose = there.base_url, fingerprint(key.reveal() if key else "")
        if whose not in self._placed:
            version = "v1" if there.options.get("version") == "v1" else "v1beta"
            door = Door(there, key, self._session, MemoryBlobs(), self.clock)
            self._placed[whose] = PlacedReferences(door, GeminiFiles(version))
        return self._placed[whose]

    def there(self, card: EndpointCard) -> EndpointCard:
        """An endpoint where this user meets it. Raises ``ConfigError`` for a place that is not set."""
        found = placed(card, self.setup.settings.endpoints[card.name], self.login.project)
        if card.name != SIMULATOR:
            return found
        own = self.setup.settings.endpoints[SIMULATOR].base_url.value
        root = own or (self._simulator.url if self._simulator else "")
        # A system that the simulator stands in for is below a path of its own.
        path = card.base_url.removeprefix(self.setup.catalog.endpoints[SIMULATOR].base_url)
        return replace(found, base_url=root.rstrip("/") + path if root else card.base_url)

    def _needs_login(self, card: EndpointCard) -> bool:
        return card.auth == "google" and not self.setup.settings.endpoints[card.name].keys.value

    def _keys(self, resolved: Resolved) -> Sequence[Secret | None]:
        keys = self.setup.settings.endpoints[resolved.endpoint.name].keys.value
        return keys or (SIMULATED_KEY if resolved.endpoint.name == SIMULATOR else None,)

    def _holder(self, endpoint: EndpointCard, key: Secret | None) -> str:
        """Whose quota it is: that of the key, or of the project."""
        if key is None and self._needs_login(endpoint):
            return str(endpoint.options.get("place", ""))
        return key.reveal() if key else ""

    def _quota(self, place: Place, routes: Routes, resolved: Resolved, asker: str) -> Quota:
        """Shared by all who use the key; that of the simulator in this process is this process's own."""
        limits, zone = routes.limits(resolved), resolved.endpoint.day_zone
        own = self.setup.settings.endpoints[place.endpoint].base_url.value
        if place.endpoint == SIMULATOR and not own:
            return self._own_quotas.quota(place, limits, zone)
        if own:
            # What answers at an address of the user's own has a quota of its own.
            place = place._replace(endpoint=f"{place.endpoint} {own.partition('://')[2].rstrip('/')}")
        return self._shared_quotas.quota(place, limits, zone, Asker(routes.priority, routes.note, asker))

    def _timeouts(self, resolved: Resolved, timeout_s: float | None) -> Timeouts:
        """What the run says of them; else what the settings and the offer do, whichever is longer."""
        if timeout_s:
            return Timeouts(whole_s=timeout_s)
        least_s, offer = self.setup.settings.timeout_s.value, resolved.offer
        by_size = {size: max(least_s, seconds) for size, seconds in offer.timeout_by_size.items()}
        return Timeouts(whole_s=max(least_s, offer.timeout_s), whole_by_size=by_size)

    def _lane(
        self,
        routes: Routes,
        resolved: Resolved,
        key: Secret | None,
        inbox: Inbox,
        timeout_s: float | None,
        asker: str,
    ) -> Lane:
        endpoint = self.there(resolved.endpoint)
        dialect = dialect_of(replace(resolved, endpoint=endpoint))
        pricing = PriceBook.of(resolved)
        place = Place(endpoint.name, fingerprint(self._holder(endpoint, key)), resolved.card.id)
        held = key or (self.login if self._needs_login(endpoint) else None)
        provider = self.provider(endpoint, held, self._timeouts(resolved, timeout_s), dialect=dialect, inbox=inbox)
        kept = self.references(endpoint, key)
        return Lane(
            route=resolved.route,
            provider=PlacingProvider(provider, kept, inbox.read) if kept else provider,
            quota=self._quota(place, routes, resolved, asker),
            pricing=pricing,
            make_call=lambda slot, attempt: _call(slot, attempt, resolved),
            notices=lambda slot: _unsaid(dialect, slot, resolved),
            input_tokens=lambda slot: input_tokens(slot.request, resolved.card),
            several=Several.of(resolved, routes.limits(resolved)),
            key=place.key,
        )


def _trust(bundle: Path, origin: str) -> ssl.SSLContext:
    """Trust in those that a file of certificates, or a folder of them, vouches for."""
    try:
        if bundle.is_dir():
            return ssl.create_default_context(capath=str(bundle))
        return ssl.create_default_context(cafile=str(bundle))
    except OSError as error:
        # An SSLError is one too, and says little of its own.
        why = error.strerror if not isinstance(error, ssl.SSLError) else "no certificate in it that can be read"
        raise ConfigError(f"{origin}: {bundle}: {why}", hints=("it should be a file of certificates, PEM",)) from error


def _call(slot: Slot, attempt: int, resolved: Resolved) -> Call:
    request = told(for_slot(slot, resolved.route.wire_model, attempt), resolved)
    # Drafts come in a stream alone.
    return Open(request, stream=bool(request.extra.get("partial_images")))


def _unsaid(dialect: Dialect, slot: Slot, resolved: Resolved) -> tuple[Notice, ...]:
    return dialect.unsupported(_call(slot, 1, resolved))
