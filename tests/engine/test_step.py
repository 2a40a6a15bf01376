"""What happens to a slot: the table of transitions, and the bounds by failure class."""

import pytest

from cavendish.engine.policy import DEFAULT_REFILLS, PACED, SHUTTING, STOPPING, Policy
from cavendish.engine.step import (
    TRANSITIONS,
    Accepted,
    Bide,
    Deliver,
    GiveUp,
    Hedged,
    IllegalEvent,
    Left,
    Phase,
    PollLater,
    Refused,
    ShutLane,
    SlotState,
    StopRun,
    Ticketed,
    TryAgain,
    step,
)
from cavendish.model.call import Ticket
from cavendish.model.fault import Charged, Fault, FaultKind

POLICY = Policy()
EVENTS = [Left(), Hedged(), Accepted(), Refused(Fault(FaultKind.NO_IMAGE)), Ticketed(Ticket("t"), 1.0)]


def tries_until_given_up(kind: FaultKind, policy: Policy = POLICY) -> int:
    """How often a slot that always meets this fault is tried."""
    state = SlotState()
    for attempt in range(1, 2000):
        state, _ = step(state, Left(), policy)
        state, effect = step(state, Refused(Fault(kind)), policy)
        if isinstance(effect, GiveUp):
            return attempt
    return 0


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_only_the_table_is_legal(phase, event):
    state = SlotState(phase=phase)
    allowed = TRANSITIONS.get((phase, type(event)))
    if allowed is None:
        with pytest.raises(IllegalEvent):
            step(state, event, POLICY)
    else:
        after, _ = step(state, event, POLICY)
        assert after.phase in allowed


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - PACED - SHUTTING - STOPPING))
def test_each_class_has_its_bound(kind):
    assert tries_until_given_up(kind) == 1 + DEFAULT_REFILLS.get(kind, 0)


@pytest.mark.parametrize(
    "kind, tries",
    [
        (FaultKind.PROHIBITED, 1),
        (FaultKind.PROMPT_BLOCKED, 1),
        (FaultKind.INVALID_REQUEST, 1),
        (FaultKind.IMAGE_SAFETY, 2),
        (FaultKind.NO_IMAGE, 5),
        (FaultKind.TEXT_ONLY, 5),
        (FaultKind.IMAGE_OTHER, 5),
        (FaultKind.DUPLICATE, 5),
    ],
)
def test_refusals_are_not_bought_again_and_again(kind, tries):
    assert tries_until_given_up(kind) == tries


def test_the_bound_of_all_classes_together():
    policy = Policy(total_tries=3)
    assert tries_until_given_up(FaultKind.OVERLOADED, policy) == 3


def test_bounds_are_configurable():
    policy = Policy(refills={FaultKind.NO_IMAGE: 0})
    assert tries_until_given_up(FaultKind.NO_IMAGE, policy) == 1


def test_waiting_for_a_quota_is_no_failure_of_the_slot():
    assert tries_until_given_up(FaultKind.RATE_LIMITED) == POLICY.paced_tries + 1


@pytest.mark.parametrize("kind", sorted(SHUTTING))
def test_a_key_that_is_of_no_use_leaves_the_slot_as_it_was(kind):
    state, _ = step(SlotState(routes=2), Left(), POLICY)
    state, effect = step(state, Refused(Fault(kind)), POLICY)
    assert (state.phase, state.route, effect) == (Phase.READY, 0, ShutLane(Fault(kind)))


@pytest.mark.parametrize("kind", sorted(STOPPING))
def test_what_stops_the_run_leaves_the_slot_open(kind):
    state, _ = step(SlotState(), Left(), POLICY)
    state, effect = step(state, Refused(Fault(kind)), POLICY)
    assert state.phase is Phase.READY
    assert isinstance(effect, StopRun)


