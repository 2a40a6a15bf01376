"""Files, of both worlds in one store: the SDKs' uploads, lists, downloads; each caller's own."""

import asyncio
import functools
import io
from pathlib import Path

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from cavendish.front.gateway.app import Gateway
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

VERSIONS = pytest.mark.parametrize("version", ["v1beta", "v1"])


def picture(colour: str = "red", size: tuple[int, int] = (64, 64)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, colour).save(held, "PNG")
    return held.getvalue()


def google(gateway: Gateway, version: str = "v1beta") -> genai.Client:
    return genai.Client(api_key="any", http_options=types.HttpOptions(base_url=gateway.url, api_version=version))


def openai_client(gateway: Gateway, key: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0)


@VERSIONS
async def test_google_s_sdk_keeps_a_file(gateway: Gateway, version: str, tmp_path: Path) -> None:
    path = tmp_path / "kite.png"
    path.write_bytes(picture())
    client = google(gateway, version).aio
    file = await client.files.upload(file=path, config={"display_name": "a kite"})
    assert (file.display_name, file.mime_type, file.size_bytes) == ("a kite", "image/png", len(picture()))
    assert file.state == types.FileState.ACTIVE
    assert (await client.files.get(name=file.name or "")).sha256_hash == file.sha256_hash
    assert [one.name async for one in await client.files.list()] == [file.name]
    async with aiohttp.ClientSession() as line, line.get(f"{file.download_uri}&key=any") as answer:
        assert await answer.read() == picture()
    await client.files.delete(name=file.name or "")
    with pytest.raises(errors.ClientError) as caught:
        await client.files.get(name=file.name or "")
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    assert [one.name async for one in await client.files.list()] == []
    await client.aclose()


async def test_a_file_is_found_by_its_whole_address(gateway: Gateway) -> None:
    """So Google's JavaScript SDK asks for the bytes of a file that it uploaded, and Python's users for the file."""
    client = google(gateway, "v1").aio
    file = await client.files.upload(file=io.BytesIO(picture()), config={"mime_type": "image/png"})
    assert (await client.files.get(name=file.uri or "")).name == file.name
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "any"}) as line:
        async with line.get(f"{gateway.url}/v1/files/{file.uri}:download?alt=media") as answer:
            assert await answer.read() == picture()
        async with line.get(f"{gateway.url}/v1/files/{gateway.url}/v1beta/files/nothing") as answer:
            assert answer.status == 403
    await client.files.delete(name=file.uri or "")
    assert [one.name async for one in await client.files.list()] == []
    await client.aclose()


async def test_a_file_of_several_pieces_is_the_same_file(gateway: Gateway) -> None:
    """Google's SDK sends pieces of 8 MiB."""
    content = bytes(range(256)) * (37 << 10)
    client = google(gateway)
    upload = functools.partial(client.files.upload, file=io.BytesIO(content), config={"mime_type": "text/plain"})
    file = await asyncio.to_thread(upload)
    assert file.size_bytes == len(content) > 8 << 20
    async with aiohttp.ClientSession() as line:
        async with line.get(f"{file.download_uri}&key=any") as answer:
            assert await answer.read() == content
        async with line.get(f"{file.download_uri}&key=any", headers={"Range": "bytes=9000000-"}) as answer:
            assert answer.status == 206
            assert await answer.read() == content[9_000_000:]
    client.close()


