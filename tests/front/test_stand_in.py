"""Without a key, the simulator answers for every system: as that system speaks, and at its prices."""

from datetime import date

import pytest

from cavendish import RequestError
from cavendish.catalog.load import load
from cavendish.front.stand_in import stand_in

CATALOG = load()
TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    "model, dialect, cost",
    [
        ("seedream-4.5", "ark", 0.04),
        ("flux-1.1-pro", "bfl", 0.04),
        ("sim/flux-2-pro", "bfl", 0.03),
        ("gpt-image-2", "openai_images", None),
        ("imagen-4", "imagen", 0.04),
    ],
)
async def test_a_model_of_another_system_is_drawn_by_the_simulator(client, server, tmp_path, model, dialect, cost):
    found = stand_in(CATALOG, model, TODAY, None)
    assert found is not None
    assert found.endpoint.dialect == dialect
    result = await client.generate("a red kite", n=2, model=model, output=tmp_path / "run")
    assert result.simulated
    assert [picture.path.is_file() for picture in result.pictures] == [True, True]
    assert result.pictures[0].route.startswith("sim/")
    assert server.stats()["requests"] >= 1
    if cost is not None:
        assert result.pictures[0].cost == pytest.approx(cost)


@pytest.mark.parametrize("model", ["nano-banana-2", "nano-banana-pro", "no-such-model"])
def test_what_the_simulator_offers_itself_needs_no_other(model):
    assert stand_in(CATALOG, model, TODAY, None) is None


def test_the_simulator_s_own_address_stays_in_front():
    found = stand_in(CATALOG, "seedream-4.5", TODAY, None)
    assert found is not None
    assert found.endpoint.name == found.route.endpoint == "sim"
    assert found.endpoint.base_url == CATALOG.endpoints["sim"].base_url + "/ark/api/v3"
    assert not found.endpoint.needs_key
    assert found.endpoint.trusted_hosts == ()


async def test_a_model_that_nobody_has_is_still_an_error(client):
    with pytest.raises(RequestError, match="no-such-model"):
        await client.generate("a red kite", model="no-such-model")
