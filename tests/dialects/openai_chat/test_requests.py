"""Requests: what real clients send, what we send ourselves, and what is refused in OpenAI's words."""

import json

import pytest

from cavendish.dialects.openai_chat import OpenaiChatDialect
from cavendish.model.call import Cancel, Fetch, Open, Poll, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.wire.message import Spilled, WireRequest
from cavendish.wire.spill import Spiller
from tests.dialects.openai_wire import STORE, asked, over_the_wire, pictured_turns, request_of

from .cases import CHAT, TABLE

MODEL = TABLE.model
PATH = "/v1/chat/completions"
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
PNG = STORE.blob(b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png")
JPEG = STORE.blob(b"\xff\xd8\xff\xe0" + bytes(40), "image/jpeg")


def dialect_of(case):
    return OpenaiChatDialect(**case.get("options", {}))


@TABLE.cases("requests")
def test_what_clients_send_is_read(case):
    assert asked(dialect_of(case).read_call(request_of(case))) == {"model": "m", **pictured_turns(case["expect"])}


@TABLE.cases("requests")
def test_what_was_read_can_be_sent(case):
    dialect = dialect_of(case)
    call = dialect.read_call(request_of(case))
    assert isinstance(call, Open)
    assert not dialect.unsupported(call)
    assert dialect.read_call(over_the_wire(dialect.write_call(call))) == call


@TABLE.cases("requests")
def test_what_we_send_is_what_clients_send(case):
    """Member by member."""
    dialect = dialect_of(case)
    written = dialect.write_call(dialect.read_call(request_of(case)))
    assert written.path == "/chat/completions"
    # Some words we read and do not use.
    assert (STORE.text(written.body) == case["body"]) is not case.get("one_way", False)


# --- where things go -------------------------------------------------------------------------------------------------

ASKED = ImageRequest.of("kite", MODEL, size="2K", aspect_ratio="16:9")


@pytest.mark.parametrize(
    "where, members",
    [
        ("image_config", {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}}),
        ("google", {"extra_body": {"google": {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}}}}),
        ("top", {"aspect_ratio": "16:9", "image_size": "2K"}),
        ("none", {}),
    ],
)
def test_size_and_ratio_go_where_the_endpoint_has_them(where, members):
    dialect = OpenaiChatDialect(size_in=where, ratio_in=where)
    body = dialect.write_call(Open(ASKED)).body
    assert {name: value for name, value in body.items() if name not in {"model", "messages"}} == members
    told = [notice.field for notice in dialect.unsupported(Open(ASKED))]
    assert told == (["size", "aspect_ratio"] if where == "none" else [])


@pytest.mark.parametrize(
    "size, model, told",
    [
        ("2K", "m-2k", []),
        ("4K", "m-4k", []),
        ("512", "m-512px", []),
        ("1K", "m", []),
        (None, "m", []),
        ("1024x1024", "m", ["size"]),
        ("auto", "m", ["size"]),
    ],
)
def test_a_size_may_be_part_of_the_models_name(size, model, told):
    dialect = OpenaiChatDialect(size_in="suffix", ratio_in="top")
    call = Open(ImageRequest.of("x", "m", size=size, aspect_ratio="1:1"))
    body = dialect.write_call(call).body
    assert (body["model"], body["aspect_ratio"], "image_size" in body) == (model, "1:1", False)
    assert [notice.field for notice in dialect.unsupported(call)] == told


@pytest.mark.parametrize("model", ["m-2kilo", "2k", "-2k", "gpt-4", "m-8K", "m-4k-preview"])
def test_only_a_size_at_the_end_is_a_suffix(model):
    call = OpenaiChatDialect(size_in="suffix").read_call(WireRequest("POST", PATH, {**PLAIN, "model": model}))
    assert isinstance(call, Open)
    expect = ("m", "8K") if model == "m-8K" else (model, None)
    assert (call.request.model, call.request.size) == expect


@pytest.mark.parametrize(
    "where, members, told",
    [
        ("effort", {"reasoning_effort": "high", "include_reasoning": True}, []),
        (
            "google",
            {"extra_body": {"google": {"thinking_config": {"thinking_level": "high", "include_thoughts": True}}}},
            [],
        ),
        ("none", {}, ["thinking", "include_thoughts"]),
    ],
)
def test_thinking_goes_where_the_endpoint_has_it(where, members, told):
    dialect = OpenaiChatDialect(thinking_in=where)
    call = Open(ImageRequest.of("kite", "m", thinking="high", include_thoughts=True))
    body = dialect.write_call(call).body
    assert {name: value for name, value in body.items() if name not in {"model", "messages"}} == members
    assert [notice.field for notice in dialect.unsupported(call)] == told


