"""Requests: what real clients send, what we send ourselves, and what is refused in OpenAI's words."""

from dataclasses import replace

import pytest

from cavendish.dialects.openai_images import OpenaiImagesDialect
from cavendish.model.call import Cancel, Fetch, Open, Poll, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.wire.message import Field, Form, Spilled, WireRequest
from tests.dialects.openai_wire import STORE, asked, over_the_wire, pictured_turns, request_of, uses

from .cases import IMAGES, TABLE

MODEL = TABLE.model
PICTURE = STORE.blob(b"\xff\xd8\xff\xe0a", "image/jpeg")
PNG = STORE.blob(b"\x89PNG\r\n\x1a\nb", "image/png")


def dialect_of(case):
    return OpenaiImagesDialect(
        spelling=case.get("spelling", "openai"),
        references=case.get("references", "form"),
        members=case.get("members", ()),
    )


@TABLE.cases("requests")
def test_what_clients_send_is_read(case):
    call = IMAGES.read_call(request_of(case))
    expect = {"model": "m", **pictured_turns(case["expect"])}
    wanted_uses = expect.pop("uses", None)
    assert asked(call) == expect
    assert isinstance(call, Open)
    assert wanted_uses is None or list(uses(call)) == wanted_uses
    assert wanted_uses or not any(uses(call))


@TABLE.cases("requests")
def test_what_was_read_can_be_sent(case):
    call = IMAGES.read_call(request_of(case))
    assert isinstance(call, Open)
    dialect = dialect_of(case)
    assert not dialect.unsupported(call)
    assert dialect.read_call(over_the_wire(dialect.write_call(call))) == call


@TABLE.cases("requests")
def test_what_we_send_is_what_clients_send(case):
    """Field by field, but for words that say nothing and the order of a form's fields."""
    call = IMAGES.read_call(request_of(case))
    assert isinstance(call, Open)
    written = dialect_of(case).write_call(call)
    sent = over_the_wire(written).body
    meant = request_of(case).body
    if isinstance(meant, Form):
        assert isinstance(sent, Form)
        same = sorted(_shown(sent)) == sorted(_shown(meant))
    else:
        same = sent == {name: value for name, value in meant.items() if (name, value) != ("size", "auto")}
    # Some words we read and do not use.
    assert (same and case["path"].endswith(written.path)) is not case.get("one_way", False)


def _shown(form):
    names = [field.name for field in form.fields]
    several = sum(name in {"image", "image[]"} for name in names) > 1
    for field in form.fields:
        name = "image[]" if several and field.name == "image" else field.name
        yield name, field.value if isinstance(field.value, str) else field.value.sha256


def test_all_that_a_request_can_say_in_json():
    request = ImageRequest.of(
        "kite",
        MODEL,
        n=3,
        size="1536x1024",
        quality="high",
        output_format="webp",
        extra={"background": "transparent", "watermark": True},
    )
    written = IMAGES.write_call(Open(request, stream=True))
    assert (written.method, written.path, written.query) == ("POST", "/images/generations", ())
    assert written.body == {
        "background": "transparent",
        "model": MODEL,
        "prompt": "kite",
        "n": 3,
        "size": "1536x1024",
        "quality": "high",
        "output_format": "webp",
        "stream": True,
    }


def test_nothing_is_sent_that_was_not_asked_for():
    assert IMAGES.write_call(Open(ImageRequest.of("kite", MODEL))).body == {"model": MODEL, "prompt": "kite"}


def test_an_edit_is_a_form():
    references = (Image(blob=PICTURE), Image(blob=PNG, media_type="image/png"), Image(blob=PNG, use=Use.MASK))
    written = IMAGES.write_call(
        Open(ImageRequest.of("merge", MODEL, references, n=2, extra={"output_compression": 70}))
    )
    assert written.path == "/images/edits"
    assert written.body == Form(
        (
            Field("output_compression", "70"),
            Field("model", MODEL),
            Field("prompt", "merge"),
            Field("n", "2"),
            Field("image[]", PICTURE, "image-1.jpg", "image/jpeg"),
            Field("image[]", PNG, "image-2.png", "image/png"),
            Field("mask", PNG, "mask.png", "image/png"),
        )
    )


