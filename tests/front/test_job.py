"""One order at work: stopped, given up and taken up again; and whatever a provider answers, the books are right."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cavendish import AsyncClient, FolderError
from cavendish.front.asking import asked
from cavendish.front.build import Setup, Workshop
from cavendish.front.job import Job
from cavendish.front.order import LEDGER
from cavendish.front.orders import order_again, order_prompts
from cavendish.front.recipes import RunWish
from cavendish.front.routes import RouteWish
from cavendish.model.fault import Charged, FaultKind
from cavendish.sim.server import start_server

from .conftest import in_flight


class Witness:
    """A progress that calls a function at each outcome and notes what it hears."""

    def __init__(self, at_outcome=lambda: None):
        self.at_outcome = at_outcome
        self.at_start = lambda: None
        self.ended, self.kept, self.left, self.attempts = [], [], [], []

    def slot_started(self, slot, attempt):
        self.at_start()

    def attempt_ended(self, slot, attempt):
        self.attempts.append(attempt)

    def slot_ended(self, outcome):
        self.ended.append(outcome)
        self.at_outcome()

    def slot_kept(self, outcome):
        self.kept.append(outcome)

    def key_lost(self, closing):
        pass

    def slot_left(self, slot, fault):
        self.left.append((slot, fault))

    def waiting(self, why, seconds):
        pass


@pytest.fixture
async def workshop(server):
    setup = await asyncio.to_thread(Setup, {"endpoints.sim.base_url": server.url, "refills.cut": 0})
    async with Workshop(setup) as workshop:
        yield workshop


@pytest.fixture
def job_of(workshop, tmp_path):
    def make(prompt, watch, n=1, **run):
        routes = workshop.setup.routes(RouteWish(("sim",)))
        request = asked(routes, prompt, {"n": n})
        run = RunWish(tmp_path / "run", **{"concurrency": 2, **run})
        return Job(workshop, routes, order_prompts(workshop.setup, routes, (request,), run), watch)

    return make


def calls(server):
    return server.stats()["requests"]


def attempts_in(folder):
    with closing(sqlite3.connect(folder / LEDGER)) as ledger:
        return ledger.execute("SELECT count(*) FROM attempts").fetchone()[0]


# --- stopped and taken up again ---------------------------------------------------------------------------------------


async def test_a_stop_lets_what_is_in_flight_arrive(job_of, server, tmp_path):
    watch = Witness()
    job = job_of("a kite", watch, n=40)
    watch.at_outcome = lambda: job.stop() if len(watch.ended) == 3 else None
    summary = await job.run()
    assert summary.facts.stopped.kind is FaultKind.CANCELLED
    assert 3 <= summary.delivered == calls(server) <= 3 + 2
    assert summary.delivered + summary.facts.left == 40
    assert (summary.unknown_attempts, summary.unknown_nusd) == (0, 0)
    assert summary.resume == f"cavendish resume {tmp_path / 'run'}"
    again = Witness()
    summary = await job_of("a kite", again, n=40).run()
    assert (summary.delivered, summary.facts.left, summary.facts.stopped, calls(server)) == (40, 0, None, 40)
    assert len(again.kept) + len(again.ended) == 40
    assert summary.resume == ""


async def test_a_stop_before_the_start_buys_nothing(job_of, server):
    job = job_of("a kite", Witness(), n=4)
    job.stop()
    summary = await job.run()
    assert (summary.delivered, summary.facts.left, calls(server)) == (0, 4, 0)


@pytest.mark.parametrize("how", ["abort", "cancel"])
async def test_what_is_given_up_in_flight_is_unknown_and_reserved(job_of, server, tmp_path, how):
    watch = Witness()
    job = job_of("a kite [sim:latency=60]", watch, n=4)
    task = asyncio.create_task(job.run())
    await in_flight(server, 2)
    if how == "abort":
        job.abort()
        summary = await task
        assert (summary.delivered, summary.facts.left, summary.unknown_attempts) == (0, 4, 2)
        assert summary.unknown_nusd > 0
        assert "unknown" in summary.text()
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await asyncio.to_thread(attempts_in, tmp_path / "run") == 2
    # What may have been billed is not spent again below the cap.
    cap = 2 * 39_600_000 + 1_000_000
    summary = await job_of("a kite [sim:latency=60]", Witness(), n=4, max_cost_nusd=cap).run()
    assert (summary.facts.stopped.kind, summary.unknown_attempts, calls(server)) == (FaultKind.BUDGET, 2, 2)


async def test_a_run_folder_says_how_it_was_made(job_of, workshop, server, tmp_path):
    watch = Witness()
    job = job_of("a kite", watch, n=9)
    watch.at_outcome = job.stop
    await job.run()
    routes, order = await asyncio.to_thread(order_again, workshop.setup, tmp_path / "run", lambda recipe: recipe)
    summary = await Job(workshop, routes, order, Witness()).run()
    assert (summary.delivered, calls(server)) == (9, 9)


async def test_a_folder_that_is_at_work_is_not_taken_by_another(job_of, server):
    watch = Witness()
    job = job_of("a kite [sim:latency=60]", watch, n=2)
    task = asyncio.create_task(job.run())
    await in_flight(server, 2)
    with pytest.raises(FolderError, match="works on"):
        await job_of("a kite [sim:latency=60]", Witness(), n=2).run()
    job.abort()
    await task


async def test_a_program_that_changes_its_folder_finds_its_pictures(job_of, workshop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    routes = workshop.setup.routes(RouteWish(("sim",)))
    order = order_prompts(workshop.setup, routes, (asked(routes, "a kite", {"n": 3}),), RunWish(Path("run"), 1))
    watch = Witness(lambda: monkeypatch.chdir(tmp_path / "elsewhere"))
    summary = await Job(workshop, routes, order, watch).run()
    assert summary.delivered == 3
    assert len(list((tmp_path / "run").glob("*.png"))) == 3
    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- whatever is answered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["dropped", "cut", "reset"])
async def test_a_line_that_breaks_after_billing_is_an_unknown_cost(job_of, server, line):
    watch = Witness()
    summary = await job_of(f"a kite [sim:{line}]", watch).run()
    (attempt,) = watch.attempts
    assert (attempt.charged, attempt.cost_nusd) == (Charged.UNKNOWN, None)
    assert (summary.delivered, summary.failed, summary.unknown_attempts) == (0, 1, 1)
    assert summary.billed_nusd == 0 < summary.unknown_nusd
    assert watch.ended[0].fault.kind is FaultKind.CUT
    assert server.stats()["billed_nusd"] > 0


async def test_a_connection_that_was_refused_costs_nothing(job_of, workshop, server):
    watch = Witness()
    await job_of("a kite [sim:refused,times=1]", watch).run()
    first, *others = watch.attempts
    assert first.charged is not Charged.YES
    assert first.fault.kind in {FaultKind.CONNECT, FaultKind.CUT}
    assert len(others) <= 1


@pytest.mark.parametrize(
    "fault, kind, charged",
    [
        ("not_json", FaultKind.MALFORMED, Charged.UNKNOWN),
        ("empty_200", FaultKind.MALFORMED, Charged.UNKNOWN),
        ("no_candidates", FaultKind.MALFORMED, Charged.UNKNOWN),
        ("html_502", FaultKind.SERVER_ERROR, Charged.NO),
        ("not_an_image", FaultKind.NOT_AN_IMAGE, Charged.YES),
    ],
)
async def test_what_is_no_picture_is_asked_for_once_more(job_of, server, fault, kind, charged):
    watch = Witness()
    summary = await job_of(f"a kite [sim:{fault},times=1]", watch).run()
    assert summary.delivered == 1
    first, second = watch.attempts
    assert (first.fault.kind, first.charged, second.charged) == (kind, charged, Charged.YES)
    assert summary.billed_nusd <= server.stats()["billed_nusd"] <= summary.billed_nusd + summary.unknown_nusd


@pytest.mark.parametrize("fault", ["wrong_type", "drafts", "thoughts", "big_signature", "url", "trickle"])
async def test_a_picture_in_an_unusual_shape_is_a_picture(job_of, server, tmp_path, fault):
    watch = Witness()
    summary = await job_of(f"a kite [sim:{fault},latency=0]", watch).run()
    (picture,) = watch.ended
    assert (summary.delivered, picture.attempts) == (1, 1)
    assert picture.blob.media_type == "image/png"
    assert picture.blob.ref.endswith(".png")
    data = (tmp_path / "run" / picture.blob.ref).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) == picture.blob.size
    assert [path.name for path in (tmp_path / "run").glob("*.png")] == [picture.blob.ref]


async def test_a_gigantic_picture_is_a_picture(tmp_path):
    server = await start_server("fast")
    settings = {"endpoints.sim.base_url": server.url}
    async with AsyncClient(via="sim", settings=settings) as client:
        result = await client.generate(f"a kite [sim:gigantic,bytes={24 << 20}]", output=tmp_path / "run")
    await server.close()
    assert result[0].path.stat().st_size >= 24 << 20
    assert (result[0].width, result[0].attempts) == (1024, 1)


async def test_an_answer_that_never_comes_is_a_time_out_of_unknown_cost(job_of, server):
    watch = Witness()
    job = job_of("a kite [sim:hang,times=1]", watch, timeout_s=0.5)
    summary = await job.run()
    first, second = watch.attempts
    assert (first.fault.kind, first.charged, second.charged) == (FaultKind.TIMEOUT, Charged.UNKNOWN, Charged.YES)
    assert (summary.delivered, summary.unknown_attempts) == (1, 1)


async def test_what_the_folder_lists_is_what_was_delivered(job_of, tmp_path):
    watch = Witness()
    await job_of("a kite [sim:prohibited,times=1]", watch, n=4).run()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metadata.jsonl").read_text().splitlines()]
    delivered = [outcome for outcome in watch.ended if hasattr(outcome, "blob")]
    assert {line["file_name"] for line in lines} == {outcome.blob.ref for outcome in delivered}
    assert len(delivered) == 3
