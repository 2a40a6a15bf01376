"""Drafts are shown while the answer still arrives, as files of their own, and come with the answer once more."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode

import pytest

from cavendish.catalog.cards import EndpointCard
from cavendish.dialects.gemini import GeminiDialect
from cavendish.dialects.openai_images import OpenaiImagesDialect
from cavendish.front.gateway.jobs.live import LiveDrafts
from cavendish.io.blobs.disk import Disk
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.http.drafts import MOST_DRAFTS
from cavendish.io.http.provider import HttpProvider
from cavendish.io.http.session import Proxies, Session
from cavendish.model.call import Done, Open
from cavendish.model.request import ImageRequest

from .server import Server, head
from .test_provider import PICTURE

STREAMED = Open(ImageRequest.of("a red kite", model="m").having(extra={"partial_images": 2}), stream=True)


def coded(picture):
    return b64encode(picture).decode()


def openai_event(kind, picture, **more):
    return {"type": f"image_generation.{kind}", "b64_json": coded(picture), **more}


def gemini_event(picture, **more):
    part = {"inlineData": {"mimeType": "image/bmp", "data": coded(picture)}, **more}
    return {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]}


OPENAI = [
    openai_event("partial_image", PICTURE, partial_image_index=0),
    openai_event("partial_image", PICTURE[:-3] + b"abc", partial_image_index=1),
    openai_event("completed", PICTURE[:-3] + b"end"),
]
GEMINI = [
    gemini_event(PICTURE, thought=True),
    gemini_event(PICTURE[:-3] + b"end"),
    {"candidates": [{"index": 0, "finishReason": "STOP"}]},
]


class NoLinks(Disk):
    def link(self, source, target):
        raise OSError(95, "not here")


async def drawn(tmp_path, dialect, events, *, follow=True, disk=None):
    """What was shown before the last event was sent, what then came, and the store."""
    seen, shown = asyncio.Event(), []

    async def answer(writer, _):
        writer.write(head(content_type="text/event-stream", connection="close"))
        for event in events[:-1]:
            writer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await writer.drain()
        if follow:
            await asyncio.wait_for(seen.wait(), 5)
        writer.write(b"data: " + json.dumps(events[-1]).encode() + b"\n\n")
        writer.close()

    def tell(draft):
        shown.append(draft)
        if len(shown) == sum("partial" in json.dumps(event) or "thought" in json.dumps(event) for event in events):
            seen.set()

    async with (
        FolderBlobs(tmp_path / "out", ballast_bytes=0, disk=disk) as store,
        Session(proxies=Proxies({})) as session,
        Server(answer) as server,
    ):
        card = EndpointCard("tiny", "Tiny", "tiny", server.url, "Authorization", "Bearer ")
        provider = HttpProvider(dialect, card, None, session, store, SystemClock())
        provider.onlooker = live = LiveDrafts(store)
        if follow:
            live.follow("a1", tell)
        reply = (await provider.call(STREAMED, "a1")).reply
        live.leave("a1")
        await store.forget("a1")
        pictures = [await asyncio.to_thread(lambda blob=draft.blob: b"".join(store.read(blob))) for draft in shown]
        for draft in shown:
            await live.hide(draft)
        return pictures, reply, sorted(path.name for path in (store.root / ".cavendish" / "tmp").iterdir())


@pytest.mark.parametrize("disk", [None, NoLinks()], ids=["links", "no links"])
async def test_openais_drafts_are_shown_before_the_picture_comes(tmp_path, disk):
    pictures, reply, left = await drawn(tmp_path, OpenaiImagesDialect(), OPENAI, disk=disk)
    assert pictures == [PICTURE, PICTURE[:-3] + b"abc"]
    assert isinstance(reply, Done)
    assert (len(reply.parts), reply.finals) == (3, (2,))
    assert left == []


async def test_googles_thought_pictures_are_shown_before_the_picture_comes(tmp_path):
    pictures, reply, _ = await drawn(tmp_path, GeminiDialect(), GEMINI)
    assert pictures == [PICTURE]
    assert isinstance(reply, Done)
    assert reply.finals == (1,)


async def test_what_nobody_follows_is_not_shown(tmp_path):
    pictures, reply, left = await drawn(tmp_path, OpenaiImagesDialect(), OPENAI, follow=False)
    assert (pictures, left) == ([], [])
    assert isinstance(reply, Done)


async def test_no_more_than_so_many_are_shown(tmp_path):
    events = [openai_event("partial_image", PICTURE)] * (MOST_DRAFTS + 3)
    seen = []

    class Counting:
        def wants(self, _):
            return True

        async def drew(self, _, draft):
            seen.append(draft)

    async def answer(writer, _):
        writer.write(head(content_type="text/event-stream", connection="close"))
        for event in [*events, OPENAI[-1]]:
            writer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        writer.close()

    async with (
        FolderBlobs(tmp_path / "out", ballast_bytes=0) as store,
        Session(proxies=Proxies({})) as session,
        Server(answer) as server,
    ):
        card = EndpointCard("tiny", "Tiny", "tiny", server.url, "Authorization", "Bearer ")
        provider = HttpProvider(OpenaiImagesDialect(), card, None, session, store, SystemClock())
        provider.onlooker = Counting()
        await provider.call(STREAMED, "a1")
    assert len(seen) == MOST_DRAFTS
