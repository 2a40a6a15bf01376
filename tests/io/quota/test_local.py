import asyncio
import math

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant, Quota, Shut, WaitUntil
from cavendish.govern.governors import Place
from cavendish.io.quota.local import LocalQuotas, fingerprint
from cavendish.model.fault import Fault, FaultKind, Scope

K = FaultKind
FLASH, PRO = Place("google", "k1", "flash"), Place("google", "k1", "pro")


class HandClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return 1_770_062_400.0 + self.seconds

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class LoadedDice:
    def uniform(self) -> float:
        return 0.5

    def fresh_id(self) -> str:
        raise AssertionError("no ids are needed here")


async def granted(quota: Quota) -> Grant:
    answer = await quota.reserve(Cost())
    assert isinstance(answer, Grant), answer
    return answer


async def waits_until(quota: Quota) -> float:
    answer = await quota.reserve(Cost())
    assert isinstance(answer, WaitUntil), answer
    return answer.at


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def quotas(clock) -> LocalQuotas:
    return LocalQuotas(clock, LoadedDice())


async def test_it_is_the_engines_port(quotas, clock):
    quota: Quota = quotas.quota(FLASH, Limits(requests_per_minute=1))
    grant = await quota.reserve(Cost())
    assert isinstance(grant, Grant)
    assert await quota.reserve(Cost()) == WaitUntil(60.4, "1 requests per minute")
    await quota.cancel(grant)
    await quota.settle(await granted(quota), None, 12.0, 0)
    clock.seconds = 60.4
    assert isinstance(await quota.reserve(Cost()), Grant)


async def test_a_wait_for_another_call_has_no_moment(quotas):
    quota = quotas.quota(FLASH, Limits(in_flight=1))
    await quota.reserve(Cost())
    assert await quota.reserve(Cost()) == WaitUntil(math.inf, "1 calls in flight")


async def test_a_verdict_shuts_all_models_of_the_key(quotas):
    flash, pro = quotas.quota(FLASH, Limits()), quotas.quota(PRO, Limits())
    fault = Fault(K.NO_CREDIT, "spent", scope=Scope.KEY)
    await flash.settle(await granted(flash), fault, 0.2, None)
    assert await pro.reserve(Cost()) == Shut(fault)


async def test_the_dice_spread_the_back_off(quotas):
    quota = quotas.quota(FLASH, Limits())
    await quota.settle(await granted(quota), Fault(K.RATE_LIMITED), 0.2, None)
    assert await waits_until(quota) == 1.5


async def test_lanes_of_one_place_share_it_however_many_ask_at_once(quotas):
    lanes = [quotas.quota(FLASH, Limits(requests_per_minute=10)) for _ in range(4)]
    answers = await asyncio.gather(*(lane.reserve(Cost()) for lane in lanes * 10))
    grants = [answer for answer in answers if isinstance(answer, Grant)]
    assert len(grants) == 10
    assert len({grant.id for grant in grants}) == 10


async def test_who_comes_new_looks_again_at_a_key_that_was_bad(quotas, clock):
    quota = quotas.quota(FLASH, Limits())
    await quota.settle(await granted(quota), Fault(K.BAD_KEY, scope=Scope.KEY), 0.2, None)
    clock.seconds = 6.0
    assert isinstance(await quota.reserve(Cost()), Shut)
    await quotas.quota(FLASH, Limits()).settle(await granted(quotas.quota(FLASH, Limits())), None, 1.0, 0)
    assert isinstance(await quota.reserve(Cost()), Grant)


def test_a_day_ends_in_the_zone_that_is_named(quotas, clock):
    limits = Limits(requests_per_minute=10, requests_per_day=1)
    place = Place("ark", "k", "seedream")

    async def wait() -> float:
        quota = quotas.quota(place, limits, "Asia/Shanghai")
        await quota.reserve(Cost())
        return await waits_until(quota)

    # Noon in Los Angeles is four in the morning in Shanghai.
    assert asyncio.run(wait()) == pytest.approx(20 * 3600.0, abs=0.01)


def test_fingerprints_tell_keys_apart_and_do_not_hold_them():
    key = "AIza-not-a-real-key"
    assert fingerprint(key) == fingerprint(key)
    assert fingerprint(key) != fingerprint(key + "x")
    assert len(fingerprint(key)) == 16
    assert key not in fingerprint(key)
