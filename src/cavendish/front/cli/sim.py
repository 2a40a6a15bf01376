"""``cavendish sim``: the simulator on a port, for other programs and for rehearsals."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as o
from . import voice
from .listening import until_stopped
from .voice import Exit, say


def sim(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8080,
    profile: Annotated[
        list[str], typer.Option(help="Name or path of a .toml file; further ones are of other systems.")
    ] = ["demo"],  # noqa: B006 (typer copies it)
    seed: Annotated[int, typer.Option(help="Same seed, same faults.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: o.Json = False,
) -> int:
    """All image systems on a port: quotas, latency, refusals and faults by profile, and a page of what was billed.

    Google's API is at the root, the others below a path of their own; the addresses are printed, each with the
    variable that a client takes it from. Any key will do. Profiles: demo, fast, google-tier1, google-tier2,
    google-tier3, and one for each other system, named after its endpoint: the first holds for all, the others for
    their own. The header X-Cavendish-Sim asks for a fault.
    """
    import asyncio

    from ...sim.server import SimServer, serve

    first, *others = profile

    def ready(server: SimServer) -> None:
        if as_json:
            voice.data({"url": server.url, "profile": first, "seed": seed, "systems": dict(server.urls)})
        else:
            print(server.url, flush=True)
        say(f"simulating {first} at {server.url} (page: {server.url}/, sums: {server.url}/stats); Ctrl-C ends it")
        for name, url in server.urls.items():
            say(f"  {name:18} {variable_of(name)}={url}")

    with until_stopped(host, port):
        asyncio.run(serve(first, host=host, port=port, seed=seed, others=others, on_ready=ready))
    return Exit.ALL


def variable_of(endpoint: str) -> str:
    """The environment variable that gives an endpoint another address."""
    return f"CAVENDISH_{endpoint.upper().replace('-', '_')}_BASE_URL"
