"""Stored jobs: taken, asked for, given up, forgotten."""

from typing import Any

import pytest

from cavendish.model.call import Cancel, Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.sim import jobs as sim_jobs
from cavendish.sim.profile import Stored, read_profile
from tests.sim.menus import WALL, simulator

K = FaultKind
STORED = Stored("/jobs/{id}", poll_s=2.0)


def stored(**fields):
    sim, shelf = simulator(jobs=STORED, **fields)
    return sim, shelf


def submit(sim, prompt="a kite [sim:latency=10]", now=0.0, key="good", **fields) -> Any:
    return sim.handle(Open(ImageRequest.of(prompt, "thinker", **fields)), key, now, WALL)


def ask(sim, ticket, now) -> Any:
    return sim.handle(Poll(ticket), "good", now, WALL).reply


def test_a_job_ends_when_the_call_would_have():
    sim, shelf = stored()
    taken = submit(sim)
    assert isinstance(taken.reply, Later)
    assert taken.latency_s < 1
    ticket = taken.reply.ticket
    assert ticket.url == f"https://jobs.simulated/jobs/{ticket.id}"
    shelf.drop(shelf.made())  # what a transport does after each answer
    assert ask(sim, ticket, 1.0) == Later(ticket, 2.0)
    assert ask(sim, ticket, 9.5) == Later(ticket, 0.5)
    done = ask(sim, ticket, 10.0)
    assert isinstance(done, Done)
    assert b"".join(map(bytes, shelf.read(done.pictures[0].blob)))
    assert ask(sim, ticket, 99.0) is done
    assert sim.books.billed_nusd > 0
    assert sim.stats(0.0, WALL)["requests"] == 1


def test_a_refusal_is_the_end_of_a_job_and_an_error_is_none():
    sim, _ = stored()
    taken = submit(sim, "a kite [sim:image_safety,latency=5]")
    end = ask(sim, taken.reply.ticket, 5.0)
    assert isinstance(end, Fault)
    assert end.kind is K.IMAGE_SAFETY
    assert submit(sim, "a kite [sim:overloaded]").reply.kind is K.OVERLOADED
    assert submit(sim, key="bad").reply.kind is K.BAD_KEY
    broken = submit(sim, "a kite [sim:server_error,latency=5]")
    assert ask(sim, broken.reply.ticket, 5.0).kind is STORED.fails_as


def test_a_job_is_given_up_while_it_goes_on_and_not_after():
    sim, _ = stored()
    first, second = submit(sim).reply.ticket, submit(sim).reply.ticket
    given_up = sim.handle(Cancel(first), "good", 3.0, WALL).reply
    assert isinstance(given_up, Fault)
    assert given_up.kind is K.CANCELLED
    assert ask(sim, first, 20.0).kind is K.CANCELLED
    assert isinstance(sim.handle(Cancel(second), "good", 20.0, WALL).reply, Done)


def test_active_tasks_are_counted_by_key_until_they_end_or_are_given_up():
    sim, _ = stored(quota={"active_tasks": 2})
    tickets = [submit(sim).reply.ticket for _ in range(2)]
    refused = submit(sim, now=4.0).reply
    assert (refused.kind, refused.status, refused.limit_value) == (K.RATE_LIMITED, 429, 2)
    assert refused.retry_after_s == pytest.approx(6.0, abs=0.002)
    assert isinstance(submit(sim, now=4.0, key="another").reply, Later)
    sim.handle(Cancel(tickets[0]), "good", 4.0, WALL)
    assert isinstance(submit(sim, now=4.0).reply, Later)
    assert isinstance(submit(sim, now=10.0).reply, Later)


def test_the_oldest_jobs_are_forgotten_with_their_pictures(monkeypatch):
    monkeypatch.setattr(sim_jobs, "JOBS_KEPT", 3)
    sim, shelf = stored()
    tickets = [submit(sim).reply.ticket for _ in range(5)]
    assert [ask(sim, ticket, 10.0).__class__ for ticket in tickets] == [Fault, Fault, Done, Done, Done]
    assert ask(sim, tickets[0], 10.0).kind is K.JOB_EXPIRED
    assert len(shelf) == sum(
        len(ask(sim, ticket, 10.0).parts) - _words(ask(sim, ticket, 10.0)) for ticket in tickets[2:]
    )


def _words(done: Done) -> int:
    return len(done.parts) - len(done.pictures)


def test_an_address_dies_when_its_time_is_over():
    sim, _ = stored(quirks={"by_address": True, "addresses_live_s": 600.0, "speaks": False})
    ticket = submit(sim).reply.ticket
    done = ask(sim, ticket, 10.0)
    (picture,) = done.pictures
    assert picture.uri
    assert picture.blob is None
    fetched = sim.handle(Fetch(picture.uri), "", 609.9, WALL)
    assert isinstance(fetched.reply, Done)
    late = sim.handle(Fetch(picture.uri), "", 610.0, WALL)
    assert (late.reply.status, late.outcome) == (403, "expired_address")


def test_without_stored_jobs_there_is_nothing_to_ask_for():
    sim, _ = simulator()
    assert sim.handle(Poll(Ticket("x")), "good", 0.0, WALL).reply.kind is K.INVALID_REQUEST  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "table",
    [
        {"address": "jobs/{id}"},
        {"address": "/jobs"},
        {"address": "/{id}", "pace": 1},
        {"address": "/{id}", "fails_as": "x"},
    ],
)
def test_a_profile_says_what_it_cannot_mean(table):
    with pytest.raises(ValueError, match=r"."):
        read_profile({"name": "x", "jobs": table})