def test_one_picture_alone_is_no_list():
    written = IMAGES.write_call(Open(ImageRequest.of("x", MODEL, (Image(blob=PICTURE),))))
    assert [field.name for field in written.body.fields] == ["model", "prompt", "image"]


@pytest.mark.parametrize("references", ["form", "json"])
def test_an_edit_with_an_address_is_json(references):
    pictures = (Image(uri="https://x.example/a"), Image(blob=PICTURE), Image(uri="file-a", use=Use.MASK))
    written = OpenaiImagesDialect(references=references).write_call(Open(ImageRequest.of("x", MODEL, pictures)))
    assert written.path == "/images/edits"
    assert written.body == {
        "model": MODEL,
        "prompt": "x",
        "images": [
            {"image_url": "https://x.example/a"},
            {"image_url": Spilled(("data:image/jpeg;base64,", PICTURE))},
        ],
        "mask": {"file_id": "file-a"},
    }


@pytest.mark.parametrize("size, name", [("2K", "image_size"), ("512x512", "size"), ("auto", "size")])
def test_servers_of_ones_own_are_told_more(size, name):
    dialect = OpenaiImagesDialect(spelling="server", members=["step"])
    request = ImageRequest.of("x", MODEL, size=size, aspect_ratio="3:2", seed=0, extra={"step": 5, "cfg": 1})
    assert dialect.write_call(Open(request)).body == {
        "step": 5, "model": MODEL, "prompt": "x", name: size, "aspect_ratio": "3:2", "seed": 0,
    }  # fmt: skip
    assert [notice.field for notice in dialect.unsupported(Open(request))] == ["extra.cfg"]


@pytest.mark.parametrize("size, name", [("2K", "resolution"), ("512x512", "size")])
def test_openrouter_has_one_path(size, name):
    dialect = OpenaiImagesDialect(spelling="openrouter")
    request = ImageRequest.of("x", "google/m", (Image(blob=PICTURE),), size=size, aspect_ratio="3:2", seed=5)
    written = dialect.write_call(Open(request))
    url = {"url": Spilled(("data:image/jpeg;base64,", PICTURE))}
    assert (written.path, written.body) == (
        "/images",
        {
            "model": "google/m", "prompt": "x", name: size, "aspect_ratio": "3:2", "seed": 5,
            "input_references": [{"type": "image_url", "image_url": url}],
        },
    )  # fmt: skip


# --- a conversation --------------------------------------------------------------------------------------------------


def test_of_a_conversation_the_latest_picture_is_edited_and_the_rest_is_told():
    turns = (
        Turn(Role.USER, (Text("a kite"),)),
        Turn(Role.MODEL, (Image(blob=PNG, signature="s"), Text("There."))),
        Turn(Role.USER, (Text("bluer"),)),
    )
    call = Open(ImageRequest(turns, MODEL))
    assert [notice.field for notice in IMAGES.unsupported(call)] == ["turns"]
    written = IMAGES.write_call(call)
    assert written.body == Form(
        (Field("model", MODEL), Field("prompt", "bluer"), Field("image", PNG, "image-1.png", "image/png"))
    )


