"""Several pictures in one call: each may be refused alone, all are counted; what is told differs by system."""

from dataclasses import replace
from typing import Any

import pytest

from cavendish.catalog.cards import Offer, PriceCard
from cavendish.model.call import Done, Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.money import nusd
from cavendish.model.request import ImageRequest, Text
from cavendish.sim.menu import Menu
from cavendish.sim.profile import read_profile
from cavendish.sim.provider import SimProvider
from cavendish.sim.shelves import MemoryShelf
from tests.sim.menus import PLAIN, WALL, profile

K = FaultKind
PIECES = PriceCard("standard", input=0, output_text=0, per_picture={"1K": nusd("0.04"), "high/1K": nusd("0.09")})


def several(*, price=PIECES, how="parallel", **fields) -> SimProvider:
    offer = Offer("plain", "test", "plain", prices={"standard": price}, pictures_per_call=10, several=how)
    return SimProvider(profile(**fields), Menu((PLAIN,), (offer,)), MemoryShelf(), mode="tiny")


def ask(sim, prompt="a kite", n=4, now=0.0, *, stream=False, **fields) -> Any:
    return sim.handle(Open(ImageRequest.of(prompt, "plain", n=n, **fields), stream), "good", now, WALL)


def test_n_pictures_are_n_different_ones_and_billed_each():
    sim = several(quirks={"counts": ("images",)})
    planned = ask(sim)
    assert isinstance(planned.reply, Done)
    assert len({picture.blob.sha256 for picture in planned.reply.pictures if picture.blob}) == 4
    assert planned.reply.usage.images == 4
    assert planned.billed_nusd == sim.books.billed_nusd == 4 * nusd("0.04")
    assert sim.stats(0.0, WALL)["pictures"] == 4
    assert ask(sim, n=1, quality="high").billed_nusd == nusd("0.09")


def test_a_seed_gives_the_same_several_again():
    sim = several()
    first, again = (ask(sim, seed=7).reply.pictures for _ in range(2))
    assert [p.blob.sha256 for p in first] == [p.blob.sha256 for p in again]
    assert len({p.blob.sha256 for p in first}) == 4


@pytest.mark.parametrize(
    "quirks, pictures, told", [({}, 2, 2), ({"says_why": False}, 2, 0), ({"refuses_as": (K.PROHIBITED,)}, 2, 2)]
)
def test_some_are_refused(quirks, pictures, told):
    planned = ask(several(quirks=quirks), "a kite [sim:image_safety,hits=2]")
    assert len(planned.reply.pictures) == pictures
    assert len(planned.reply.shortfall) == told
    kind = quirks.get("refuses_as", (K.IMAGE_SAFETY,))[0]
    assert {fault.kind for fault in planned.reply.shortfall} <= {kind}
    assert planned.billed_nusd == pictures * nusd("0.04")


@pytest.mark.parametrize("words, quirks", [("image_safety", {}), ("image_safety,hits=1", {"whole_or_none": True})])
def test_all_are_refused_together(words, quirks):
    planned = ask(several(quirks={"bills": frozenset(), **quirks}), f"a kite [sim:{words}]")
    assert isinstance(planned.reply, Fault)
    assert (planned.reply.kind, planned.billed_nusd) == (K.IMAGE_SAFETY, 0)


def test_black_pictures_are_an_answer():
    planned = ask(several(quirks={"black_pictures": True, "bills": frozenset()}), "a kite [sim:image_safety]", n=2)
    assert isinstance(planned.reply, Done)
    assert (len(planned.reply.pictures), len(planned.reply.shortfall)) == (0, 2)
    assert (planned.outcome, planned.billed_nusd) == ("image_safety", 0)


def test_an_answer_may_be_short_without_a_word():
    planned = ask(several(), "a kite [sim:short,hits=3]")
    assert (len(planned.reply.pictures), planned.reply.shortfall) == (1, ())
    assert ask(several(), "a kite [sim:short]").reply.kind is K.NO_IMAGE


def test_chance_refuses_single_pictures():
    sim = several(faults={"image_safety": 0.3})
    replies = [ask(sim, prompt=f"kite {i}").reply for i in range(60)]
    drawn = sum(len(reply.pictures) for reply in replies if isinstance(reply, Done))
    assert {len(reply.pictures) for reply in replies if isinstance(reply, Done)} >= {1, 2, 3, 4}
    assert 0.6 < drawn / 240 < 0.8


def test_a_series_takes_as_long_as_its_pictures():
    latency = {"any": [10.0, 10.0]}
    times = read_profile({"name": "x", "latency": latency}).latency
    assert ask(several(how="serial", latency=times)).latency_s == pytest.approx(40)
    assert ask(several(how="parallel", latency=times)).latency_s == pytest.approx(10)


def test_a_quota_of_pictures_counts_n_at_once():
    sim = several(quota={"images_per_minute": 5})
    assert ask(sim, n=3).outcome == "ok"
    assert ask(sim, n=3, now=20.0).reply.retry_after_s == pytest.approx(40, abs=0.002)
    assert ask(sim, n=2, now=20.0).outcome == "ok"


def test_previews_come_only_with_a_stream():
    sim = several(quirks={"speaks": False})
    assert len(ask(sim, n=2, stream=True, extra={"partial_images": 2}).reply.parts) == 6
    assert len(ask(sim, n=2, extra={"partial_images": 2}).reply.parts) == 2


def test_a_system_that_does_not_speak_says_nothing_and_gives_an_address_as_one():
    sim = several(quirks={"speaks": False})
    for fault in ("none", "drafts", "thoughts", "big_signature"):
        assert not [part for part in ask(sim, f"a kite [sim:{fault}]", n=1).reply.parts if isinstance(part, Text)]
    (picture,) = ask(sim, "a kite [sim:url]", n=1).reply.pictures
    assert picture.uri


def test_tokens_come_from_the_list_price_where_the_model_states_none():
    price = PriceCard("standard", input=0, output_image=nusd(30), per_picture={"1K": nusd("0.06")})
    card = replace(PLAIN, sizes={"1K": replace(PLAIN.sizes["1K"], output_tokens=0)})
    offer = Offer("plain", "test", "plain", prices={"standard": price}, pictures_per_call=2)
    sim = SimProvider(profile(), Menu((card,), (offer,)), MemoryShelf(), mode="tiny")
    planned = ask(sim, n=2)
    assert planned.reply.usage.output_image_tokens == 4000
    assert planned.billed_nusd == nusd("0.12")
