"""Which pictures are of one kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.model.request import Image, ImageRequest
from cavendish.plan.kinds import FEW_TOKENS, Group, Kind

KITE = ImageRequest.of("a kite", "m", size="2K", n=4)
VASE = Image(blob=Blob("00", 1, "image/png", "vase.png"))


def test_a_kind_in_words():
    assert Kind.of(KITE).key == "m 2K n=4"
    full = ImageRequest.of(
        "a kite", "m", (VASE,), size="1K", aspect_ratio="16:9", quality="low", thinking="high", grounding=("web",)
    )
    assert Kind.of(KITE.having(system="x" * 1025)).key == "m 2K words=512 n=4"
    assert Kind.of(full).key == "m 1K 16:9 low thinking=high search=web references=1 n=1"


@pytest.mark.parametrize(
    "change",
    [{"model": "x"}, {"size": "1K"}, {"aspect_ratio": "1:1"}, {"thinking": "high"}, {"n": 5}, {"quality": "low"}],
)
def test_what_changes_price_or_time_is_another_kind(change):
    assert Kind.of(KITE.having(**change)).key != Kind.of(KITE).key


def test_a_seed_keeps_a_picture_alone():
    assert Kind.of(KITE.having(seed=7)).together == 1
    assert Kind.of(KITE.having(temperature=0.5)) == Kind.of(KITE)


@given(st.text(max_size=300).map(lambda words: words * 20))
def test_prompts_of_about_a_length_are_one_kind(words):
    tokens = Kind.of(ImageRequest.of(words, "m")).word_tokens
    need = len(words.encode()) / 4
    assert need <= tokens
    assert tokens == FEW_TOKENS or tokens < 2 * need


def test_a_group_knows_the_longest_and_what_is_there():
    group = Group(Kind.of(KITE), KITE)
    group.add()
    group.meet(ImageRequest.of("a kite!", "m", size="2K", n=4))
    group.meet(KITE)
    group.add()
    group.add(kept=True)
    assert (group.pictures, group.kept, group.longest.prompt) == (2, 1, "a kite!")
    assert group.asked_of("x").model == "x"
    assert group.asked_of("m") is group.longest
