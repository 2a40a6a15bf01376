"""Result pictures by signed links: who has one may look until it ends; nothing else leads to a file."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.front.gateway.jobs.links import Links
from cavendish.front.gateway.jobs.removal import Removal, Sweeper
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.test_jobs import ended, submit


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def drawn(line, gateway: Gateway) -> dict[str, Any]:
    """The page of a picture that has been drawn."""
    page = await ended(line, await submit(line, gateway, n=1))
    return page["outcomes"][0]


def files(tmp_path) -> list[str]:
    return [path.name for path in (tmp_path / "pictures").glob("*") if path.is_file()]


async def test_a_picture_comes_with_its_type_and_nothing_to_guess(line, drawn) -> None:
    async with line.get(drawn["url"]) as answer:
        body = await answer.read()
        assert hashlib.sha256(body).hexdigest() == drawn["sha256"]
        assert answer.headers["ETag"] == f'"{drawn["sha256"]}"'
        assert answer.headers["Content-Type"] == drawn["media_type"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert re.fullmatch(r'inline; filename="[\w.-]+"', answer.headers["Content-Disposition"])
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert int(answer.headers["Content-Length"]) == drawn["bytes"]


async def test_head_tells_the_size_and_sends_nothing(line, drawn) -> None:
    async with line.head(drawn["url"]) as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) == drawn["bytes"]
        assert await answer.read() == b""


async def test_who_has_it_already_is_not_sent_it(line, drawn) -> None:
    for known in (f'"{drawn["sha256"]}"', f'W/"{drawn["sha256"]}"', f'"other", "{drawn["sha256"]}"', "*"):
        async with line.get(drawn["url"], headers={"If-None-Match": known}) as answer:
            assert answer.status == 304
    async with line.get(drawn["url"], headers={"If-None-Match": '"other"'}) as answer:
        assert answer.status == 200


async def test_parts_of_a_picture(line, drawn) -> None:
    async with line.get(drawn["url"]) as answer:
        whole = await answer.read()
    size = len(whole)
    cases = {
        "bytes=0-9": whole[:10],
        "bytes=10-": whole[10:],
        "bytes=-7": whole[-7:],
        f"bytes=5-{size + 99}": whole[5:],
        f"bytes=-{size + 99}": whole,
    }
    for said, expected in cases.items():
        async with line.get(drawn["url"], headers={"Range": said}) as answer:
            assert await answer.read() == expected, said
            assert answer.status == (200 if expected == whole else 206), said
    for said in (f"bytes={size}-", "bytes=9-3", "bytes=-0"):
        async with line.get(drawn["url"], headers={"Range": said}) as answer:
            assert answer.status == 416, said
            assert answer.headers["Content-Range"] == f"bytes */{size}"
    for said in ("bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=a-b"):
        async with line.get(drawn["url"], headers={"Range": said}) as answer:
            assert await answer.read() == whole, said


async def test_a_range_of_another_picture_is_the_whole_of_this_one(line, drawn) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"other"'}
    async with line.get(drawn["url"], headers=headers) as answer:
        assert answer.status == 200
        assert len(await answer.read()) == drawn["bytes"]


async def test_a_link_that_was_tampered_with_opens_nothing(line, drawn) -> None:
    url = URL(drawn["url"])
    signature, ends = url.query["signature"], int(url.query["expires"])
    other = "0" if signature[0] != "0" else "1"
    tampered = [
        url.with_query(expires=ends, signature=other + signature[1:]),
        url.with_query(expires=ends + 1, signature=signature),
        url.with_query(expires=ends),
        url.with_query(signature=signature),
        url.with_query(expires=f"{ends}x", signature=signature),
        url.with_query(expires="9" * 40, signature=signature),
        url.with_query(expires=ends, signature="é"),
        url.with_query(None),
        url.with_path(url.path.replace(".0.", ".1.")).with_query(url.query),
    ]
    for address in tampered:
        async with line.get(address) as answer:
            assert answer.status == 403, address
            assert drawn["sha256"] not in await answer.text()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/pictures/",
        "/v1/pictures",
        "/v1/pictures/..%2f..%2fetc%2fpasswd",
        "/v1/pictures/%2e%2e/%2e%2e/desk.sqlite3",
        "/v1/pictures/..%5c..%5cdesk.sqlite3",
        "/v1/pictures/.cavendish%2Fextras",
        "/v1/pictures/a%00b",
    ],
)
async def test_no_path_leads_out_or_lists(line, gateway: Gateway, drawn, path: str) -> None:
    query = URL(drawn["url"]).query_string
    async with line.get(URL(f"{gateway.url}{path}?{query}", encoded=True)) as answer:
        assert answer.status in {403, 404}
        assert "sha" not in await answer.text()


def test_a_link_ends(line) -> None:
    links = Links(b"k" * 32, lasts_s=60)
    ends = 1060
    query = {"expires": str(ends), "signature": links._signature("job.0", ends)}
    assert links.slot_of("job.0.png", query, 1059.9) == "job.0"
    assert links.slot_of("job.0.png", query, 1060.0) is None
    assert Links(b"o" * 32).slot_of("job.0.png", query, 1000.0) is None


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(Links(b"k" * 32))


async def test_a_link_is_good_after_a_restart(line, open_gateway: Opener) -> None:
    gateway = await open_gateway()
    page = await ended(line, await submit(line, gateway, n=1))
    await gateway.close()
    gateway = await open_gateway()
    path = URL(page["outcomes"][0]["url"]).path_qs
    async with line.get(f"{gateway.url}{path}") as answer:
        assert answer.status == 200


async def test_links_name_the_address_that_the_operator_gave(line, open_gateway: Opener) -> None:
    gateway = await open_gateway(rules=DeskRules(public_url="https://pictures.example"))
    page = await submit(line, gateway, n=1)
    assert page["urls"]["self"] == f"https://pictures.example/v1/jobs/{page['id']}"
    own = f"{gateway.url}/v1/jobs/{page['id']}"
    async with line.get(f"{own}/events") as answer:
        await answer.read()
    async with line.get(own) as answer:
        page = await answer.json()
    assert page["outcomes"][0]["url"].startswith("https://pictures.example/v1/pictures/")


async def test_a_picture_whose_file_is_gone_is_not_found(line, drawn, tmp_path) -> None:
    for name in files(tmp_path):
        (tmp_path / "pictures" / name).unlink()
    async with line.get(drawn["url"]) as answer:
        assert answer.status == 404


# --- retention -------------------------------------------------------------------------------------------------------


async def test_old_jobs_go_with_all_that_is_theirs_and_young_ones_stay(line, gateway: Gateway, tmp_path) -> None:
    old = await ended(line, await submit(line, gateway, n=2))
    desk = gateway._desk
    assert desk
    moment = desk.clock.now()
    young = await ended(line, await submit(line, gateway, n=1))
    assert await Removal(desk).sweep(moment) == 1
    async with line.get(old["urls"]["self"]) as answer:
        assert answer.status == 404
    async with line.get(young["outcomes"][0]["url"]) as answer:
        assert answer.status == 200
    assert len(files(tmp_path)) == 1


async def test_large_signatures_that_a_request_brought_go_with_its_job(line, gateway: Gateway, tmp_path) -> None:
    def large() -> list[Path]:
        found = (tmp_path / "pictures").rglob("*")
        return [file for file in found if file.is_file() and file.stat().st_size == len(signature)]

    signature = bytes(range(256)) * 1000
    said = {"text": "Here it is", "thoughtSignature": base64.b64encode(signature).decode()}
    turns = [("user", {"text": "a red kite"}), ("model", said), ("user", {"text": "at night"})]
    body = {"contents": [{"role": role, "parts": [part]} for role, part in turns]}
    async with line.post(f"{gateway.url}/v1beta/models/nano-banana-2:generateContent", json=body) as answer:
        assert answer.status == 200
        job = answer.headers["x-cavendish-job"]
    assert len(large()) == 1
    async with line.delete(f"{gateway.url}/v1/jobs/{job}") as answer:
        assert answer.status == 200
    assert large() == []


async def test_what_is_being_sent_is_kept_until_it_is_sent(line, gateway: Gateway, tmp_path) -> None:
    page = await ended(line, await submit(line, gateway, n=1))
    desk = gateway._desk
    assert desk
    sweeper = Sweeper(desk, keep_s=-10.0)
    with desk.sending(page["id"]):
        await sweeper.sweep()
        assert files(tmp_path)
    await sweeper.sweep()
    assert not files(tmp_path)


async def test_without_a_limit_nothing_goes(line, gateway: Gateway, tmp_path) -> None:
    await ended(line, await submit(line, gateway, n=1))
    assert gateway._desk
    assert await Sweeper(gateway._desk, None).sweep() == 0
    assert files(tmp_path)


async def test_a_removed_job_s_token_is_free_again(line, gateway: Gateway, upstream: SimServer) -> None:
    ids = []
    for _ in range(2):
        headers = {"Idempotency-Key": "again"}
        body = {"model": "nano-banana-2", "prompt": "a red kite"}
        async with line.post(f"{gateway.url}/v1/jobs", json=body, headers=headers) as answer:
            page = await ended(line, await answer.json())
        ids.append(page["id"])
        assert gateway._desk
        await Sweeper(gateway._desk, -10.0).sweep()
    assert ids[0] != ids[1]


async def test_a_job_at_work_is_not_removed(line, gateway: Gateway) -> None:
    page = await submit(line, gateway, n=100)
    assert gateway._desk
    await Sweeper(gateway._desk, -10.0).sweep()
    async with line.delete(page["urls"]["self"]) as answer:
        assert answer.status == 409
    page = await ended(line, page)
    assert page["counts"]["done"] == 100
    await asyncio.sleep(0)


async def test_a_store_that_is_away_is_asked_again(line, gateway: Gateway, tmp_path, monkeypatch) -> None:
    page = await ended(line, await submit(line, gateway, n=1))
    desk = gateway._desk
    assert desk

    async def away(_blobs: Any) -> None:
        raise OSError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr(desk.blobs, "remove", away)
        async with line.delete(page["urls"]["self"]) as answer:
            assert answer.status == 200
        await Sweeper(desk, None).sweep()
    assert files(tmp_path)
    await Sweeper(desk, None).sweep()
    assert not files(tmp_path)