def test_back_off_doubles_spreads_and_is_capped():
    waits = [POLICY.backoff(tries, 0.0) for tries in range(10)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(waits) == 30.0
    assert POLICY.backoff(2, 0.999) < 4.0
    assert POLICY.backoff(2, 0.999) > POLICY.backoff(2, 0.0)


def test_an_empty_answer_is_refilled_at_once_an_overload_later():
    flown, _ = step(SlotState(), Left(), POLICY)
    assert step(flown, Refused(Fault(FaultKind.NO_IMAGE)), POLICY)[1] == TryAgain(0.0)
    assert step(flown, Refused(Fault(FaultKind.OVERLOADED), 0.0), POLICY)[1] == TryAgain(0.5)


def test_a_job_is_polled_until_it_ends():
    ticket = Ticket("job-1")
    state, _ = step(SlotState(), Left(), POLICY)
    state, effect = step(state, Ticketed(ticket, 2.0), POLICY)
    assert effect == PollLater(ticket, 2.0)
    state, _ = step(state, Ticketed(ticket, 2.0), POLICY)
    state, effect = step(state, Accepted(), POLICY)
    assert (state.phase, effect) == (Phase.DELIVERED, Deliver())


def test_an_outage_sends_a_slot_to_its_next_route_for_one_try_each():
    state, routes = SlotState(routes=3), []
    for _ in range(100):
        routes.append(state.route)
        state, _ = step(state, Left(), POLICY)
        state, effect = step(state, Refused(Fault(FaultKind.OVERLOADED)), POLICY)
        if isinstance(effect, GiveUp):
            break
    assert routes == [0] * (1 + DEFAULT_REFILLS[FaultKind.OVERLOADED]) + [1, 2]


def test_patience_ends_early_where_trouble_is_billed():
    fault, tries = Fault(FaultKind.SERVER_ERROR, charged=Charged.YES), 0
    state, effect = SlotState(), None
    while not isinstance(effect, GiveUp):
        state, _ = step(state, Left(), POLICY)
        state, effect = step(state, Refused(fault), POLICY)
        tries += 1
    assert tries == 1 + POLICY.charged_tries


def hedged(*events, policy=POLICY):
    """A slot with two calls, and what became of it; with the effect of each event."""
    state, _ = step(SlotState(), Left(), policy)
    state, _ = step(state, Hedged(), policy)
    effects = []
    for event in events:
        state, effect = step(state, event, policy)
        effects.append(effect)
    return state, effects


NOTHING, LATER = Refused(Fault(FaultKind.NO_IMAGE)), Ticketed(Ticket("t"), 1.0)
REFUSED = Refused(Fault(FaultKind.PROMPT_BLOCKED))


@pytest.mark.parametrize(
    "events, phase, effects",
    [
        ((Accepted(), Accepted()), Phase.DELIVERED, [Deliver(), Bide()]),
        ((Accepted(), NOTHING), Phase.DELIVERED, [Deliver(), Bide()]),
        ((NOTHING, Accepted()), Phase.DELIVERED, [Bide(), Deliver()]),
        ((REFUSED, Accepted()), Phase.DELIVERED, [Bide(), Deliver()]),
        ((NOTHING, NOTHING), Phase.READY, [Bide(), TryAgain(0.0)]),
        ((NOTHING, REFUSED), Phase.FAILED, [Bide(), GiveUp(REFUSED.fault)]),
        (
            (LATER, Accepted(), LATER, Accepted()),
            Phase.DELIVERED,
            [PollLater(Ticket("t"), 1.0), Deliver()] * 1 + [PollLater(Ticket("t"), 1.0), Bide()],
        ),
        ((LATER, NOTHING, NOTHING), Phase.READY, [PollLater(Ticket("t"), 1.0), Bide(), TryAgain(0.0)]),
    ],
)
def test_of_two_calls_the_first_picture_ends_the_slot_and_a_fault_leaves_the_other(events, phase, effects):
    state, found = hedged(*events)
    assert (state.phase, found) == (phase, effects)
    assert (state.attempts, state.live) == (2, 0)


def test_a_key_that_is_lost_leaves_the_other_call_under_way():
    fault = Fault(FaultKind.NO_CREDIT)
    state, effects = hedged(Refused(fault))
    assert (state.phase, state.live, effects) == (Phase.IN_FLIGHT, 1, [ShutLane(fault)])


def test_a_fault_of_one_call_counts_as_a_try_of_the_slot():
    state, _ = hedged(NOTHING)
    assert state.tried == 1
