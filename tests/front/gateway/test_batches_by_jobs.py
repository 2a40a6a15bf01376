"""Batches at the price of a batch API: bought as jobs of the provider, the same ones after a restart."""

import asyncio
import json
from typing import Any

import openai
import pytest
from google.genai import types

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.batches import batches as batches_module
from cavendish.front.gateway.jobs import wholesale
from cavendish.io.desk.several import SeveralLedger
from cavendish.io.state.port import StateError
from cavendish.model.job import JobState
from cavendish.sim.batches import Batches as SimulatedJobs
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key
from tests.front.gateway.test_batches import BY_CALLS, MODEL, begun, bought, ended, line, lines_in, over, until
from tests.front.gateway.test_files import google, openai_client

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

PLACE = "/v1/images/generations"
STANDARD_USD = 0.067
"""What a picture of this model costs by a call of its own; half of it in a batch."""


@pytest.fixture
def jobs(upstream: SimServer, monkeypatch: pytest.MonkeyPatch) -> SimulatedJobs:
    """The provider's batch service, which is asked often."""
    monkeypatch.setattr("cavendish.front.bulk.SIMULATED_POLL_S", 0.01)
    site: Any = upstream.site("google")
    return site.bulk.batches


def all_of(jobs: SimulatedJobs) -> list[Any]:
    return jobs.all("simulated-key")


async def asked(jobs: SimulatedJobs) -> None:
    """A job was asked for at the provider."""
    async with asyncio.timeout(10):
        while not all_of(jobs):  # noqa: ASYNC110 - another server's
            await asyncio.sleep(0.005)


def kites(count: int) -> list[dict[str, Any]]:
    return [line(f"kite {number}", {"prompt": f"kite {number}", "n": 1 + number % 2}) for number in range(count)]


async def test_a_batch_is_bought_in_one_job_at_half_the_price(gateway: Gateway, jobs: SimulatedJobs) -> None:
    async with openai_client(gateway) as client:
        batch = await over(client, (await begun(client, kites(4), PLACE)).id)
        assert (batch.status, batch.request_counts.completed) == ("completed", 4)
        came = await lines_in(client, batch.output_file_id)
        assert [len(entry["response"]["body"]["data"]) for entry in came] == [1, 2, 1, 2]
        (job,) = all_of(jobs)
        assert len(job.lines) == 6
        assert job.wish.name.startswith("cavendish-")
        cost_usd = batch.cavendish["cost_usd"]
        assert (batch.cavendish["mode"], batch.cavendish["notices"]) == ("batch", [])
        dear = await over(client, (await begun(client, kites(4), PLACE, cavendish_mode="standard")).id)
        assert dear.cavendish["mode"] == "standard"
        assert cost_usd * 2 == pytest.approx(dear.cavendish["cost_usd"], rel=0.01)
        assert len(all_of(jobs)) == 1


async def test_google_s_batch_too(gateway: Gateway, jobs: SimulatedJobs, upstream: SimServer) -> None:
    client = google(gateway).aio
    sources = [types.InlinedRequest(contents=f"kite {number}") for number in range(3)]
    job = await ended(client, (await client.batches.create(model=MODEL, src=sources)).name)
    results = (job.dest and job.dest.inlined_responses) or []
    assert [bool(result.response and result.response.parts) for result in results] == [True] * 3
    assert (len(all_of(jobs)), bought(upstream)) == (1, 3)
    await client.batches.create(model=MODEL, src=sources, config=BY_CALLS)
    await until(lambda: asyncio.sleep(0, bought(upstream)), lambda count: count == 6)
    assert len(all_of(jobs)) == 1
    await client.aclose()


async def test_after_a_restart_it_is_the_same_job(open_gateway: Opener, jobs: SimulatedJobs) -> None:
    jobs.mood.waits = 1e6
    gateway = await open_gateway()
    async with openai_client(gateway) as client:
        batch = await begun(client, kites(3), PLACE)
        await asked(jobs)
    await gateway.close()
    (job,) = all_of(jobs)
    job.waits_s = 0.0
    gateway = await open_gateway()
    async with openai_client(gateway) as client:
        batch = await over(client, batch.id)
        assert (batch.status, batch.request_counts.completed) == ("completed", 3)
    assert all_of(jobs) == [job]
    assert len(job.lines) == 4


