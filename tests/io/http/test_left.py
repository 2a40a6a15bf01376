"""When a request was on its way: told with its answer, for quotas count from then."""

import asyncio
from types import MappingProxyType

from cavendish.catalog.cards import EndpointCard
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.http.provider import HttpProvider
from cavendish.io.http.session import Proxies, Session
from cavendish.model.call import Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.secret import Secret

from .server import Server, TinyDialect, head

LOGIN_S, THINKING_S = 0.2, 0.3
OPEN = Open(ImageRequest.of("a red kite", model="m"))


class SlowTokens:
    """A login that takes its time."""

    headers = MappingProxyType[str, str]({})

    async def current(self) -> Secret:
        await asyncio.sleep(LOGIN_S)
        return Secret("a-token-that-is-long-enough")

    def refused(self, token: Secret) -> None:
        raise AssertionError("nobody refused it")


async def thoughtful(writer, heard):
    await asyncio.sleep(THINKING_S)
    writer.write(head(503, content_length=2) + b"{}")


async def called(tmp_path, url):
    card = EndpointCard("tiny", "Tiny", "tiny", url, "Authorization", "Bearer ")
    async with FolderBlobs(tmp_path / "out", ballast_bytes=0) as store, Session(proxies=Proxies({})) as session:
        provider = HttpProvider(TinyDialect(), card, SlowTokens(), session, store, SystemClock())
        return await provider.call(OPEN, "a1")


async def test_it_left_after_the_login_and_before_the_answer(tmp_path):
    async with Server(thoughtful) as server:
        answer = await called(tmp_path, server.url)
    assert isinstance(answer.reply, Fault)
    assert LOGIN_S * 0.9 <= answer.left_after_s <= answer.latency_s - THINKING_S * 0.9


async def test_what_never_left_says_nothing(tmp_path):
    async with Server(thoughtful) as server:
        url = server.url
    answer = await called(tmp_path, url)
    assert isinstance(answer.reply, Fault)
    assert answer.reply.kind is FaultKind.CONNECT
    assert answer.left_after_s == 0.0
