"""``cavendish sim``: what it prints is what a client needs."""

import pytest

from cavendish.catalog.load import load
from cavendish.front.cli.sim import variable_of
from cavendish.sim import server as sim_server
from cavendish.sim.profile import load_profile
from cavendish.sim.systems import SYSTEMS
from tests.commandline import cavendish

__all__ = ["cavendish"]


@pytest.fixture
def served(monkeypatch):
    """Stands in for the serving: opens, tells the address, and is interrupted. Gives what was asked for."""
    asked = {}

    async def serve(profile, *, on_ready, **others):
        asked.update(profile=profile, **others)
        server = await sim_server.start_server(profile, others=others["others"])
        on_ready(server)
        await server.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(sim_server, "serve", serve)
    return asked


def test_every_system_has_its_address(cavendish, served):
    ran = cavendish("sim", "--port", 0, "--profile", "fast", "--json")
    assert ran.code == 0
    urls = ran.json["systems"]
    assert set(urls) == {system.endpoint for system in SYSTEMS} | {load_profile("fast").endpoint}
    assert all(url.startswith(ran.json["url"]) for url in urls.values())
    assert urls["openai"].endswith("/openai/v1")
    for name, url in urls.items():
        assert f"{variable_of(name)}={url}" in ran.err


def test_plainly_the_address_alone_goes_to_the_output(cavendish, served):
    ran = cavendish("sim", "--port", 0, "--profile", "fast", "--profile", "openai")
    assert ran.out.startswith("http://127.0.0.1:")
    assert len(ran.out.split()) == 1
    assert (served["profile"], list(served["others"])) == ("fast", ["openai"])


def test_the_variables_are_those_that_clients_know():
    assert variable_of("fal-direct") == "CAVENDISH_FAL_DIRECT_BASE_URL"
    assert {system.endpoint for system in SYSTEMS} <= set(load().endpoints)