@pytest.mark.parametrize("step", ["intend_all", "waiting_all", "settle_all"])
async def test_books_that_are_away_for_a_moment_buy_nothing_twice(
    open_gateway: Opener, jobs: SimulatedJobs, upstream: SimServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(batches_module, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("cavendish.front.bulk.SIMULATED_POLL_S", 0.05)
    usual = getattr(SeveralLedger, step)
    tries: list[None] = []

    async def away_at_first(self: SeveralLedger, entries: Any) -> None:
        tries.append(None)
        if len(tries) == 1:
            raise StateError("away")
        await usual(self, entries)

    monkeypatch.setattr(SeveralLedger, step, away_at_first)
    async with openai_client(await open_gateway()) as client:
        batch = await over(client, (await begun(client, kites(3), PLACE)).id)
        assert (batch.status, batch.request_counts.completed) == ("completed", 3)
    assert len(all_of(jobs)) == 1
    assert bought(upstream) == 4
    assert len(tries) > 1


async def test_an_answer_that_was_lost_makes_no_second_job(gateway: Gateway, jobs: SimulatedJobs) -> None:
    jobs.mood.lost = 1
    async with openai_client(gateway) as client:
        batch = await over(client, (await begun(client, kites(2), PLACE)).id)
        assert (batch.status, batch.request_counts.completed) == ("completed", 2)
    assert len(all_of(jobs)) == 1


@pytest.mark.parametrize("waits", [True, False])
async def test_cancelling_a_batch_cancels_its_job(gateway: Gateway, jobs: SimulatedJobs, *, waits: bool) -> None:
    jobs.mood.waits, jobs.mood.takes = (1e6, 1.0) if waits else (0.0, 1e6)
    async with openai_client(gateway) as client:
        batch = await begun(client, kites(4), PLACE)
        await asked(jobs)
        batch = await client.batches.cancel(batch.id)
        assert batch.status in {"cancelling", "cancelled"}
        batch = await over(client, batch.id)
        assert (batch.status, batch.output_file_id) == ("cancelled", None)
        left = await lines_in(client, batch.error_file_id)
        assert [entry["error"]["code"] for entry in left] == ["batch_cancelled"] * 4
        assert batch.created_at <= batch.cancelling_at <= batch.cancelled_at
    (job,) = all_of(jobs)
    assert job.stopped in {JobState.CANCELLED, JobState.SUCCEEDED}


async def test_what_a_job_misses_is_bought_by_calls(gateway: Gateway, jobs: SimulatedJobs, upstream: SimServer) -> None:
    jobs.mood.missing = [{0, 2}]
    async with openai_client(gateway) as client:
        batch = await over(client, (await begun(client, kites(4), PLACE)).id)
        assert (batch.status, batch.request_counts.completed) == ("completed", 4)
        jobs.mood.missing = [{0}]
        alone = await over(client, (await begun(client, kites(2), PLACE, cavendish_mode="batch-only")).id)
        assert (alone.request_counts.completed, alone.request_counts.failed) == (1, 1)
        (left,) = await lines_in(client, alone.error_file_id)
        assert left["custom_id"] == "kite 0"
    assert [len(job.lines) for job in all_of(jobs)] == [3, 6]
    assert bought(upstream) == 6 + 2 + 3


async def test_a_model_without_a_batch_api_is_bought_by_calls_and_it_is_said(
    gateway: Gateway, jobs: SimulatedJobs
) -> None:
    lines = [*kites(1), {**line("flux", {"prompt": "a kite", "model": "flux-2-pro"})}]
    async with openai_client(gateway) as client:
        batch = await begun(client, lines, PLACE)
        (notice,) = batch.cavendish["notices"]
        assert notice["code"] == "standard_price"
        assert notice["text"].startswith("flux-2-pro")
        batch = await over(client, batch.id)
        assert batch.request_counts.completed == 2
    assert [len(job.lines) for job in all_of(jobs)] == [1]


async def test_an_odd_mode_is_refused(gateway: Gateway) -> None:
    async with openai_client(gateway) as client:
        with pytest.raises(Exception, match="batch-only"):
            await begun(client, kites(1), PLACE, cavendish_mode="cheap")


async def test_a_budget_is_held_and_spent_at_the_batch_price(open_gateway: Opener, jobs: SimulatedJobs) -> None:
    """Enough for five pictures at half the price, and for two at the whole."""
    key = await make_key(budget=str(5.5 * STANDARD_USD / 2))
    gateway = await open_gateway()
    lines = [line(f"kite {number}", {"prompt": f"kite {number}"}) for number in range(7)]
    async with openai_client(gateway, key) as client:
        batch = await over(client, (await begun(client, lines, PLACE)).id)
        assert (batch.request_counts.completed, batch.request_counts.failed) == (5, 2)
        wrong = await lines_in(client, batch.error_file_id)
        assert all(entry["response"]["body"]["error"]["code"] for entry in wrong), json.dumps(wrong)
        assert batch.cavendish["cost_usd"] <= 5.5 * STANDARD_USD / 2
    assert sum(len(job.lines) for job in all_of(jobs)) == 5


async def test_the_jobs_of_a_batch_stay_as_long_as_it_does(gateway: Gateway, jobs: SimulatedJobs) -> None:
    async with openai_client(gateway) as client:
        batch = await over(client, (await begun(client, kites(2), PLACE)).id)
        listed: Any = await client.get("/jobs", cast_to=object)
        assert {job["state"] for job in listed["data"]} == {"done"}
        assert [job["door"] for job in listed["data"]] == ["batch openai"] * 2
        with pytest.raises(openai.ConflictError, match="batch"):
            await client.delete(f"/jobs/{listed['data'][0]['id']}", cast_to=object)
        assert len(await lines_in(client, batch.output_file_id)) == 2
    assert len(all_of(jobs)) == 1


async def test_a_batch_that_is_deleted_at_work_goes_when_its_job_is_cancelled(
    gateway: Gateway, jobs: SimulatedJobs
) -> None:
    jobs.mood.waits = 1e6
    client = google(gateway).aio
    job = await client.batches.create(model=MODEL, src=[types.InlinedRequest(contents="a kite")])
    await asked(jobs)
    await client.batches.delete(name=job.name or "")
    assert [one.name async for one in await client.batches.list()] == []
    await until(lambda: asyncio.sleep(0, all_of(jobs)[0].stopped), lambda stopped: stopped is not None)
    await client.aclose()


async def test_what_takes_longer_than_its_window_expires(
    open_gateway: Opener, jobs: SimulatedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "WINDOWS_S", dict.fromkeys(batches_module.WINDOWS_S, 0.2))
    monkeypatch.setattr(batches_module, "LOOK_EVERY_S", 0.05)
    jobs.mood.waits = 1e6
    gateway = await open_gateway()
    async with openai_client(gateway) as client:
        batch = await over(client, (await begun(client, kites(2), PLACE)).id)
        assert batch.status == "expired"
        assert batch.expired_at is not None
        left = await lines_in(client, batch.error_file_id)
        assert [entry["error"]["code"] for entry in left] == ["batch_expired"] * 2


async def test_what_no_job_has_made_in_time_is_bought_by_calls(
    gateway: Gateway, jobs: SimulatedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wholesale, "BY_JOBS_S", 0.3)
    jobs.mood.waits = 1e6
    async with openai_client(gateway) as client:
        batch = await over(client, (await begun(client, kites(2), PLACE)).id)
        assert (batch.status, batch.request_counts.completed) == ("completed", 2)
    (job,) = all_of(jobs)
    assert job.stopped is JobState.CANCELLED