def test_pictures_are_asked_for_where_they_must_be():
    dialect = OpenaiChatDialect(modalities=True)
    assert dialect.write_call(Open(ImageRequest.of("x", "m"))).body["modalities"] == ["image", "text"]
    told = ImageRequest.of("x", "m", modalities=("IMAGE",))
    assert dialect.write_call(Open(told)).body["modalities"] == ["image"]
    assert "modalities" not in CHAT.write_call(Open(ImageRequest.of("x", "m"))).body


def test_nothing_is_sent_that_was_not_asked_for():
    body = CHAT.write_call(Open(ImageRequest.of("kite", "m"))).body
    assert body == {"model": "m", "messages": [{"role": "user", "content": "kite"}]}


def test_all_that_a_request_can_say():
    request = ImageRequest.of(
        "kite",
        "m",
        (Image(blob=JPEG), Image(uri="https://x.example/a")),
        n=2,
        system="ink",
        seed=0,
        temperature=0.0,
        extra={"top_p": 0.9, "messages": [], "step": 5, "watermark": True, "image_config": {"strength": 1}},
        size="2K",
    )
    dialect = OpenaiChatDialect(members=["step"])
    assert dialect.write_call(Open(request, stream=True)).body == {
        "top_p": 0.9,
        "step": 5,
        "image_config": {"strength": 1, "image_size": "2K"},
        "model": "m",
        "messages": [
            {"role": "system", "content": "ink"},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": Spilled(("data:image/jpeg;base64,", JPEG))}},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a"}},
                    {"type": "text", "text": "kite"},
                ],
            },
        ],
        "n": 2,
        "seed": 0,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert [notice.field for notice in dialect.unsupported(Open(request))] == ["extra.messages", "extra.watermark"]


# --- conversations ---------------------------------------------------------------------------------------------------

CONVERSATION = (
    Turn(Role.USER, (Text("a logo"),)),
    Turn(Role.MODEL, (Text("Hm.", thought=True), Text("There."), Image(blob=PNG, signature="s"))),
    Turn(Role.USER, (Text("bluer"),)),
)
PART = {"type": "image_url", "image_url": {"url": Spilled(("data:image/png;base64,", PNG))}}


@pytest.mark.parametrize(
    "history, messages",
    [
        (
            "images",
            [
                {"role": "assistant", "content": "There.", "images": [{**PART, "index": 0}]},
                {"role": "user", "content": "bluer"},
            ],
        ),
        (
            "markdown",
            [
                {
                    "role": "assistant",
                    "content": Spilled(("There.\n\n![image](data:image/png;base64,", PNG, ")")),
                },
                {"role": "user", "content": "bluer"},
            ],
        ),
        (
            "user",
            [
                {"role": "assistant", "content": "There."},
                {"role": "user", "content": [PART, {"type": "text", "text": "bluer"}]},
            ],
        ),
    ],
)
def test_earlier_pictures_go_where_the_endpoint_has_them(history, messages):
    call = Open(ImageRequest(CONVERSATION, "m"))
    dialect = OpenaiChatDialect(history=history)
    body = dialect.write_call(call).body
    assert body["messages"] == [{"role": "user", "content": "a logo"}, *messages]
    assert [notice.field for notice in dialect.unsupported(call)] == ["thoughts", "signature"]


def test_a_model_that_speaks_after_its_picture_is_heard_before_it():
    turns = (Turn(Role.MODEL, (Image(blob=PNG), Text("There."))), Turn(Role.USER, (Text("x"),)))
    call = Open(ImageRequest(turns, "m"))
    assert [notice.field for notice in CHAT.unsupported(call)] == ["order"]
    assert not OpenaiChatDialect(history="markdown").unsupported(call)


def test_a_turn_without_a_word():
    turns = (Turn(Role.USER, ()), Turn(Role.MODEL, ()), Turn(Role.USER, (Text("a"), Text("b"))))
    body = CHAT.write_call(Open(ImageRequest(turns, "m"))).body
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [message["content"] for message in body["messages"]] == ["", "", texts]


