"""A gateway whose pictures are in a store that speaks S3: a stranger's server, on loopback."""

import asyncio
import hashlib
import http.client
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from cavendish.errors import ConfigError
from tests.front.gateway.conftest import Opener
from tests.front.gateway.test_jobs import ended, submit

pytest.importorskip("obstore")
moto = pytest.importorskip("moto.server")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@dataclass(frozen=True)
class Store:
    """A bucket of the stranger's."""

    port: int

    @property
    def address(self) -> str:
        return f"s3://kites/gateway?endpoint=http://127.0.0.1:{self.port}"

    def asked(self, method: str, path: str) -> bytes:
        headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"}
        line = http.client.HTTPConnection("127.0.0.1", self.port)
        line.request(method, path, headers=headers)
        body = line.getresponse().read()
        line.close()
        return body


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield Store(server.get_host_and_port()[1])
    server.stop()


@pytest_asyncio.fixture
async def store(server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-word-that-nobody-sees")
    await asyncio.to_thread(server.asked, "PUT", "/kites")
    return server


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_pictures_are_in_the_store_and_served_from_it(line, open_gateway: Opener, store: Store, tmp_path) -> None:
    gateway = await open_gateway(objects=store.address)
    page = await ended(line, await submit(line, gateway, n=2))
    assert page["counts"]["done"] == 2
    listed = await asyncio.to_thread(store.asked, "GET", "/kites")
    for outcome in page["outcomes"]:
        assert f"gateway/{page['id']}-{outcome['index'] + 1}".encode() in listed
    for file in (tmp_path / "pictures").glob(f"{page['id']}*"):
        file.unlink()
    for outcome in page["outcomes"]:
        async with line.get(outcome["url"], headers={"Range": "bytes=0-"}) as answer:
            assert hashlib.sha256(await answer.read()).hexdigest() == outcome["sha256"]


async def test_a_deleted_job_is_gone_from_the_store(line, open_gateway: Opener, store: Store) -> None:
    gateway = await open_gateway(objects=store.address)
    page = await ended(line, await submit(line, gateway, n=2))
    async with line.delete(page["urls"]["self"]) as answer:
        assert answer.status == 200
    assert page["id"].encode() not in await asyncio.to_thread(store.asked, "GET", "/kites")


async def test_a_bucket_that_is_not_there_is_told_at_the_start(open_gateway: Opener, store: Store) -> None:
    with pytest.raises(ConfigError, match="no bucket 'nobody-s'") as error:
        await open_gateway(objects=store.address.replace("kites", "nobody-s"))
    assert "a-word" not in str(error.value)
