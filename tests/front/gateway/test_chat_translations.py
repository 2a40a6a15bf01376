"""Any request at the chat and Responses doors, sent on in any wire format to any model: nothing is lost unsaid."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.catalog.fit import fit, told
from cavendish.catalog.load import load
from cavendish.catalog.resolve import Resolved
from cavendish.errors import RequestError
from cavendish.front.gateway.doors.chat import telling
from cavendish.front.gateway.doors.chat_form import ChatForm
from cavendish.front.gateway.doors.responses_form import ResponsesForm
from cavendish.front.gateway.doors.wishes import ABOUT_THE_CALLER, lifted, meant
from cavendish.front.routes import speaks
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest
from cavendish.wire.dialect import Dialect
from cavendish.wire.message import WireRequest
from tests.dialects.openai_wire import over_the_wire
from tests.front.gateway.test_translations import TODAY, some_offers

CATALOG = load()
PROMPT = "a red kite"

shared: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(0, 2**31 - 1),
    "temperature": st.sampled_from([0, 0.5, 1]),
    "user": st.just("u-1"),
    "metadata": st.just({"a": "b"}),
}
chats = st.fixed_dictionaries(
    {"messages": st.just([{"role": "user", "content": PROMPT}])},
    optional={
        **shared,
        "n": st.integers(1, 9),
        "size": st.sampled_from(["1K", "2K", "1024x1024", "1536x1024"]),
        "image_config": st.fixed_dictionaries({}, optional={"aspect_ratio": st.sampled_from(["1:1", "16:9", "2:3"])}),
        "quality": st.sampled_from(["auto", "low", "high"]),
        "background": st.sampled_from(["auto", "transparent"]),
        "reasoning_effort": st.sampled_from(["minimal", "high"]),
        "include_reasoning": st.booleans(),
        "response_format": st.just({"type": "text"}),
        "unheard_of": st.integers(),
    },
)
tools = st.fixed_dictionaries(
    {"type": st.just("image_generation")},
    optional={
        "size": st.sampled_from(["auto", "1024x1024", "1536x1024", "2K"]),
        "quality": st.sampled_from(["auto", "low", "high"]),
        "background": st.sampled_from(["auto", "transparent"]),
        "output_compression": st.integers(0, 100),
        "input_fidelity": st.sampled_from(["low", "high"]),
        "n": st.integers(1, 9),
    },
)
responses = st.fixed_dictionaries(
    {"input": st.just(PROMPT), "tools": tools.map(lambda tool: [tool])},
    optional={**shared, "instructions": st.just("be brief"), "unheard_of": st.integers(), "top_p": st.just(1)},
)


def chat_asked(body: Mapping[str, Any], model: str) -> ImageRequest:
    request = over_the_wire(WireRequest("POST", "/chat/completions", {**body, "model": model}))
    call = ChatForm().read_call(request)
    assert isinstance(call, Open), call
    return telling(call.request)


def response_asked(body: Mapping[str, Any], model: str) -> ImageRequest:
    call = ResponsesForm().read_call(over_the_wire(WireRequest("POST", "/responses", {**body, "model": model})))
    assert isinstance(call, Open), call
    return call.request


def check(asked: ImageRequest, resolved: Resolved, dialect: Dialect) -> None:
    """Whatever was asked is at the other side, or is named in a notice; or it is refused with a reason."""
    wish = meant(lifted(asked), resolved, dialect, stream=False)
    try:
        fitted = fit(wish.request, resolved)
    except RequestError as error:
        if not (error.field and str(error)):
            pytest.fail("refused without a reason")
        return
    going = Open(told(fitted.request.having(n=1, model=resolved.route.wire_model), resolved))
    notices = (*wish.changed, *wish.told, *fitted.notices, *dialect.unsupported(going))
    fields = {(notice.field or "").removeprefix("extra.") for notice in notices}
    again = dialect.read_call(over_the_wire(dialect.write_call(going)))
    assert isinstance(again, Open), again
    assert again.request.prompt.endswith(PROMPT)
    for name in ("seed", "temperature", "quality", "system", "thinking", "include_thoughts"):
        wanted = getattr(asked, name)
        if wanted not in (None, False) and name not in fields and _has(name, resolved):
            assert getattr(again.request, name) == wanted, name
    for name, value in asked.extra.items():
        if name not in fields and value != "auto" and name not in ABOUT_THE_CALLER:
            assert again.request.extra.get(name) == value, name


def _has(name: str, resolved: Resolved) -> bool:
    """Whether it is the model's to choose: of one level or quality alone, nothing is said."""
    return name not in {"thinking", "quality"} or len(resolved.card.thinking if name == "thinking" else ()) > 1


@pytest.mark.parametrize("model, endpoint", some_offers())
@pytest.mark.parametrize("read, bodies", [(chat_asked, chats), (response_asked, responses)], ids=["chat", "responses"])
def test_nothing_is_lost_without_a_notice(
    model: str, endpoint: str, read: Callable[..., ImageRequest], bodies: st.SearchStrategy[dict[str, Any]]
) -> None:
    resolved = CATALOG.resolve(model, endpoint, TODAY)
    dialect = speaks(resolved.endpoint)

    @settings(max_examples=max(settings().max_examples // 10, 1))
    @given(bodies)
    def law(body: dict[str, Any]) -> None:
        check(read(body, model), resolved, dialect)

    law()