def test_what_cannot_be_said_is_told():
    request = ImageRequest(
        turns=(Turn(Role.USER, (Text("a"), Image(blob=PNG, use=Use.STYLE), Text("b"))),),
        model=MODEL,
        aspect_ratio="1:1",
        system="s",
        thinking="high",
        include_thoughts=True,
        modalities=("TEXT", "IMAGE"),
        grounding=("web",),
        seed=0,
        temperature=0.5,
        extra={"watermark": False, "background": "auto"},
    )
    told = {notice.field for notice in IMAGES.unsupported(Open(request))}
    assert told == {
        "aspect_ratio", "system", "thinking", "include_thoughts", "modalities", "grounding", "seed", "temperature",
        "use", "order", "extra.watermark",
    }  # fmt: skip
    assert not IMAGES.unsupported(Open(ImageRequest.of("kite", MODEL, modalities=("IMAGE",))))
    assert not IMAGES.unsupported(Fetch("https://x.example"))


@pytest.mark.parametrize(
    "given, names, told",
    [
        ([None, Use.MASK, Use.MASK], ["image", "mask"], True),
        ([None, Use.MASK], ["image", "mask"], False),
    ],
)
def test_there_is_a_place_for_one_mask_beside_a_picture(given, names, told):
    call = Open(ImageRequest.of("x", MODEL, tuple(Image(blob=PNG, use=use) for use in given)))
    assert [field.name for field in IMAGES.write_call(call).body.fields][2:] == names
    assert bool(IMAGES.unsupported(call)) is told


def test_a_mask_alone_is_none():
    call = Open(ImageRequest.of("x", MODEL, (Image(blob=PNG, use=Use.MASK),)))
    assert IMAGES.write_call(call).body == {"model": MODEL, "prompt": "x"}
    assert [notice.field for notice in IMAGES.unsupported(call)] == ["mask"]


def test_a_mask_is_of_the_picture_that_the_conversation_came_to():
    turns = (Turn(Role.MODEL, (Image(blob=PICTURE),)), Turn(Role.USER, (Image(blob=PNG, use=Use.MASK), Text("x"))))
    written = IMAGES.write_call(Open(ImageRequest(turns, MODEL)))
    assert [(field.name, field.value) for field in written.body.fields][2:] == [("image", PICTURE), ("mask", PNG)]


def test_openrouter_has_no_masks():
    call = Open(ImageRequest.of("x", MODEL, (Image(blob=PICTURE), Image(blob=PNG, use=Use.MASK))))
    dialect = OpenaiImagesDialect(spelling="openrouter")
    assert len(dialect.write_call(call).body["input_references"]) == 1
    assert [notice.field for notice in dialect.unsupported(call)] == ["mask"]


def test_fetching_goes_where_the_answer_said_and_jobs_are_not_known():
    assert IMAGES.write_call(Fetch("https://oai.example/a?b=c")) == WireRequest("GET", "https://oai.example/a?b=c")
    assert IMAGES.read_call(WireRequest("GET", "/files/1", query=(("a", "b c"),))) == Fetch("/files/1?a=b+c")
    assert IMAGES.read_call(WireRequest("GET", "/files/1")) == Fetch("/files/1")
    for call in (Poll(Ticket("1")), Cancel(Ticket("1"))):
        with pytest.raises(ValueError, match="no stored jobs"):
            IMAGES.write_call(call)


@pytest.mark.parametrize("options", [{"spelling": "klingon"}, {"references": "pigeon"}])
def test_options_that_there_are_not(options):
    with pytest.raises(TypeError, match="no such"):
        OpenaiImagesDialect(**options)


# --- refusals --------------------------------------------------------------------------------------------------------

