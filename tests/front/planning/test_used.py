"""What runs wrote down of today's quota, read back for a plan."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant
from cavendish.front.build import Setup
from cavendish.front.planning.used import ALL_OF_IT, used_today
from cavendish.front.routes import RouteWish
from cavendish.govern.governors import Place
from cavendish.io.clock import SystemClock
from cavendish.io.dice import SystemDice
from cavendish.io.quota.local import fingerprint
from cavendish.io.quota.shared import SharedQuotas
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.model.fault import Fault, FaultKind

KEYS = ("first-key", "second-key")
MODEL = "gemini-3-pro-image"
DAYS = Limits(requests_per_day=100)


@pytest.fixture
def setup(monkeypatch, tmp_path):
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path))
    monkeypatch.setenv("GOOGLE_API_KEY", ",".join(KEYS))
    return Setup()


def route(setup):
    return setup.routes(RouteWish(keyless=True)).resolve(f"google/{MODEL}")[0]


async def spend(setup, key, calls, fault=None):
    clock = SystemClock()

    def opening():
        return open_database(setup.settings.state_address, "quota", MIGRATIONS, clock)

    quotas = SharedQuotas(opening, clock, SystemDice())
    quota = quotas.quota(Place("google", fingerprint(key), MODEL), DAYS)
    for _ in range(calls):
        grant = await quota.reserve(Cost())
        assert isinstance(grant, Grant)
        await quota.settle(grant, fault, 1.0, None)
    await quotas.close()


def told(setup, later_s=0.0):
    now_s = datetime.now(UTC).timestamp() + later_s
    return used_today(setup.settings, now_s)(route(setup))


def test_nothing_was_ever_used(setup, tmp_path):
    assert told(setup) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_all_keys_used_today_and_not_what_they_did_yesterday(setup):
    asyncio.run(spend(setup, KEYS[0], 3))
    asyncio.run(spend(setup, KEYS[1], 2))
    asyncio.run(spend(setup, "another-key", 7))
    assert told(setup) == 5
    assert told(setup, 2 * 86_400.0) == 0


def test_a_quota_that_is_said_to_be_gone_is_gone(setup):
    asyncio.run(spend(setup, KEYS[0], 1, Fault(FaultKind.DAY_QUOTA, "enough", status=429)))
    assert told(setup) == ALL_OF_IT


def test_what_cannot_be_read_counts_as_nothing(setup, tmp_path):
    (tmp_path / "quota.sqlite3").write_bytes(b"not a database at all" * 100)
    assert told(setup) == 0


def test_an_address_of_one_s_own_has_its_own_quota(setup, monkeypatch):
    asyncio.run(spend(setup, KEYS[0], 3))
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    other = Setup()
    assert told(other) == 0
    assert replace(route(other).route) == route(setup).route
