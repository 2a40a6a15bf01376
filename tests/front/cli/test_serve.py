"""`cavendish serve` as it begins: what it tells those who start it."""

import asyncio

import pytest

from cavendish.front.gateway import life
from cavendish.front.gateway.app import Gateway


@pytest.fixture(autouse=True)
def _ends_at_once(monkeypatch):
    """Served until it is ready, and no longer."""

    def run(gateway: Gateway, ready) -> None:
        async def shortly() -> None:
            await gateway.open()
            ready(gateway)
            await gateway.close()

        asyncio.run(shortly())

    monkeypatch.setattr(life, "run", run)


def test_it_says_where_it_is_and_that_without_a_key_nothing_is_spent(cavendish):
    ran = cavendish("serve", "--port", "0")
    assert ran.code == 0
    assert ran.out.startswith("http://127.0.0.1:")
    assert f"OPENAI_BASE_URL={ran.out.strip()}/v1" in ran.err
    assert "simulated: there is no key" in ran.err


def test_with_a_key_it_does_not(cavendish, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-secret")
    ran = cavendish("serve", "--port", "0")
    assert ran.code == 0
    assert "simulated" not in ran.err
    assert "secret" not in ran.out + ran.err