PLAIN = {"model": "m", "prompt": "x"}
REFUSED = [
    ({"prompt": ""}, "missing_required_parameter", "'prompt'"),
    ({"model": None}, "missing_required_parameter", "'model'"),
    ({"mask": {"file_id": "file-m"}}, "missing_required_parameter", "'image'"),
    ({"n": 0}, "integer_below_min_value", ">= 1"),
    ({"n": 11}, "integer_above_max_value", "<= 10"),
    ({"n": "many"}, "invalid_type", "'n'"),
    ({"n": 1.5}, "invalid_type", "'n'"),
    ({"seed": "x"}, "invalid_type", "'seed'"),
    ({"image": "x"}, "invalid_value", "Invalid image in 'image'"),
    ({"images": [{"image_url": 5}]}, "invalid_value", "Invalid image in 'images'"),
    ({"mask": {}}, "invalid_value", "Invalid image in 'mask'"),
    ({"style": float("nan")}, "invalid_value", "not finite"),
    ({"foo": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAI="}, "invalid_value", "base64"),
]


@pytest.mark.parametrize("members, code, words", REFUSED)
def test_what_openai_refuses_is_refused_in_its_words(members, code, words):
    body = over_the_wire_of({**PLAIN, **members})
    fault = IMAGES.read_call(WireRequest("POST", "/v1/images/generations", body))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status, fault.reason) == (FaultKind.INVALID_REQUEST, 400, code)
    assert words in fault.message


def over_the_wire_of(body):
    import json

    from cavendish.wire.spill import Spiller

    spiller = Spiller(STORE.new_blob)
    spiller.feed(json.dumps(body).encode())
    return spiller.close()


@pytest.mark.parametrize("body", [None, [], "x", 5, Form(), Form((Field("prompt", "x"),))])
def test_a_body_that_is_none(body):
    fault = IMAGES.read_call(WireRequest("POST", "/v1/images/edits", body))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INVALID_REQUEST


def test_a_file_that_nobody_asked_for():
    form = Form((Field("model", "m"), Field("prompt", "x"), Field("video", PNG, "a.mp4")))
    fault = IMAGES.read_call(WireRequest("POST", "/v1/images/edits", form))
    assert isinstance(fault, Fault)
    assert (fault.reason, fault.message) == ("unknown_parameter", "Unknown parameter: 'video'.")


def test_an_address_in_a_form_is_a_picture():
    form = Form((Field("model", "m"), Field("prompt", "x"), Field("image", "https://x.example/a.png")))
    call = IMAGES.read_call(WireRequest("POST", "/v1/images/edits", form))
    assert call == Open(ImageRequest.of("x", "m", (Image(uri="https://x.example/a.png"),)))


def test_a_gateway_may_take_more():
    request = WireRequest("POST", "/v1/images/generations", {**PLAIN, "n": 40})
    assert OpenaiImagesDialect(max_n=100).read_call(request) == Open(ImageRequest.of("x", "m", n=40))


@pytest.mark.parametrize(
    "path",
    [
        "/images/generations",
        "/v1/images/edits",
        "https://a.example/api/v1/images",
        "/openai/deployments/m/images/edits",
    ],
)
def test_paths(path):
    assert isinstance(IMAGES.read_call(WireRequest("POST", path, PLAIN)), Open)


@pytest.mark.parametrize(
    "method, path",
    [("POST", "/v1/images/variations"), ("POST", "/v1/chat/completions"), ("PUT", "/images"), ("POST", "")],
)
def test_other_paths_are_not_found(method, path):
    fault = IMAGES.read_call(WireRequest(method, path, PLAIN))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status) == (FaultKind.MODEL_NOT_FOUND, 404)


def test_sizes_of_all_spellings_are_read():
    for name in ("size", "image_size", "resolution"):
        call = IMAGES.read_call(WireRequest("POST", "/images", {**PLAIN, name: "2K"}))
        assert call == Open(ImageRequest.of("x", "m", size="2K"))


def test_every_case_says_where_it_is_from():
    for name in ("requests", "pictures", "errors", "streams"):
        table = TABLE.load(name)
        assert len({case["name"] for case in table}) == len(table)
        assert all(case["source"] and case["date"].startswith("202") and "verified" in case for case in table)


def test_a_prompt_of_several_texts_is_one():
    turns = (Turn(Role.USER, (Text("a"), Text("b"))),)
    request = IMAGES.write_call(Open(ImageRequest(turns, MODEL)))
    assert request.body["prompt"] == "a\nb"
    assert replace(request, body=None).path == "/images/generations"
