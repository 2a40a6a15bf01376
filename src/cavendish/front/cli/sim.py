"""``cavendish sim``: the simulator on a port, for other programs and for rehearsals."""

from __future__ import annotations

import contextlib
import errno
from typing import Annotated

import typer

from ...errors import ConfigError
from . import options as o
from . import voice
from .voice import Exit, say


def sim(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8080,
    profile: Annotated[str, typer.Option(help="Name or path of a .toml file.")] = "demo",
    seed: Annotated[int, typer.Option(help="Same seed, same faults.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: o.Json = False,
) -> int:
    """A simulated Gemini API on a port: quotas, latency, refusals and faults by profile, and a page of what it billed.

    Profiles: demo, fast, google-tier1, google-tier2, google-tier3, apiyi. Point any program at it with
    GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080 and any key. The header X-Cavendish-Sim asks for a fault.
    """
    import asyncio

    from ...sim.server import SimServer, serve

    def ready(server: SimServer) -> None:
        if as_json:
            voice.data({"url": server.url, "profile": profile, "seed": seed})
        else:
            print(server.url, flush=True)
        say(f"simulating {profile} at {server.url} (page: {server.url}/, sums: {server.url}/stats); Ctrl-C ends it")

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(profile, host=host, port=port, seed=seed, on_ready=ready))
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
            reason = "is in use" if error.errno == errno.EADDRINUSE else "cannot be listened on"
            raise ConfigError(f"{host}:{port} {reason}", hints=("another one: --port 0 takes a free one",)) from error
        raise
    return Exit.ALL
