import math
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cavendish.catalog.cards import Limits
from cavendish.govern.counter import LOOK_AGAIN_S, POLL_S, SETTLED_S, Ask, Block, Counter, Ended, Left, Unused
from cavendish.govern.fairness import GRACE_S, Priority, Shares
from cavendish.govern.governor import Governor
from cavendish.govern.pacing import Pacing
from cavendish.govern.verdict import Closed, Ending, Load, Wait
from cavendish.model.fault import FaultKind, Scope

from .parts import ENDS, EXACT, NOON, fault

ONE = Load(1, 1)
HOLD_S = 0.25


class Shop:
    """A counter, and short ways to ask there."""

    def __init__(self, limits: Limits, pacing: Pacing = EXACT) -> None:
        self.governor = Governor(limits, ENDS, pacing, name="flash")
        self.counter = Counter(self.governor, Shares())

    def ask(self, who: str, now: float, wanted: int = 1, load: Load = ONE, priority=Priority.BATCH, **how):
        name = f"{who}/1"
        ask = Ask(who, name, load, wanted, how.pop("most", 16), load, priority, HOLD_S, **how)
        return self.counter.serve(ask, now, NOON + now)

    def tell(self, now: float, *reports) -> None:
        for report in reports:
            self.counter.hear(report, now, NOON + now)


def granted(answer) -> tuple[str, ...]:
    assert isinstance(answer, Block), answer
    return answer.ids


def waits(answer) -> float:
    assert isinstance(answer, Wait), answer
    return answer.until_s


def test_a_block_is_as_large_as_there_is_room_and_not_larger_than_asked_for():
    shop = Shop(Limits(requests_per_minute=10))
    assert len(granted(shop.ask("a", 0.0, 4))) == 4
    assert len(granted(shop.ask("a", 0.0, 20))) == 6
    assert len(granted(Shop(Limits(requests_per_minute=100)).ask("a", 0.0, 50))) == 16


def test_grants_bear_the_name_of_their_holder():
    shop = Shop(Limits())
    granted(shop.ask("a", 0.0, 2))
    granted(shop.ask("b", 0.0))
    assert shop.governor.holders == {"a": 2, "b": 1}


def test_what_may_leave_later_counts_later_until_it_is_told_when_it_left():
    shop = Shop(Limits(requests_per_minute=1))
    (grant,) = granted(shop.ask("a", 0.0))
    # Until then nobody knows; whoever waits looks again when it must be known.
    assert waits(shop.ask("b", 0.1)) == HOLD_S + SETTLED_S
    assert waits(shop.ask("b", 0.4)) == 60.0 + HOLD_S
    shop.tell(0.5, Left(grant, 0.01, ONE))
    assert waits(shop.ask("b", 0.5)) == 60.01


def test_what_is_not_used_is_free_again():
    shop = Shop(Limits(requests_per_minute=2))
    ids = granted(shop.ask("a", 0.0, 2))
    shop.tell(0.3, Unused(ids[1]))
    assert len(granted(shop.ask("b", 0.3, 2))) == 1


def test_it_takes_what_it_took_and_not_what_it_might_have():
    shop = Shop(Limits(tokens_per_minute=100))
    ids = granted(shop.ask("a", 0.0, 3, Load(1, 1, 40)))
    assert len(ids) == 2
    shop.tell(0.1, Left(ids[0], 0.0, Load(1, 1, 10)), Left(ids[1], 0.0, Load(1, 1, 10)))
    assert len(granted(shop.ask("a", 1.0, 3, Load(1, 1, 40)))) == 2


def test_who_waits_first_is_served_first_and_each_knows_its_own_moment():
    shop = Shop(Limits(requests_per_minute=3))
    for at in (0.0, 1.0, 2.0):
        (grant,) = granted(shop.ask("z", at))
        shop.tell(at, Left(grant, at, ONE))
    # Those who had nothing yet, in the order in which they came.
    assert [waits(shop.ask(who, 5.0 + i)) for i, who in enumerate("abc")] == [60.0, 61.0, 62.0]
    # Whoever comes at another's moment waits on.
    assert waits(shop.ask("b", 60.0)) == 61.0
    granted(shop.ask("a", 60.0))


def test_who_does_not_come_is_not_waited_for_long():
    shop = Shop(Limits(requests_per_minute=1))
    (grant,) = granted(shop.ask("z", 0.0))
    shop.tell(0.0, Left(grant, 0.0, ONE))
    assert waits(shop.ask("a", 1.0)) == 60.0
    waits(shop.ask("b", 2.0))
    waits(shop.ask("b", 60.0))
    shop.counter.sweep(lambda _holder: False, 60.0 + GRACE_S + 0.1)
    granted(shop.ask("b", 60.0 + GRACE_S + 0.1))