def test_what_cannot_be_said_is_told():
    request = ImageRequest.of(
        "x", "m", (Image(blob=PNG, use=Use.STYLE),), quality="high", output_format="png", grounding=("web",)
    )
    told = [notice.field for notice in CHAT.unsupported(Open(request))]
    assert told == ["grounding", "quality", "output_format", "use"]
    assert not CHAT.unsupported(Fetch("https://x.example"))


def test_fetching_goes_where_the_answer_said_and_jobs_are_not_known():
    assert CHAT.write_call(Fetch("https://cdn.example/a?b=c")) == WireRequest("GET", "https://cdn.example/a?b=c")
    assert CHAT.read_call(WireRequest("GET", "/files/1", query=(("a", "b c"),))) == Fetch("/files/1?a=b+c")
    for call in (Poll(Ticket("1")), Cancel(Ticket("1"))):
        with pytest.raises(ValueError, match="no stored jobs"):
            CHAT.write_call(call)


@pytest.mark.parametrize(
    "options",
    [
        {"size_in": "x"},
        {"ratio_in": "suffix"},
        {"thinking_in": "x"},
        {"history": "x"},
        {"answers": "x"},
    ],
)
def test_options_that_there_are_not(options):
    with pytest.raises(TypeError, match="no such way"):
        OpenaiChatDialect(**options)


# --- every place is read, whatever the options are -------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}},
        {"image_config": {"aspectRatio": "16:9", "imageSize": "2K"}},
        {"extra_body": {"google": {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}}}},
        {"google": {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}}},
        {"aspect_ratio": "16:9", "image_size": "2K"},
        {"aspect_ratio": "16:9", "size": "2K"},
    ],
)
def test_size_and_ratio_are_found(members):
    call = CHAT.read_call(WireRequest("POST", PATH, {**PLAIN, **members}))
    assert call == Open(ImageRequest.of("x", "m", size="2K", aspect_ratio="16:9"))


def test_a_nested_object_that_is_none_is_passed_on():
    call = CHAT.read_call(WireRequest("POST", PATH, {**PLAIN, "extra_body": {"google": 5}}))
    assert call == Open(ImageRequest.of("x", "m", extra={"extra_body": {"google": 5}}))


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSED = [
    ({"model": ""}, "missing_required_parameter", "'model'"),
    ({"messages": []}, "missing_required_parameter", "'messages'"),
    ({"n": 0}, "integer_below_min_value", ">= 1"),
    ({"n": "many"}, "invalid_type", "'n'"),
    ({"seed": 1.5}, "invalid_type", "'seed'"),
    ({"modalities": ["audio"]}, "invalid_value", "'modalities'"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_value", "'tool'"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "invalid_value", "messages[0].content[0]"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "invalid_image_url",
        "messages[0].content[0]",
    ),
    ({"messages": [{"role": "assistant", "images": [{}]}]}, "invalid_image_url", "messages[0].images[0]"),
    ({"top_p": float("inf")}, "invalid_value", "not finite"),
]


@pytest.mark.parametrize("members, code, words", REFUSED)
def test_what_openai_refuses_is_refused_in_its_words(members, code, words):
    spiller = Spiller(STORE.new_blob)
    spiller.feed(json.dumps({**PLAIN, **members}).encode())
    fault = CHAT.read_call(WireRequest("POST", PATH, spiller.close()))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status, fault.reason) == (FaultKind.INVALID_REQUEST, 400, code)
    assert words in fault.message


@pytest.mark.parametrize("body", [None, [], "x", 5, {}])
def test_a_body_that_is_none(body):
    fault = CHAT.read_call(WireRequest("POST", PATH, body))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INVALID_REQUEST


@pytest.mark.parametrize(
    "method, path", [("POST", "/v1/completions"), ("POST", "/v1/images/edits"), ("PUT", PATH), ("POST", "")]
)
def test_other_paths_are_not_found(method, path):
    fault = CHAT.read_call(WireRequest(method, path, PLAIN))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status) == (FaultKind.MODEL_NOT_FOUND, 404)


def test_every_case_says_where_it_is_from():
    for name in ("requests", "pictures", "refusals", "errors", "streams"):
        table = TABLE.load(name)
        assert len({case["name"] for case in table}) == len(table)
        assert all(case["source"] and case["date"].startswith("202") and "verified" in case for case in table)
