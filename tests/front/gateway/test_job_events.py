"""Events of a job: each outcome once, in whatever order, also for who was cut off and comes back."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.doors import job_events
from cavendish.front.gateway.doors.job_events import read_ranges, write_ranges
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.test_jobs import bought, ended, submit

Event = dict[str, Any]


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """Events as a browser reads them; a comment is an event without anything."""
    event: Event = {}
    async for raw in answer.content:
        words = raw.decode().rstrip("\n")
        if not words:
            yield event
            event = {}
        elif not words.startswith(":"):
            name, _, value = words.partition(": ")
            event[name] = value


async def listened(line: aiohttp.ClientSession, url: str, last: str = "") -> list[Event]:
    async with line.get(url, headers={"Last-Event-ID": last} if last else {}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return [event async for event in events(answer)]


def indexes(found: list[Event]) -> list[int]:
    return [json.loads(event["data"])["index"] for event in found if event.get("event") == "outcome"]


async def test_every_outcome_is_told_as_it_comes_and_then_the_end(line, gateway: Gateway) -> None:
    page = await submit(line, gateway, n=5)
    found = await listened(line, page["urls"]["events"])
    assert found[0]["event"] == "job"
    assert sorted(indexes(found)) == [0, 1, 2, 3, 4]
    assert found[-1]["event"] == "end"
    assert json.loads(found[-1]["data"])["counts"]["done"] == 5


async def test_a_job_that_has_ended_is_told_all_the_same(line, gateway: Gateway) -> None:
    page = await ended(line, await submit(line, gateway))
    found = await listened(line, page["urls"]["events"])
    assert [event["event"] for event in found] == ["job", "outcome", "outcome", "outcome", "end"]


async def test_who_was_cut_off_hears_the_rest_and_nothing_twice(line, gateway: Gateway) -> None:
    page = await submit(line, gateway, n=12)
    first: list[Event] = []
    async with line.get(page["urls"]["events"]) as answer:
        async for event in events(answer):
            first.append(event)
            if len(indexes(first)) == 4:
                break
    rest = await listened(line, page["urls"]["events"], first[-1]["id"])
    assert not set(indexes(first)) & set(indexes(rest))
    assert sorted(indexes(first) + indexes(rest)) == list(range(12))


async def test_a_restart_in_the_middle_is_not_the_end(line, open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway(grace_s=0.5)
    page = await submit(line, gateway, n=100)
    first = asyncio.ensure_future(listened(line, page["urls"]["events"]))
    while bought(upstream) < 5:  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    await gateway.close()
    before = await first
    assert before[-1]["event"] != "end"
    gateway = await open_gateway()
    rest = await listened(line, f"{gateway.url}/v1/jobs/{page['id']}/events", before[-1].get("id", ""))
    assert sorted(indexes(before) + indexes(rest)) == list(range(100))
    assert rest[-1]["event"] == "end"


async def test_who_has_heard_the_end_is_told_to_ask_no_more(line, gateway: Gateway) -> None:
    page = await submit(line, gateway)
    found = await listened(line, page["urls"]["events"])
    async with line.get(page["urls"]["events"], headers={"Last-Event-ID": found[-1]["id"]}) as answer:
        assert answer.status == 204


async def test_a_quiet_line_is_kept_alive(line, gateway: Gateway, monkeypatch) -> None:
    monkeypatch.setattr(job_events, "HEARTBEAT_S", 0.0)
    page = await submit(line, gateway, n=20)
    async with line.get(page["urls"]["events"]) as answer:
        raw = await answer.read()
    assert b": waiting\n\n" in raw
    assert b"event: end" in raw


async def test_events_hold_the_bytes_when_they_are_asked_for(line, gateway: Gateway) -> None:
    page = await submit(line, gateway, n=1)
    found = await listened(line, page["urls"]["events"] + "?include=b64")
    outcome = next(event for event in found if event["event"] == "outcome")
    assert len(json.loads(outcome["data"])["b64_json"]) > 100


@given(st.sets(st.integers(0, 200)))
def test_what_was_told_reads_back(numbers: set[int]) -> None:
    assert set(read_ranges(write_ranges(numbers), 201)) == numbers


@pytest.mark.parametrize("words", ["", "end", "x", "5-", "-1", "0-999999999", "9" * 50, ",,,", "1,1,1", "3-1"])
def test_what_a_client_makes_up_does_no_harm(words: str) -> None:
    assert set(read_ranges(words, 10)) <= set(range(10))
