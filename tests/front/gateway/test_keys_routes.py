"""By which endpoints a key's request goes, where several have the model."""

import pytest

from cavendish import config
from cavendish.catalog.load import load
from cavendish.front.build import Setup
from cavendish.front.gateway.keys.rules import Ways, ways_for
from cavendish.front.gateway.wants import Refused
from cavendish.front.routes import RouteWish
from cavendish.io.desk.keys import KeyRules
from cavendish.model.fault import FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Slot
from cavendish.plan.estimate import PriceBook

KITE = ImageRequest.of("a kite", "nano-banana-2")


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Keys for Google and for a relay that has its models for less."""
    for endpoint in ("google", "apiyi"):
        names = config.variables_of(endpoint, load().endpoints[endpoint])
        monkeypatch.setenv(names["api_key"][0], "a-key-of-nobody")
    return Setup()


def ways(setup: Setup, request: ImageRequest = KITE, **rules: object) -> Ways:
    routes = setup.routes(RouteWish())
    return ways_for(KeyRules(**rules), routes, request, lambda via: setup.routes(RouteWish(via=via)))  # type: ignore[arg-type]


def price(setup: Setup, endpoint: str) -> int:
    (resolved,) = setup.routes(RouteWish(via=(endpoint,))).resolve(KITE.model)
    estimate = PriceBook.of(resolved).estimate(Slot("", "", 0, 0, KITE))
    assert estimate is not None
    return estimate


def test_without_rules_it_goes_as_ever(setup: Setup) -> None:
    assert ways(setup).via == ()


@pytest.mark.parametrize("endpoint", ["google", "apiyi"])
def test_a_key_goes_by_its_own_route(setup: Setup, endpoint: str) -> None:
    usual = setup.routes(RouteWish()).resolve(KITE.model)[0].endpoint.name
    assert ways(setup, routes=(endpoint,)).via == (() if endpoint == usual else (endpoint,))


def test_a_ceiling_sends_a_key_to_the_cheaper_route(setup: Setup) -> None:
    dear, cheap = sorted(("google", "apiyi"), key=lambda name: -price(setup, name))
    assert price(setup, cheap) < price(setup, dear)
    usual = setup.routes(RouteWish()).resolve(KITE.model)[0].endpoint.name
    found = ways(setup, max_price_nusd=price(setup, cheap))
    assert found.via == (() if usual == cheap else (cheap,))
    assert found.least_nusd == price(setup, cheap)


def test_no_route_is_as_cheap(setup: Setup) -> None:
    with pytest.raises(Refused, match="may pay") as caught:
        ways(setup, max_price_nusd=1)
    assert caught.value.fault.kind is FaultKind.FORBIDDEN


def test_who_names_another_endpoint_is_not_sent_elsewhere(setup: Setup) -> None:
    named = ImageRequest.of("a kite", "google/nano-banana-2")
    with pytest.raises(Refused, match="may go by apiyi"):
        ways(setup, named, routes=("apiyi",))


def test_what_is_set_aside_is_for_all_pictures(setup: Setup) -> None:
    one, three = ways(setup), ways(setup, KITE.having(n=3))
    assert one.price_nusd is not None
    assert one.least_nusd is not None
    assert (three.price_nusd, three.least_nusd) == (3 * one.price_nusd, 3 * one.least_nusd)
    assert one.price_nusd >= one.least_nusd
