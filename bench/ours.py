"""Ours: Cavendish as a user would set it up against the upstream, with no limit that the upstream does not have."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from .child import Meter
from .upstream import MODEL

ENDPOINT = "bench"
OURS = (sys.executable, "-c", "import sys; from cavendish.front.cli import main; sys.exit(main())")
"""The command line, as the installed command starts it."""

HOST = """
[endpoints.bench]
dialect = "gemini"
base_url = "{url}"
auth_header = "x-goog-api-key"
needs_key = false
options = {{ version = "v1beta" }}
default_mode = "standard"
default_tier = "any"
billing = "google"
offers_of = "google"

[offers."bench/{model}".tiers.any]
requests_per_minute = {rpm}
in_flight = {in_flight}
"""


def set_up(url: str, folder: str, in_flight: int, rpm: int = 1_000_000) -> None:
    """Write the settings of this process. Before Cavendish is asked for anything."""
    path = Path(folder) / "config.toml"
    path.write_text(HOST.format(url=url, model=MODEL, in_flight=in_flight, rpm=rpm), encoding="utf-8")
    os.environ["CAVENDISH_STATE"] = str(Path(folder) / "state")
    os.environ["CAVENDISH_CONFIG"] = str(path)


def client(in_flight: int) -> Any:
    """An ``AsyncClient`` for the endpoint of ``set_up``."""
    from cavendish import AsyncClient

    return AsyncClient(model=MODEL, via=ENDPOINT, concurrency=in_flight)


async def fetch_all(meter: Meter, url: str, count: int, out: Path, in_flight: int) -> float:
    """So many pictures through the provider port into files: no ledger, no engine, nothing drawn.

    Returns the peak memory before the first.
    """
    from cavendish.catalog.cards import EndpointCard
    from cavendish.dialects.gemini import GeminiDialect
    from cavendish.io.blobs.folder import FolderBlobs
    from cavendish.io.clock import SystemClock
    from cavendish.io.http.provider import HttpProvider
    from cavendish.io.http.session import Session
    from cavendish.model.call import Done, Open
    from cavendish.model.request import ImageRequest
    from cavendish.model.result import Slot

    card = EndpointCard(ENDPOINT, ENDPOINT, "gemini", url, "x-goog-api-key")
    request = ImageRequest.of("a red kite", MODEL)
    async with Session() as session, FolderBlobs(out) as blobs:
        provider = HttpProvider(GeminiDialect(), card, None, session, blobs, SystemClock())
        numbers = iter(range(count))

        async def worker() -> None:
            for number in numbers:
                reply = (await provider.call(Open(request), f"a{number}")).reply
                assert isinstance(reply, Done), reply
                blob = reply.pictures[0].blob
                assert blob is not None
                await blobs.place(blob, Slot(f"s{number}", f"{number}", number, 0, request))
                await blobs.forget(f"a{number}")

        before_mb = meter.begin()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return before_mb
