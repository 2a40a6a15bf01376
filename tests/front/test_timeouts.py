"""The time that a size needs reaches the call, in whatever words the provider is told the size."""

from datetime import date

import pytest

from cavendish.catalog.load import load
from cavendish.catalog.shape import word_for
from cavendish.front.build import _call
from cavendish.io.http.exchange import Timeouts
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest
from cavendish.model.result import Slot

CATALOG = load()
SLOW = [offer for offer in CATALOG.offers.values() if offer.timeout_by_size]


@pytest.mark.parametrize("offer", SLOW, ids=lambda offer: f"{offer.endpoint}-{offer.model}")
@pytest.mark.parametrize("ratio", [None, "16:9"])
def test_each_size_has_its_time(offer, ratio):
    resolved = CATALOG.resolve(offer.model, offer.endpoint, date(2026, 11, 1))
    timeouts = Timeouts(whole_s=offer.timeout_s, whole_by_size=offer.timeout_by_size)
    for size in (None, *resolved.card.sizes):
        request = ImageRequest.of("a kite", offer.model, size=size, aspect_ratio=ratio)
        call = _call(Slot("f.0", "", 0, 0, request), 1, resolved)
        assert isinstance(call, Open)
        wanted = offer.timeout_by_size.get(word_for(resolved.card, size), offer.timeout_s)
        assert timeouts.of_size(call.request.size).whole_s == wanted


def test_there_are_some():
    assert {size for offer in SLOW for size in offer.timeout_by_size} == {"4K"}