async def test_an_upload_that_broke_off_goes_on_where_it_was_even_after_a_restart(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    async with aiohttp.ClientSession() as line:
        start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        told = {"X-Goog-Upload-Header-Content-Length": "6", "X-Goog-Upload-Header-Content-Type": "text/plain"}
        async with line.post(f"{gateway.url}/upload/v1beta/files?key=any", headers=start | told, json={}) as answer:
            session = answer.headers["X-Goog-Upload-URL"].removeprefix(gateway.url)
        piece = {"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}
        async with line.post(gateway.url + session, headers=piece, data=b"abc") as answer:
            assert answer.headers["X-Goog-Upload-Status"] == "active"
        await gateway.close()
        gateway = await open_gateway()
        async with line.post(gateway.url + session, headers={"X-Goog-Upload-Command": "query"}) as answer:
            assert answer.headers["X-Goog-Upload-Size-Received"] == "3"
        async with line.post(gateway.url + session, headers=piece, data=b"abc") as answer:
            assert answer.status == 400  # those bytes are here
        rest = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "3"}
        async with line.post(gateway.url + session, headers=rest, data=b"def") as answer:
            assert answer.headers["X-Goog-Upload-Status"] == "final"
            file = (await answer.json())["file"]
        async with line.get(f"{gateway.url}/v1beta/{file['name']}:download?alt=media&key=any") as answer:
            assert await answer.read() == b"abcdef"


async def test_more_bytes_than_were_announced_are_refused(gateway: Gateway) -> None:
    async with aiohttp.ClientSession() as line:
        start = {"X-Goog-Upload-Command": "start", "X-Goog-Upload-Header-Content-Length": "3"}
        async with line.post(f"{gateway.url}/upload/v1/files?key=any", headers=start) as answer:
            session = answer.headers["X-Goog-Upload-URL"]
        every = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        async with line.post(session, headers=every, data=b"abcdef") as answer:
            assert answer.status == 413


async def test_openai_s_sdk_keeps_a_file(gateway: Gateway) -> None:
    async with openai_client(gateway) as client:
        file = await client.files.create(file=("kite.png", picture()), purpose="vision")
        assert (file.filename, file.bytes, file.purpose, file.expires_at) == (
            "kite.png",
            len(picture()),
            "vision",
            None,
        )
        lines = await client.files.create(file=("lines.jsonl", b"{}\n"), purpose="batch")
        assert (lines.expires_at or 0) - lines.created_at == 30 * 86_400
        assert (await client.files.retrieve(file.id)).id == file.id
        assert (await client.files.content(file.id)).content == picture()
        assert [one.id async for one in client.files.list(limit=1)] == [lines.id, file.id]
        assert [one.id async for one in client.files.list(purpose="vision")] == [file.id]
        assert (await client.files.delete(file.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve(file.id)
        with pytest.raises(openai.BadRequestError, match="purpose"):
            await client.files.create(file=b"x", purpose="nothing")  # pyright: ignore[reportArgumentType]


async def test_both_worlds_have_one_store(gateway: Gateway) -> None:
    async with openai_client(gateway) as client:
        file = await client.files.create(file=("kite.png", picture()), purpose="vision")
    other = google(gateway).aio
    names = [one.name async for one in await other.files.list()]
    assert names == [f"files/{file.id.removeprefix('file-')}"]
    await other.aclose()


@VERSIONS
async def test_a_file_is_a_reference(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    file = await client.files.upload(file=io.BytesIO(picture()), config={"mime_type": "image/png"})
    answer = await client.models.generate_content(model="nano-banana-2", contents=[file, "make it night"])
    assert answer.parts
    assert any(part.inline_data for part in answer.parts)
    await client.files.delete(name=file.name or "")
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model="nano-banana-2", contents=[file, "make it night"])
    assert caught.value.code == 403
    words = await client.files.upload(file=io.BytesIO(b"no picture"), config={"mime_type": "text/plain"})
    with pytest.raises(errors.ClientError, match="is no picture"):
        await client.models.generate_content(model="nano-banana-2", contents=[words, "make it night"])
    await client.aclose()


async def test_a_caller_s_files_have_a_bound(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cavendish.front.gateway.batches.files.MAX_STORED_BYTES", 100)
    client = google(gateway).aio
    await client.files.upload(file=io.BytesIO(b"x" * 60), config={"mime_type": "text/plain"})
    with pytest.raises(errors.ClientError, match="delete some") as caught:
        await client.files.upload(file=io.BytesIO(b"x" * 60), config={"mime_type": "text/plain"})
    assert caught.value.code == 413
    await client.aclose()
    async with openai_client(gateway) as other:
        with pytest.raises(openai.APIStatusError, match="delete some"):
            await other.files.create(file=("x.txt", b"x" * 60), purpose="user_data")


async def test_files_and_batches_are_their_key_s_alone(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    options = types.HttpOptions(base_url=gateway.url)
    one, two = [genai.Client(api_key=await make_key(name), http_options=options).aio for name in ("one", "two")]
    file = await one.files.upload(file=io.BytesIO(picture()), config={"mime_type": "image/png"})
    job = await one.batches.create(model="nano-banana-2", src=[types.InlinedRequest(contents="a red kite")])
    assert [entry.name async for entry in await two.files.list()] == []
    assert [entry.name async for entry in await two.batches.list()] == []
    for stolen in (
        two.files.get(name=file.name or ""),
        two.files.delete(name=file.name or ""),
        two.models.generate_content(model="nano-banana-2", contents=[file, "make it night"]),
        two.batches.get(name=job.name or ""),
        two.batches.cancel(name=job.name or ""),
        two.batches.delete(name=job.name or ""),
        two.batches.create(model="nano-banana-2", src=file.name or ""),
    ):
        with pytest.raises(errors.ClientError) as caught:
            await stolen
        assert caught.value.code in {403, 404}
    assert (await one.files.get(name=file.name or "")).name == file.name
    assert (await one.batches.get(name=job.name or "")).name == job.name
    await one.aclose()
    await two.aclose()
