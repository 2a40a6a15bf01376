"""Laws of the chat dialect: what is written is read, in each spelling."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.openai_chat import OpenaiChatDialect
from cavendish.model.call import Done, Open
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Part, Role, Text, Turn
from tests import strategies
from tests.dialects.exchange import weighty
from tests.dialects.openai_wire import over_the_wire, typed

from .cases import TABLE

K = FaultKind

extras = st.fixed_dictionaries(
    {},
    optional={
        "top_p": st.floats(0, 1),
        "stop": st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=2),
        "image_config": st.just({"strength": 0.5}),
        "extra_body": st.sampled_from([{"google": {"cached_content": "c"}}, {"google": {"image_config": {"x": 1}}}]),
        "watermark": st.booleans(),
        "messages": st.just([]),
    },
)
wheres = st.sampled_from(["image_config", "google", "top", "none"])
dialects = st.builds(
    OpenaiChatDialect,
    size_in=wheres | st.just("suffix"),
    ratio_in=wheres,
    thinking_in=st.sampled_from(["effort", "google", "none"]),
)


def sayable(dialect: OpenaiChatDialect, call: Open) -> Open:
    """The call without what the dialect says it has no word for."""
    unsaid = {notice.field or "" for notice in dialect.unsupported(call)}
    request = call.request
    fields = ("size", "aspect_ratio", "thinking", "quality", "output_format")
    empty: dict[str, Any] = {name: None for name in fields if name in unsaid}
    empty["grounding"] = ()
    if "include_thoughts" in unsaid:
        empty["include_thoughts"] = False
    if dialect.size_in == "suffix" and request.size == "1K":  # the plain id stands for it
        empty["size"] = None
    said = request.having(
        **empty,
        turns=tuple(map(_said, request.turns)),
        extra={name: value for name, value in request.extra.items() if f"extra.{name}" not in unsaid},
    )
    return replace(call, request=said)


def _said(turn: Turn) -> Turn:
    """Without thoughts; a model's words before its pictures."""
    parts = [_plain(part) for part in turn.parts if not part.thought]
    if turn.role is Role.MODEL:
        parts.sort(key=lambda part: isinstance(part, Image))
    return replace(turn, parts=tuple(parts))


def _plain(part: Part) -> Part:
    return replace(weighty(part), use=None) if isinstance(part, Image) else replace(part, signature=None)


def _fit(request: ImageRequest) -> ImageRequest:
    turns = tuple(
        replace(turn, parts=tuple(weighty(p) if isinstance(p, Image) else p for p in turn.parts))
        for turn in request.turns
    )
    return request.having(turns=turns)


@given(dialect=dialects, call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(dialect, call):
    call = replace(call, request=_fit(call.request))
    assert dialect.read_call(over_the_wire(dialect.write_call(call))) == sayable(dialect, call)


# --- answers ---------------------------------------------------------------------------------------------------------

refusals = st.builds(
    lambda kind, message, text: Fault(kind, message or "no", Charged.UNKNOWN, reason="x", status=200, text=text),
    st.sampled_from([K.IMAGE_SAFETY, K.NO_IMAGE, K.SERVER_ERROR, K.PROHIBITED]),
    st.text(max_size=20),
    st.text(max_size=20),
)


@given(
    done=strategies.dones(st.sampled_from(["stop", "length"]), refusals),
    stream=st.booleans(),
    cost=st.none() | st.integers(0, 10**12),
)
def test_an_answer_that_is_written_is_read(done, stream, cost):
    done = replace(done, grounding=None, usage=replace(done.usage, cost_nusd=cost), **_spoken(done))
    again = TABLE.resent(done, TABLE.ask(len(done.finals) + len(done.shortfall), stream=stream))
    # Alone, a choice may hold all pictures that were asked for.
    assert (again.pictures if done.shortfall or len(done.finals) > 1 else again.pictures[-1:]) == done.pictures
    assert replace(again, finals=done.finals) == done


def _spoken(done: Done) -> dict[str, Any]:
    """For each picture its thoughts as one text, its words as one, its drafts, and the picture."""
    parts: list[Part] = []
    finals: list[int] = []
    start = 0
    for number, final in enumerate(done.finals, start=1):
        besides = [*done.parts[start:final], *(done.parts[final + 1 :] if number == len(done.finals) else ())]
        for thought in (True, False):
            said = [part.text for part in besides if isinstance(part, Text) and part.thought is thought]
            parts += [Text("\n".join(said), thought=thought)] if said else []
        parts += [_picture(part) for part in besides if isinstance(part, Image) and not part.thought]
        finals.append(len(parts))
        parts.append(_picture(done.parts[final]))
        start = final + 1
    return {"parts": tuple(parts), "finals": tuple(finals)}


def _picture(part: Part) -> Part:
    assert isinstance(part, Image)
    return typed(weighty(part))


WITHOUT_PICTURE = (K.TEXT_ONLY, K.NO_IMAGE, K.IMAGE_SAFETY, K.IMAGE_OTHER, K.PROHIBITED, K.MAX_TOKENS)


@given(kind=st.sampled_from(WITHOUT_PICTURE), fault=strategies.faults, stream=st.booleans())
def test_a_refusal_that_is_written_is_read(kind, fault, stream):
    fault = replace(fault, kind=kind)
    again = TABLE.resent(fault, TABLE.ask(stream=stream))
    assert isinstance(again, Fault)
    kept = ("kind", "charged", "message", "text", "usage")
    assert {name: getattr(again, name) for name in kept} == {name: getattr(fault, name) for name in kept}
