"""`cavendish serve` as it begins: what it tells those who start it."""

import asyncio
import socket

import pytest

from cavendish.front.gateway import life
from cavendish.front.gateway.app import Gateway


@pytest.fixture(autouse=True)
def _ends_at_once(monkeypatch):
    """Served until it is ready, and no longer."""

    def run(gateway: Gateway, ready) -> None:
        async def shortly() -> None:
            try:
                await gateway.open()
                ready(gateway)
            finally:
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


@pytest.mark.parametrize("command", ["serve", "sim"])
def test_an_address_that_somebody_has_is_told(cavendish, command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = cavendish(command, "--port", port)
    assert ran.code == 2
    assert f"127.0.0.1:{port} is in use" in ran.err
    assert "--port 0 takes a free one" in ran.err