def test_a_person_is_served_before_a_batch_that_waits_longer():
    shop = Shop(Limits(requests_per_minute=1))
    (grant,) = granted(shop.ask("z", 0.0))
    shop.tell(0.0, Left(grant, 0.0, ONE))
    waits(shop.ask("batch", 1.0))
    assert waits(shop.ask("person", 2.0, priority=Priority.INTERACTIVE)) == 60.0
    waits(shop.ask("batch", 60.0))
    granted(shop.ask("person", 60.0, priority=Priority.INTERACTIVE))


def test_who_asked_for_more_than_a_block_is_next_too():
    shop = Shop(Limits(requests_per_minute=20))
    granted(shop.ask("person", 0.0, 18, priority=Priority.INTERACTIVE))
    # Four places are left, two of which she still wants.
    assert len(granted(shop.ask("batch", 0.0, 10))) == 2
    assert len(granted(shop.ask("person", 0.0, 2, priority=Priority.INTERACTIVE))) == 2


def test_a_call_for_many_pictures_is_not_passed_over_for_ever():
    shop = Shop(Limits(images_per_minute=4))
    grants = [granted(shop.ask("z", float(at)))[0] for at in range(3)]
    shop.tell(3.0, *(Left(grant, float(at), ONE) for at, grant in enumerate(grants)))
    assert waits(shop.ask("a", 3.0, load=Load(1, 4))) == 62.0
    # There is room for one picture, but it is kept for who comes first.
    assert isinstance(shop.ask("z", 4.0), Wait)


@pytest.mark.parametrize("alone, until", [(True, math.inf), (False, 5.0 + POLL_S)])
def test_a_place_in_flight_is_looked_for_now_and_then_unless_all_are_ones_own(alone, until):
    shop = Shop(Limits(in_flight=1))
    granted(shop.ask("a", 0.0))
    assert waits(shop.ask("a", 5.0, is_alone=alone)) == until
    assert waits(shop.ask("b", 5.0)) == 5.0 + POLL_S


def test_nobody_waits_until_tomorrow_for_anothers_sake():
    shop = Shop(Limits(requests_per_minute=1, requests_per_day=3))
    granted(shop.ask("a", 0.0))
    waits(shop.ask("a", 1.0, 50))
    shop.counter.sweep(lambda _holder: False, 60.0)
    shop.tell(60.0)
    # Two are left of the day, and somebody ahead wants fifty.
    assert waits(shop.ask("b", 60.0)) < 3600.0


def test_what_the_gone_held_is_free_but_counts():
    shop = Shop(Limits(requests_per_minute=2, in_flight=1))
    granted(shop.ask("a", 0.0))
    assert waits(shop.ask("b", 1.0)) == 1.0 + POLL_S
    shop.counter.sweep(lambda holder: holder == "a", 2.0)
    (grant,) = granted(shop.ask("b", 2.0))
    shop.tell(2.0, Left(grant, 2.0, ONE))
    shop.tell(3.0, Ended(grant, Ending()))
    assert waits(shop.ask("b", 3.0)) == 60.0 + HOLD_S


def test_who_is_told_no_does_not_stand_in_the_line():
    shop = Shop(Limits(requests_per_minute=60))
    (grant,) = granted(shop.ask("a", 0.0))
    shop.tell(0.1, Ended(grant, Ending(fault(FaultKind.BAD_KEY, scope=Scope.KEY))))
    assert isinstance(shop.ask("a", 0.2), Closed)
    assert isinstance(shop.ask("b", 1.0, is_new=True), Closed)
    granted(shop.ask("b", 6.0, is_new=True))
    # Whether the key is good will be known when that call is back.
    assert isinstance(shop.ask("b", 6.1), Wait)


# --- laws -------------------------------------------------------------------------------------------------------------


@dataclass
class Play:
    """Three processes at one counter: what truly left when, and what is not told yet."""

    shop: Shop
    limit: int
    now: float = 0.0
    pockets: dict = field(default_factory=dict)
    untold: list = field(default_factory=list)
    starts: list = field(default_factory=list)

    def leave(self, who: str) -> None:
        """A call of a block leaves, if it still may."""
        pocket = self.pockets.setdefault(who, [])
        pocket[:] = [(grant, until) for grant, until in pocket if until > self.now or self._back(grant)]
        if pocket:
            grant, _ = pocket.pop(0)
            self.starts.append(self.now)
            self.untold.append(Left(grant, self.now, ONE))

    def _back(self, grant: str) -> bool:
        self.untold.append(Unused(grant))
        return False

    def ask(self, who: str, wanted: int) -> None:
        answer = self.shop.ask(who, self.now, wanted)
        if isinstance(answer, Block):
            self.pockets.setdefault(who, []).extend((grant, self.now + HOLD_S) for grant in answer.ids)

    def tell(self) -> None:
        told, self.untold = self.untold, []
        self.shop.tell(self.now, *told)

    def check(self) -> None:
        for i, first in enumerate(self.starts):
            assert sum(at < first + 60.0 for at in self.starts[i:]) <= self.limit


