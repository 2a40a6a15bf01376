"""Any request at the Images door, sent on in any wire format to any model: nothing is lost without a notice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.catalog.cards import ModelCard
from cavendish.catalog.fit import fit, pixels, told
from cavendish.catalog.load import load
from cavendish.catalog.resolve import Resolved
from cavendish.catalog.shape import read_pixels
from cavendish.errors import RequestError
from cavendish.front.gateway.doors.images_form import ImagesForm
from cavendish.front.gateway.doors.wishes import ABOUT_THE_CALLER, MAY_BE_AUTO, lifted, meant
from cavendish.front.routes import speaks
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest, Notice
from cavendish.wire.dialect import Dialect
from cavendish.wire.message import WireRequest
from tests.dialects.exchange import STORE, weighty
from tests.dialects.openai_wire import over_the_wire
from tests.strategies import images

CATALOG = load()
TODAY = date(2026, 11, 21)
DOOR = ImagesForm(spelling="server", max_n=100)
PROMPT = "a red kite"


def offers() -> list[Any]:
    """One of each pair of a model and an endpoint at which it is sold."""
    pairs = ((model, offer.endpoint) for model in CATALOG.models for offer in CATALOG.offers_of(model))
    return [pytest.param(model, place, id=f"{place}/{model}") for model, place in pairs if place != "sim"]


def some_offers() -> list[Any]:
    """The first three models of each endpoint: all of its formats, and models of each kind."""
    seen: dict[str, int] = {}
    kept: list[Any] = []
    for param in offers():
        endpoint = str(param.values[1])
        seen[endpoint] = seen.get(endpoint, 0) + 1
        if seen[endpoint] <= 3:
            kept.append(param)
    return kept


sides = st.sampled_from([256, 512, 768, 1000, 1024, 1536, 1792, 2048, 3000, 4096])
sizes = st.sampled_from(["auto", "512", "1K", "2K", "4K"]) | st.builds("{}x{}".format, sides, sides)
bodies = st.fixed_dictionaries(
    {"prompt": st.just(PROMPT)},
    optional={
        "n": st.integers(1, 100),
        "size": sizes,
        "aspect_ratio": st.sampled_from(["1:1", "16:9", "9:16", "2:3", "21:9"]),
        "quality": st.sampled_from(["auto", "low", "medium", "high", "hd", "standard", "xhigh"]),
        "output_format": st.sampled_from(["png", "jpeg", "webp", "jpg", "gif", "auto"]),
        "output_compression": st.integers(0, 100),
        "background": st.sampled_from(["auto", "transparent", "opaque"]),
        "moderation": st.sampled_from(["auto", "low"]),
        "style": st.sampled_from(["vivid", "natural"]),
        "user": st.just("u-1"),
        "safety_identifier": st.just("s-1"),
        "partial_images": st.integers(0, 3),
        "seed": st.integers(0, 2**31 - 1),
        "temperature": st.sampled_from([0, 0.5, 1]),
        "thinking": st.sampled_from(["minimal", "high", "HIGH"]),
        "grounding": st.sampled_from([True, False, ["web"], ["web", "image"]]),
        "system": st.just("be brief"),
        "stream": st.booleans(),
        "unheard_of": st.integers(),
    },
)


@dataclass(frozen=True)
class Sent:
    """What became of a body on its way: as the model is to have it, as the other side reads it, and what was told."""

    wanted: ImageRequest
    read: ImageRequest
    notices: tuple[Notice, ...]

    @property
    def fields(self) -> set[str]:
        return {(notice.field or "").removeprefix("extra.") for notice in self.notices}


def sent(body: Mapping[str, Any], resolved: Resolved, dialect: Dialect) -> Sent | None:
    """The whole way of a request; ``None`` where it is refused with a reason."""
    call = DOOR.read_call(over_the_wire(WireRequest("POST", "/images/edits", {**body, "model": resolved.card.id})))
    assert isinstance(call, Open), call
    wish = meant(lifted(call.request), resolved, dialect, stream=call.stream)
    try:
        fitted = fit(wish.request, resolved)
    except RequestError as error:
        return None if error.field and str(error) else pytest.fail("refused without a reason")
    going = Open(told(fitted.request.having(n=1, model=resolved.route.wire_model), resolved))
    notices = (*wish.changed, *wish.told, *fitted.notices, *dialect.unsupported(going))
    again = dialect.read_call(over_the_wire(dialect.write_call(going)))
    assert isinstance(again, Open), again
    return Sent(going.request, again.request, notices)


PLAIN = ("seed", "temperature", "quality", "output_format", "thinking", "system", "grounding")


def check(body: Mapping[str, Any], found: Sent, card: ModelCard) -> None:
    """Whatever was asked is at the other side, or is named in a notice."""
    assert found.read.prompt.endswith(PROMPT)
    for name in PLAIN:
        asked = _asked(name, body)
        if asked is not None and name not in found.fields:
            assert getattr(found.wanted, name) == asked or _only_one(name, asked, card), name
            assert getattr(found.read, name) == getattr(found.wanted, name), name
    for name in ("output_compression", "background", "style", "unheard_of", *ABOUT_THE_CALLER):
        if name in body and name not in found.fields and not (name in MAY_BE_AUTO and body[name] == "auto"):
            assert found.read.extra.get(name) == body[name], name
    check_shape(body, found, card)


def _asked(name: str, body: Mapping[str, Any]) -> Any:
    value = body.get(name)
    if value in (None, "auto", False):
        return None
    match name:
        case "thinking":
            return value.lower()
        case "grounding":
            return ("web",) if value is True else tuple(value)
        case "output_format":
            return {"jpg": "jpeg"}.get(value, value)
    return value


def _only_one(name: str, asked: str, card: ModelCard) -> bool:
    """A model gives its one format without being told."""
    return name == "output_format" and card.output_types == (f"image/{asked}",)


def check_shape(body: Mapping[str, Any], found: Sent, card: ModelCard) -> None:
    size, ratio = body.get("size", "auto"), body.get("aspect_ratio")
    if found.fields & {"size", "aspect_ratio"}:
        return
    will_be = pixels(card, found.wanted.size, found.wanted.aspect_ratio)
    assert pixels(card, found.read.size, found.read.aspect_ratio) == will_be or card.sends_size is False
    if (asked := read_pixels(size)) is not None:
        assert will_be == asked
    elif size != "auto":
        # The size that a model has anyway need not be said.
        assert will_be == pixels(card, size, ratio) or size == card.default_size
    if ratio is not None and will_be is not None:
        across, down = map(int, ratio.split(":"))
        assert abs(will_be[0] * down / (will_be[1] * across) - 1) < 0.1


@pytest.mark.parametrize("model,endpoint", some_offers())
@given(body=bodies, data=st.data())
@settings(max_examples=max(settings().max_examples // 5, 1))
def test_nothing_is_lost_on_the_way_to_any_model(model, endpoint, body, data):
    resolved = CATALOG.resolve(model, endpoint, TODAY)
    most = min(2, resolved.card.references.total)
    shown = data.draw(st.lists(images(thought=False).map(weighty), max_size=most))
    pictures = [{"image_url": _address(picture)} for picture in shown]
    found = sent({**body, "images": pictures} if pictures else body, resolved, speaks(resolved.endpoint))
    if found is None:
        return  # and why was told
    check(body, found, resolved.card)
    if "references" not in found.fields:
        assert len(found.read.references) == len(pictures)


def _address(picture: Any) -> str:
    if picture.blob is None:
        return picture.uri
    return f"data:{picture.blob.media_type};base64,{pybase64.b64encode(STORE.data[picture.blob.sha256]).decode()}"


@pytest.mark.parametrize("model,endpoint", offers())
@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536", "1792x1024", "2048x2048", "auto"])
def test_a_size_that_openai_s_clients_ask_for_is_never_refused(model, endpoint, size):
    resolved = CATALOG.resolve(model, endpoint, TODAY)
    body = {"prompt": PROMPT, "size": size, "images": [{"image_url": "https://x.example/a.png"}]}
    if not resolved.card.references.total:
        del body["images"]
    found = sent(body, resolved, speaks(resolved.endpoint))
    assert found is not None
    check_shape(body, found, resolved.card)


@pytest.mark.parametrize(
    "asked,size,ratio",
    [("1024x1536", "1K", "2:3"), ("1792x1024", "1K", "16:9"), ("3000x2000", "2K", "3:2"), ("4000x500", "1K", "8:1")],
)
def test_the_nearest_keeps_the_shape_first(asked, size, ratio):
    resolved = CATALOG.resolve("gemini-3.1-flash-image", "google", TODAY)
    wish = meant(ImageRequest.of("x", "m", size=asked), resolved, speaks(resolved.endpoint), stream=False)
    assert (wish.request.size, wish.request.aspect_ratio) == (size, ratio)
    assert [notice.code for notice in wish.changed] == ["size_nearest"]
