"""Which quotas are shared with other processes, and how urgently whose run asks."""

import asyncio
import sqlite3

import pytest

from cavendish import AsyncClient, Client
from cavendish.front.build import Setup, Workshop
from cavendish.front.orders import order_batch, order_prompts
from cavendish.front.recipes import BatchWish, RunWish
from cavendish.front.routes import RouteWish
from cavendish.front.rows.options import RowDefaults, RowOptions
from cavendish.govern.fairness import Priority
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.quota.local import LocalQuota
from cavendish.io.quota.shared import SharedQuota
from cavendish.model.request import ImageRequest

MODEL = "nano-banana-2.1"


@pytest.mark.parametrize(
    "flags, via, kind",
    [
        ({}, "sim", LocalQuota),
        ({"endpoints.sim.base_url": "http://127.0.0.1:9"}, "sim", SharedQuota),
        ({"endpoints.google.api_key": "k"}, "google", SharedQuota),
    ],
)
def test_all_but_the_simulator_within_are_shared(flags, via, kind):
    assert isinstance(asyncio.run(quota_of(Setup(flags), via)), kind)


async def quota_of(setup, via):
    async with Workshop(setup) as shop:
        (lane,) = shop.lanes(setup.routes(RouteWish(via=(via,))), MODEL, MemoryBlobs(), None)
        return lane.quota


def place_of(flags):
    quota = asyncio.run(quota_of(Setup({"endpoints.google.api_key": "k", **flags}), "google"))
    return quota._branch.site.place


def test_an_address_of_ones_own_has_a_quota_of_its_own():
    plain = place_of({})
    other = place_of({"endpoints.google.base_url": "https://proxy.test:8443/google/"})
    assert plain.endpoint == "google"
    assert other == plain._replace(endpoint="google proxy.test:8443/google")


def test_a_batch_makes_way(tmp_path):
    setup = Setup({"endpoints.google.api_key": "k"})
    routes = setup.routes(RouteWish(via=("google",)))
    order_prompts(setup, routes, (ImageRequest.of("a kite", model=MODEL),), RunWish(tmp_path / "one"))
    assert routes.priority is Priority.INTERACTIVE
    (tmp_path / "prompts.txt").write_text("a kite\n", encoding="utf-8")
    batch = BatchWish(tmp_path / "prompts.txt", RowDefaults(ImageRequest.of("", model=MODEL)), RowOptions())
    order_batch(setup, routes, batch, RunWish(tmp_path / "two"))
    assert routes.priority is Priority.BATCH


def counted(folder) -> int:
    """Calls of the day that are on file, in all places."""
    with sqlite3.connect(folder / "quota.sqlite3") as database:
        rows = database.execute("SELECT json_extract(state, '$.day.used') FROM known WHERE model <> ''").fetchall()
    database.close()
    return sum(used for (used,) in rows)


def test_clients_of_several_loops_share_one_file(far_server, tmp_path):
    settings = {"endpoints.sim.base_url": far_server.url, "state": str(tmp_path / "state")}

    async def drawn():
        async with AsyncClient(via="sim", settings=settings) as client:
            await asyncio.gather(*(client.generate("a kite", n=2, model=MODEL) for _ in range(2)))

    with Client(via="sim", settings=settings) as client:
        client.generate("a kite", n=3, model=MODEL)
        asyncio.run(drawn())
        client.generate("a kite", n=1, model=MODEL)
    assert counted(tmp_path / "state") == 8