moves = st.lists(
    st.tuples(
        st.sampled_from(["ask", "leave", "tell", "die", "sweep"]),
        st.sampled_from("abc"),
        st.integers(1, 6),
        st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.3, 1.0, 20.0, 59.8, 60.0]),
    ),
    max_size=60,
)


# It leaves at the last moment, and nobody hears of it; one that leaves at once is heard of after the next was granted.
@example([("ask", "a", 1, 0.0), ("leave", "a", 1, 0.2), ("ask", "b", 1, 59.8), ("leave", "b", 1, 0.0)], 1)
@example([("ask", "a", 2, 0.0), ("leave", "a", 1, 0.2), ("die", "a", 1, 0.0), ("ask", "b", 1, 59.8)] * 2, 1)
@given(moves, st.integers(1, 5))
def test_never_more_than_the_limit_whatever_the_order_of_things(script, limit):
    """Blocks leave at any time they may, or never; news comes late, or never; processes die."""
    play = Play(Shop(Limits(requests_per_minute=limit)), limit)
    for what, who, number, seconds in script:
        play.now += seconds
        if what == "ask":
            play.ask(who, number)
        elif what == "leave":
            play.leave(who)
        elif what == "tell":
            play.tell()
        elif what == "sweep":
            play.shop.counter.sweep(lambda _holder: False, play.now)
        else:
            play.pockets.pop(who, None)
            play.untold.clear()
            play.shop.counter.sweep(lambda holder, gone=who: holder == gone, play.now)
    play.check()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 100, width=32), st.integers(1, 4)), max_size=12))
def test_nothing_is_idle_while_somebody_could_start(arrivals):
    """Whoever is told to wait comes back at its moment; then no place is left free for longer than it takes to look
    again for those who did not come.
    """
    limit = 3
    shop, starts = Shop(Limits(requests_per_minute=limit)), []
    line = sorted((at, who, wanted) for who, at, wanted in arrivals)
    first = line[0][0] if line else 0.0
    for _ in range(500):
        if not line:
            break
        now, who, wanted = line.pop(0)
        answer = shop.ask(who, now, wanted)
        if isinstance(answer, Wait):
            line.append((max(answer.until_s, now), who, wanted))
        else:
            ids = granted(answer)
            shop.tell(now, *(Left(grant, now, ONE) for grant in ids))
            starts += [now] * len(ids)
            if wanted > len(ids):
                line.append((now, who, wanted - len(ids)))
        line.sort()
    assert not line
    # By then so many must have left, if all came at the first moment; who comes later can only be later.
    for number, at in enumerate(starts):
        arrived = sum(wanted for _, came, wanted in arrivals if came <= at)
        assert number < arrived
        if number >= limit:
            waited_for = max(starts[number - limit] + 60.0, min(came for _, came, _ in arrivals))
            latest_arrival = max(came for _, came, _ in arrivals)
            assert at <= max(waited_for, latest_arrival) + LOOK_AGAIN_S + GRACE_S + 1e-6
    assert not starts or starts[0] == first


def test_who_is_busy_is_granted_ahead_what_it_will_need():
    shop = Shop(Limits(requests_per_minute=100))
    assert len(granted(shop.ask("a", 0.0, 2, most=40, ahead=30))) == 32
    assert len(granted(shop.ask("a", 0.0, 2, most=40, ahead=90))) == 40


def test_what_is_granted_ahead_is_no_more_than_there_is():
    shop = Shop(Limits(requests_per_minute=10))
    assert len(granted(shop.ask("a", 0.0, 2, ahead=14))) == 10
    assert waits(shop.ask("a", 0.0, 1, ahead=14)) > 0.0


def test_nothing_is_granted_ahead_while_another_waits():
    shop = Shop(Limits(requests_per_minute=4))
    assert len(granted(shop.ask("a", 0.0, 4))) == 4
    assert waits(shop.ask("b", 0.0, 2)) > 0.0
    assert len(granted(shop.ask("b", 60.5, 1, ahead=10))) == 4
    shop = Shop(Limits(requests_per_minute=4))
    assert len(granted(shop.ask("a", 0.0, 4))) == 4
    assert waits(shop.ask("b", 0.0, 1)) > 0.0
    assert waits(shop.ask("c", 0.0, 1)) > 0.0
    assert len(granted(shop.ask("b", 60.5, 1, ahead=10))) == 1
