"""Laws of the Images dialect: what is written is read, in each spelling."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.openai_images import OpenaiImagesDialect
from cavendish.model.call import Done, Open
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Part, Text, Use
from tests import strategies
from tests.dialects.exchange import sayable, weighty
from tests.dialects.openai_wire import over_the_wire, typed

from .cases import TABLE

K = FaultKind

extras = st.fixed_dictionaries(
    {},
    optional={
        "background": st.sampled_from(["auto", "transparent"]),
        "output_compression": st.integers(0, 100),
        "partial_images": st.integers(0, 3),
        "svg": st.just({"model": "m", "reasoning": {"effort": "low"}}),
        "user": st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
        "watermark": st.booleans(),
        "prompt": st.text(),
    },
)
dialects = st.builds(
    OpenaiImagesDialect,
    spelling=st.sampled_from(["openai", "server", "openrouter"]),
    references=st.sampled_from(["form", "json"]),
)


def said_by(dialect: OpenaiImagesDialect, call: Open) -> Open:
    said = sayable(dialect, call, "system")
    turn = said.request.turns[0]
    pictures = [part for part in turn.parts if isinstance(part, Image)]
    words = [part for part in turn.parts if isinstance(part, Text)]
    # There is a place for one mask, of a picture.
    masks = [image for image in call.request.references if image.use is Use.MASK and pictures][:1]
    if dialect.spelling == "openrouter":
        return said
    masks = [replace(weighty(mask), thought=False) for mask in masks]
    return replace(said, request=said.request.having(turns=(replace(turn, parts=(*pictures, *masks, *words)),)))


@given(dialect=dialects, call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(dialect, call):
    call = replace(call, request=_fit(call.request))
    assert dialect.read_call(over_the_wire(dialect.write_call(call))) == said_by(dialect, call)


def _fit(request: ImageRequest) -> ImageRequest:
    """A prompt there must be; pictures of enough bytes to be told from words."""
    turns = tuple(replace(turn, parts=tuple(map(_weighty, turn.parts))) for turn in request.turns)
    last = replace(turns[-1], parts=(*turns[-1].parts, Text("kite")))
    return request.having(turns=(*turns[:-1], last))


def _weighty(part: Part) -> Part:
    return weighty(part) if isinstance(part, Image) else part


refusals = st.builds(
    lambda kind, message: Fault(kind, message or "no", charged=Charged.UNKNOWN, reason="x", status=200),
    st.sampled_from([K.IMAGE_SAFETY, K.NO_IMAGE, K.SERVER_ERROR]),
    st.text(max_size=20),
)


@given(done=strategies.dones(st.just(""), refusals), stream=st.booleans(), cost=st.none() | st.integers(0, 10**12))
def test_an_answer_that_is_written_is_read(done, stream, cost):
    done = replace(done, grounding=None, usage=replace(done.usage, cost_nusd=cost), **_listed(done, stream=stream))
    again = TABLE.resent(done, TABLE.ask(len(done.finals) + len(done.shortfall), stream=stream))
    assert again == done


def _listed(done: Done, *, stream: bool) -> dict[str, Any]:
    """Before each picture its drafts, where there are events, and the words said aloud, as one text."""
    parts: list[Part] = []
    finals: list[int] = []
    start = 0
    for final in done.finals:
        before = [typed(part) for part in done.parts[start:final] if not part.thought]
        parts += [part for part in before if stream and isinstance(part, Image)]
        words = "\n".join(part.text for part in before if isinstance(part, Text))
        parts += [Text(words)] if words else []
        finals.append(len(parts))
        parts.append(typed(done.parts[final]))
        start = final + 1
    return {"parts": tuple(parts), "finals": tuple(finals)}


def test_bytes_too_few_for_a_picture_are_not_lost_in_a_data_uri():
    call = Open(ImageRequest.of("x", "m", (Image(blob=strategies.PICTURES.blob(b"\x89PNG\r\n\x1a\n" + bytes(40))),)))
    dialect = OpenaiImagesDialect(references="json")
    again = dialect.read_call(over_the_wire(dialect.write_call(call)))
    assert isinstance(again, Open)
    assert again.request.references[0].blob == call.request.references[0].blob
