"""``cavendish serve``: the gateway, for applications that speak Google's or OpenAI's API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as o
from . import voice
from .listening import until_stopped
from .voice import Exit, say

if TYPE_CHECKING:
    from ..gateway.app import Gateway

SIMULATOR_PROFILE = "fast"
"""Behind a gateway without keys: programs and their tests meet no quota, and no fault that they did not ask for."""


def serve(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8790,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    store: Annotated[
        str | None, typer.Option(help="Where pictures are kept: a folder, or s3://bucket/prefix?endpoint=…")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(help="Remove jobs and their pictures so long after their end: 12h, 7d.", metavar="TIME"),
    ] = None,
    max_n: Annotated[int, typer.Option(min=1, max=10_000, help="Most pictures of one request.")] = 100,
    max_wait: Annotated[
        float, typer.Option(min=0.0, help="Seconds that a request waits for its quota before it is refused.")
    ] = 90.0,
    public_url: Annotated[
        str, typer.Option(help="The address under which clients reach the gateway, for links.", metavar="URL")
    ] = "",
    replica: Annotated[str, typer.Option(help="This one's name among several over one store.", metavar="NAME")] = "",
    grace: Annotated[float, typer.Option(help="Seconds that calls in flight get at the end.")] = 60.0,
    linger: Annotated[
        float,
        typer.Option(min=0.0, help="Seconds at the end in which a balancer may find out, and still send requests."),
    ] = 0.0,
    cors: Annotated[
        list[str] | None, typer.Option(help="A page that may ask from a browser; * for any.", metavar="ORIGIN")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Most requests at work at the same time.")] = 1000,
    log: Annotated[bool, typer.Option(help="A line of JSON on stderr for each request.")] = False,
    log_prompts: Annotated[bool, typer.Option(help="With --log: the prompts, too.")] = False,
    as_json: o.Json = False,
) -> int:
    """Open the gateway: point the SDK of Google or OpenAI at it, and any model is behind it; n works everywhere.

    Google's API is at the root, OpenAI's below /v1. Without any key for a provider the simulator answers. Ctrl-C
    finishes what is in flight.
    """
    from ..build import Setup
    from ..gateway.app import FOLDER, Gateway, GatewayOptions
    from ..gateway.jobs.desk import DeskRules
    from ..gateway.life import run
    from ..gateway.operation.guard import GuardRules
    from ..gateway.operation.journal import Journal
    from ..gateway.operation.thrift import keep_little
    from ..recipes import seconds_of
    from ..routes import RouteWish

    setup = Setup(simulator=SIMULATOR_PROFILE)
    voice.notices(setup.settings.notices)
    kept_in = str(store or setup.settings.store.value or setup.settings.state_folder / FOLDER)
    shared = "://" in kept_in
    options = GatewayOptions(
        setup.settings.state_folder / FOLDER if shared else Path(kept_in),
        replica,
        host=host,
        port=port,
        rules=DeskRules(max_n=max_n, max_wait_s=max_wait, public_url=public_url.rstrip("/")),
        grace_s=grace,
        linger_s=linger,
        keep_s=seconds_of(keep, "keep"),
        objects=kept_in if shared else "",
        guard=GuardRules(at_once, tuple(cors or ())),
        journal=Journal(_to_stderr, prompts=log_prompts) if log or log_prompts else None,
    )
    keep_little()
    gateway = Gateway(setup, options)

    def ready(opened: Gateway) -> None:
        if as_json:
            voice.data({"url": opened.url, "store": kept_in})
        else:
            print(opened.url, flush=True)
        say(f"serving at {opened.url}; Ctrl-C finishes what is in flight, and ends")
        say(f"  google-genai  GOOGLE_GEMINI_BASE_URL={opened.url}")
        say(f"  openai        OPENAI_BASE_URL={opened.url}/v1")
        if setup.routes(RouteWish()).simulated:
            say("simulated: there is no key, so no provider is called and nothing is spent (cavendish doctor)")

    with until_stopped(host, port):
        run(gateway, ready)
    return Exit.ALL


def _to_stderr(line: bytes) -> None:
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()
