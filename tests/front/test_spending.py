"""Caps of days and months for programs: several clients, errors that say which cap, a book that is not there."""

import asyncio
from datetime import UTC

import pytest

from cavendish import AsyncClient, config
from cavendish.catalog.load import load
from cavendish.errors import ConfigError, ShortfallError
from cavendish.front.spending import calendar_of, caps_of, list_prices
from cavendish.io.spend.calendar import Period
from cavendish.io.spend.caps import Cap
from cavendish.model.fault import FaultKind
from tests.commandline import sim, simulators

__all__ = ["sim", "simulators"]

MODEL = {"model": "nano-banana-2", "via": "google"}


def settings_of(text, tmp_path, **environ):
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    sources = config.read_sources({"CAVENDISH_CONFIG": str(file), **environ}, tmp_path)
    return config.load(sources, load().endpoints)


@pytest.fixture
def google(sim, tmp_path):
    """Settings that lead to the simulator as if it were Google."""
    return {
        "endpoints.google.base_url": sim.url,
        "endpoints.google.api_key": "a-key-of-nobody",
        "state": str(tmp_path / "state"),
    }


def test_the_caps_that_are_set(tmp_path):
    text = 'max_cost_per_month = 20\n[endpoints.google]\nmax_cost_per_day = "0.5"\n'
    caps = caps_of(settings_of(text, tmp_path, CAVENDISH_MAX_COST_PER_DAY="3"))
    assert caps == (
        Cap(Period.DAY, 3_000_000_000),
        Cap(Period.MONTH, 20_000_000_000),
        Cap(Period.DAY, 500_000_000, "google"),
    )


def test_days_are_the_machines_and_on_a_server_those_of_utc(tmp_path):
    assert calendar_of(settings_of("", tmp_path)).zone is None
    assert calendar_of(settings_of('state = "postgresql://me:secret@host/db"', tmp_path)).zone is UTC


def test_list_prices():
    from datetime import date

    price = list_prices(load(), date(2026, 11, 20))
    assert (
        price("google", "gemini-3.1-flash-image", "") == price("google", "gemini-3.1-flash-image", "1K") == 67_000_000
    )
    assert price("google", "unheard-of", "") is None


async def test_clients_share_a_cap_and_are_told_which_it_is(sim, google, tmp_path):
    limits = {"endpoints.google.max_cost_per_month": "0.5"}

    async def buy(name):
        async with AsyncClient(settings={**google, **limits}) as client:
            return await client.generate("a kite", n=6, output=tmp_path / name, **MODEL)

    results = await asyncio.gather(*(buy(name) for name in ("one", "two")))
    stats = await asyncio.to_thread(lambda: sim.stats)
    assert 0.4 < stats["billed_usd"] <= 0.5
    assert sum(len(result) for result in results) == stats["pictures"] == 7
    stopped = [result for result in results if result.stopped]
    assert stopped
    for result in stopped:
        assert result.stopped.kind is FaultKind.BUDGET
        assert result.stopped.limit == "endpoints.google.max_cost_per_month"
        assert result.stopped.retry_after_s > 0
        with pytest.raises(ShortfallError) as caught:
            result.raise_for_shortfall()
        assert "the cap of $0.50 a month for google" in caught.value.hints[0]


async def test_a_cap_that_cannot_be_held_is_an_error(sim, google, tmp_path):
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    async with AsyncClient(settings={**google, "max_cost_per_day": "1"}) as client:
        with pytest.raises(ConfigError, match="no cap can be held"):
            await client.generate("a kite", output=tmp_path / "one", **MODEL)
    async with AsyncClient(settings=google) as client:
        result = await client.generate("a kite", output=tmp_path / "two", **MODEL)
    assert len(result) == 1
    assert any(notice.code == "no_book" for notice in result.notices)
