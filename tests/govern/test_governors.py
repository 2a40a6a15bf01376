import json

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost
from cavendish.govern.governors import Governors, Place
from cavendish.govern.verdict import Closed, Ending, Granted, Wait
from cavendish.model.fault import FaultKind, Scope

from .parts import ENDS, NOON, ONE, OPEN_LIMITS, fault, granted, waited

K = FaultKind
FLASH, PRO = Place("google", "k1", "flash"), Place("google", "k1", "pro")
OTHER_KEY, OTHER_ENDPOINT = Place("google", "k2", "flash"), Place("openai", "k1", "flash")


class House:
    def __init__(self, limits: Limits = OPEN_LIMITS) -> None:
        self.governors = Governors()
        self.limits = limits

    def governor(self, place: Place):
        return self.governors.governor(place, self.limits, ENDS)

    def ask(self, place: Place, cost: Cost = ONE, now: float = 0.0, wall: float = NOON):
        return self.governor(place).reserve(now, wall, cost)

    def fail(self, place: Place, kind: FaultKind, **fields) -> None:
        grant_id = granted(self.ask(place))
        self.governor(place).settle(grant_id, 0.0, NOON, Ending(fault(kind, **fields)))


@pytest.mark.parametrize(
    "scope, stopped",
    [
        (Scope.MODEL, {FLASH}),
        (Scope.KEY, {FLASH, PRO}),
        (Scope.ENDPOINT, {FLASH, PRO, OTHER_KEY}),
    ],
)
@pytest.mark.parametrize(
    "kind, verdict, fields", [(K.RATE_LIMITED, Wait, {"retry_after_s": 9.0}), (K.FORBIDDEN, Closed, {})]
)
def test_a_fault_stops_all_whom_it_speaks_of_and_nobody_else(scope, stopped, kind, verdict, fields):
    house = House()
    house.fail(FLASH, kind, scope=scope, **fields)
    for place in (FLASH, PRO, OTHER_KEY, OTHER_ENDPOINT):
        assert isinstance(house.ask(place), verdict if place in stopped else Granted)


def test_the_same_place_has_one_governor():
    house = House()
    assert house.governor(FLASH) is house.governor(FLASH)
    assert house.governor(FLASH) is not house.governor(PRO)


def test_windows_are_the_models_own_but_money_is_the_keys():
    house = House(Limits(requests_per_minute=1, spend_per_10_minutes_nusd=100))
    assert isinstance(house.ask(FLASH, Cost(nusd=80)), Granted)
    assert isinstance(house.ask(PRO, Cost(nusd=30)), Wait)
    assert isinstance(house.ask(PRO, Cost(nusd=20)), Granted)
    assert isinstance(house.ask(OTHER_KEY, Cost(nusd=80)), Granted)


def test_what_one_run_knew_the_next_one_knows():
    house = House(Limits(requests_per_minute=1, spend_per_10_minutes_nusd=100))
    house.ask(FLASH, Cost(nusd=80))
    house.fail(OTHER_KEY, K.BAD_KEY)
    house.fail(OTHER_ENDPOINT, K.RATE_LIMITED, scope=Scope.ENDPOINT, retry_after_s=50.0)
    state = house.governors.to_state(10.0)

    # Twenty seconds later in another process, whose monotonic clock stands elsewhere.
    now, wall = 9000.0, NOON + 30.0
    later = House(Limits(requests_per_minute=1, spend_per_10_minutes_nusd=100))
    later.governors.restore({name: json.loads(json.dumps(known)) for name, known in state.items()}, now - 20.0)
    assert waited(later.ask(FLASH, now=now, wall=wall)).until_s == pytest.approx(9030.4)
    # What a model's calls hold is held before anybody asks for that model.
    assert isinstance(later.ask(PRO, Cost(nusd=30), now=now, wall=wall), Wait)
    assert isinstance(later.ask(OTHER_KEY, now=now, wall=wall), Closed)
    assert waited(later.ask(OTHER_ENDPOINT, now=now, wall=wall)).until_s == pytest.approx(9030.4)


def test_grants_of_siblings_have_names_of_their_own():
    house = House()
    assert granted(house.ask(FLASH)) != granted(house.ask(PRO))
