"""A run in the mode batch: half the price, through real uploads and downloads, resumed without buying twice."""

import asyncio
import io
import json
import os
import subprocess
import sys
import time

import pytest
from PIL import Image

from cavendish import AsyncClient, BatchInputError, RequestError
from cavendish.front.recipes import seconds_of
from cavendish.io.http import bulk
from cavendish.model.fault import FaultKind
from cavendish.model.job import JobState

MODEL = "nano-banana-2"
ROWS = ("a red kite", "a green kite", "a blue kite")


@pytest.fixture
def google(server):
    """The simulator's batch service."""
    return server.site("google").bulk.batches


@pytest.fixture(params=["inline", "file"])
def way(request, monkeypatch):
    """How jobs go: what would be small enough for one answer, or what is not."""
    if request.param == "file":
        monkeypatch.setattr(bulk, "INLINE_ANSWER_BYTES", 0)
    return request.param


def metadata(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


async def run(client, folder, rows=ROWS, **options):
    return await client.batch(list(rows), output=folder, mode="batch", model=MODEL, **options)


async def has_a_job(google) -> None:
    """Wait until a job was asked for."""
    for _ in range(2000):
        if google.all("simulated-key"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no job was asked for")


async def test_a_batch_is_delivered_at_half_price(client, server, google, tmp_path, way):
    summary = await run(client, tmp_path)
    assert (summary.delivered, summary.failed, summary.facts.stopped) == (3, 0, None)
    (work,) = google.all("simulated-key")
    assert bool(work.wish.file) == (way == "file")
    assert work.wish.name.startswith("cavendish-")
    entries = metadata(tmp_path)
    assert {entry["prompt"] for entry in entries} == set(ROWS)
    assert {entry["route"] for entry in entries} == {"sim/gemini-3.1-flash-image:batch"}
    for entry in entries:
        with Image.open(tmp_path / entry["file_name"]) as seen:
            assert seen.size == (1024, 1024)
    assert summary.billed_nusd == server.stats()["billed_nusd"]
    online = await client.generate("a kite", model=MODEL, output=tmp_path / "online")
    assert summary.billed_nusd == pytest.approx(1.5 * online.billed_nusd, rel=0.05)


async def test_what_is_refused_or_lost_is_made_again_in_a_further_job(client, google, tmp_path, way):
    google.mood.missing = [{2}]
    summary = await run(client, tmp_path, ("a [sim:no_image,times=1]", "b [sim:server_error,times=1]", "c", "d"))
    assert (summary.delivered, summary.failed) == (4, 0)
    assert [len(work.lines) for work in google.all("simulated-key")][::-1][:2] == [4, 3]


async def test_a_prompt_that_is_blocked_fails_alone(client, google, tmp_path):
    summary = await run(client, tmp_path, ("a", "b [sim:prompt_blocked]"))
    assert (summary.delivered, summary.failed) == (1, 1)
    (failure,) = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert failure["prompt"].startswith("b")


async def test_a_lost_answer_makes_no_second_job(client, server, google, tmp_path, way):
    google.mood.lost = 1
    assert (await run(client, tmp_path)).delivered == 3
    assert len(google.all("simulated-key")) == 1
    assert server.stats()["pictures"] == 3


async def test_a_line_that_breaks_is_taken_up_where_it_broke(client, server, google, tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "INLINE_ANSWER_BYTES", 0)
    google.mood.cut_pieces = 1
    google.mood.cut_after = [500, 3_000]
    assert (await run(client, tmp_path)).delivered == 3
    assert server.stats()["pictures"] == 3
    assert google.mood.cut_after == []


async def test_a_full_queue_is_waited_for(client, google, tmp_path):
    google.mood.busy = 1
    assert (await run(client, tmp_path)).delivered == 3


async def test_an_interrupted_run_is_resumed_and_buys_nothing_twice(client, server, google, tmp_path, way):
    google.mood.waits, google.mood.takes = 1_000.0, 0.0  # two seconds
    task = asyncio.ensure_future(run(client, tmp_path))
    await has_a_job(google)
    client.stop()
    stopped = await task
    assert stopped.facts.stopped.kind is FaultKind.CANCELLED
    assert (stopped.delivered, stopped.facts.left) == (0, 3)
    resumed = await run(client, tmp_path)
    assert (resumed.delivered, resumed.facts.stopped) == (3, None)
    assert len(google.all("simulated-key")) == 1
    assert server.stats()["pictures"] == 3


async def test_a_run_that_is_given_online_waits_for_its_jobs(client, server, google, tmp_path):
    google.mood.waits = 500.0
    task = asyncio.ensure_future(run(client, tmp_path))
    await has_a_job(google)
    client.stop()
    await task
    summary = await client.batch([*ROWS, "one more"], output=tmp_path, model=MODEL)
    assert summary.delivered == 4
    assert server.stats()["pictures"] == 4
    assert sorted(entry["route"].endswith(":batch") for entry in metadata(tmp_path)) == [False, True, True, True]


async def test_after_the_deadline_the_rest_goes_online(client, google, tmp_path, server):
    google.mood.waits = 1_000_000.0
    summary = await run(client, tmp_path, batch_deadline=1)
    assert (summary.delivered, summary.facts.stopped) == (3, None)
    assert {entry["route"] for entry in metadata(tmp_path)} == {"sim/gemini-3.1-flash-image"}
    (work,) = google.all("simulated-key")
    assert work.state(0.0) is JobState.CANCELLED
    assert server.stats()["pictures"] == 3


async def test_after_the_deadline_the_rest_stays_open_when_only_jobs_are_wanted(client, google, tmp_path, server):
    google.mood.waits = 1_000_000.0
    summary = await run(client, tmp_path, batch_deadline="1s", batch_only=True)
    assert summary.facts.stopped.kind is FaultKind.JOB_EXPIRED
    assert (summary.delivered, summary.facts.left, summary.billed_nusd) == (0, 3, 0)
    google.mood.waits = 0.0
    assert (await run(client, tmp_path)).delivered == 3


async def test_a_deadline_of_nothing_cancels_what_is_at_work(client, google, tmp_path, server):
    google.mood.waits = 1_000_000.0
    task = asyncio.ensure_future(run(client, tmp_path))
    await has_a_job(google)
    client.stop()
    await task
    summary = await run(client, tmp_path, batch_deadline=0, batch_only=True)
    assert (summary.delivered, summary.facts.stopped.kind) == (0, FaultKind.JOB_EXPIRED)
    assert [work.state(0.0) for work in google.all("simulated-key")] == [JobState.CANCELLED]
    assert server.stats()["pictures"] == 0


async def test_an_expired_job_keeps_what_it_made(client, google, tmp_path):
    google.mood.ends = [JobState.EXPIRED]
    summary = await run(client, tmp_path, ("a", "b"))
    assert summary.delivered == 2
    assert [len(work.lines) for work in google.all("simulated-key")] == [1, 2]


async def test_another_key_does_not_buy_what_a_job_is_making(client, google, tmp_path, server):
    google.mood.waits = 1_000_000.0
    task = asyncio.ensure_future(run(client, tmp_path))
    await has_a_job(google)
    client.stop()
    await task
    settings = {"endpoints.sim.base_url": server.url, "endpoints.sim.api_key": "another-key"}
    async with AsyncClient(via="sim", settings=settings) as other:
        summary = await run(other, tmp_path)
    assert summary.facts.stopped.kind is FaultKind.BAD_KEY
    assert "another-key" not in str(summary.facts.stopped)
    assert google.all("another-key") == []


def test_a_run_that_is_killed_is_completed_and_buys_nothing_twice(far_server, tmp_path):
    google = far_server.site("google").bulk.batches
    google.mood.waits = 2_000.0  # four seconds
    (tmp_path / "rows.txt").write_text("\n".join(ROWS))
    words = ["batch", "rows.txt", "--mode", "batch", "-m", MODEL, "--size", "512", "--via", "sim", "-o", "run", "-y"]
    command = [sys.executable, "-m", "cavendish", *words]
    env = {**os.environ, "CAVENDISH_SIM_BASE_URL": far_server.url}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL) as first:
        for _ in range(1000):
            if google.all("simulated-key"):
                break
            time.sleep(0.02)
        first.kill()
    assert len(google.all("simulated-key")) == 1
    resume = [*command[:3], "resume", "run", "--via", "sim", "-y"]
    again = subprocess.run(resume, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "3 delivered" in again.stderr
    assert len(google.all("simulated-key")) == 1
    assert far_server.stats()["pictures"] == 3


async def test_references_go_along_in_the_file(client, google, tmp_path, way):
    look = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(look, "PNG")
    assert (await run(client, tmp_path, references=[look.getvalue()])).delivered == 3
    (work,) = google.all("simulated-key")
    assert all(len(line.request.references) == 1 for line in work.lines)


async def test_a_batch_is_not_asked_of_one_who_has_none(tmp_path):
    settings = {"endpoints.apiyi.api_key": "a-key"}
    async with AsyncClient(via="apiyi", settings=settings) as client:
        with pytest.raises(BatchInputError, match="does not offer"):
            await run(client, tmp_path)


@pytest.mark.parametrize(
    "words, seconds", [("90m", 5400), ("6h", 21_600), ("1d12h", 129_600), ("30", 30), ("45s", 45), (None, None), (7, 7)]
)
def test_a_duration_is_said_in_words(words, seconds):
    assert seconds_of(words) == seconds


@pytest.mark.parametrize("words", ["", "soon", "6 hours", "-5m", "h"])
def test_what_is_no_duration_is_refused(words):
    with pytest.raises(RequestError, match="duration"):
        seconds_of(words)
