"""Several gateways as processes of their own over one state and one store, with a slow simulator behind them."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from cavendish.front.cli import main
from cavendish.front.gateway.app import Gateway
from cavendish.io.clock import SystemClock
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.sim.profile import Latency, Profile, load_profile
from cavendish.sim.server import SimServer, start_server

PATIENCE_S = 40.0


def slow(seconds: float) -> Profile:
    """Without quota and faults, but so slow that calls are in flight when something happens."""
    return replace(load_profile("fast"), latency={"any": Latency(seconds, seconds * 1.5)})


FORKS = multiprocessing.get_context("forkserver")
"""A process that has everything imported, and of which each replica is a copy: half a second instead of several."""

FORKS.set_forkserver_preload(["cavendish.front.cli", "cavendish.front.cli.serve", "cavendish.front.gateway.app"])


def run(words: tuple[str, ...], environ: dict[str, str], out: str, err: str) -> None:
    """``cavendish`` with these words, in this process."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["cavendish", *words]
    sys.exit(main())


class Replica:
    """A gateway in a process of its own."""

    def __init__(self, name: str, process: ForkServerProcess, out: Path, err: Path) -> None:
        self.name = name
        self.url = ""
        self.process = process
        self._out, self._err = out, err

    async def opened(self) -> "Replica":
        """Wait until it listens."""
        await until(lambda: (self._out.exists() and b"\n" in self._out.read_bytes()) or not self.is_alive)
        if not self.is_alive:
            raise AssertionError(await self.said())
        self.url = orjson.loads(self._out.read_bytes().partition(b"\n")[0])["url"]
        return self

    @property
    def is_alive(self) -> bool:
        return self.process.exitcode is None

    async def said(self) -> str:
        """All that it wrote to stderr, once it has ended."""
        await self.ended()
        return self._err.read_text("utf-8")

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    async def ended(self) -> int:
        await asyncio.to_thread(self.process.join, PATIENCE_S)
        assert self.process.exitcode is not None, "it goes on and on"
        return self.process.exitcode


Starter = Callable[..., Awaitable[Replica]]


@pytest_asyncio.fixture
async def slow_upstream() -> AsyncIterator[SimServer]:
    server = await start_server(await asyncio.to_thread(slow, 0.4), seed=1, mode="tiny")
    yield server
    await server.close()


@pytest_asyncio.fixture
async def start(tmp_path: Path, slow_upstream: SimServer) -> AsyncIterator[Starter]:
    """Starts replicas; those that live at the end are ended."""
    begun: list[Replica] = []

    async def make(name: str, *flags: str, state: str = "", **environ: str) -> Replica:
        env = {
            **os.environ,
            "CAVENDISH_STATE": state or str(tmp_path / "state"),
            "CAVENDISH_SIM_BASE_URL": slow_upstream.url,
            "CAVENDISH_SIM_RPM": "100000",
            **environ,
        }
        command = ("serve", "--port", "0", "--json", "--store", str(tmp_path / "store"), "--replica", name, *flags)
        out, err = (tmp_path / f"{name}-{len(begun)}.{kind}" for kind in ("out", "err"))
        process = FORKS.Process(target=run, args=(command, env, str(out), str(err)), daemon=True)
        await asyncio.to_thread(process.start)
        replica = Replica(name, process, out, err)
        begun.append(replica)
        return await replica.opened()

    yield make
    for replica in begun:
        if replica.is_alive:
            replica.send(signal.SIGKILL)
        await replica.ended()


@pytest.fixture
def bought(slow_upstream: SimServer) -> Callable[[str], int]:
    """What the simulator has in its books."""
    return lambda what="requests": slow_upstream.sim.stats(0.0, 0.0)[what]


async def ask(
    line: aiohttp.ClientSession, urls: list[str], body: dict[str, Any], token: str = ""
) -> tuple[int, dict[str, Any]]:
    """As a client behind a balancer does: whoever does not answer is asked no more, and the next one is."""
    headers = {"Idempotency-Key": token} if token else {}
    for _ in range(100):
        for url in urls:
            try:
                async with line.post(f"{url}/v1/images/generations", json=body, headers=headers) as answer:
                    if answer.status != 503:
                        return answer.status, await answer.json()
            except aiohttp.ClientError:
                continue
        await asyncio.sleep(0.1)
    raise AssertionError("nobody answered")


async def of_unknown_fate(state: str | Path) -> int:
    """How many calls the books say may have been billed for nothing: those that were under way at the kill."""
    database = await open_database(state, "desk", MIGRATIONS, SystemClock())
    try:
        return await database.transact(
            lambda link: link.run("SELECT COUNT(*) FROM attempts WHERE charged = 'unknown'")[0][0]
        )
    finally:
        await database.close()


def arrived(state: Path) -> int:
    """How many calls have something on the disk that came of them, whoever dies now."""
    sql = "SELECT COUNT(*) FROM attempts WHERE charged = 'yes' OR id IN (SELECT attempt FROM arrivals)"
    with contextlib.closing(sqlite3.connect(state / "desk.sqlite3")) as books:
        return books.execute(sql).fetchone()[0]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(4000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


async def kill(gateway: Gateway) -> None:
    """All that another replica sees of a death: no beat, and the lock is free."""
    desk = gateway._desk
    assert desk is not None
    assert desk._keeper is not None
    desk._keeper.cancel()
    await asyncio.to_thread(desk._peers._seat.leave)
