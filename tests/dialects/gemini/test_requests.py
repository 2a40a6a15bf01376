"""Requests: what real clients send, what we send ourselves, and what is refused in Google's words."""

import pytest

from cavendish.dialects.gemini import GeminiDialect, read_body, read_count, write_body
from cavendish.model.call import Cancel, Fetch, Open, Poll, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.wire.message import Spilled, WireRequest

from .cases import GEMINI, MODEL, STORE, asked, cases, dialect_at, load, pictured_turns, request_of

PATH = "/v1beta/models/m:generateContent"
PLAIN = {"contents": [{"parts": [{"text": "x"}]}]}
PICTURE = STORE.blob(b"\xff\xd8\xff\xe0a", "image/jpeg")


@cases("requests")
def test_what_clients_send_is_read(case):
    assert asked(GEMINI.read_call(request_of(case))) == {"model": "m", **pictured_turns(case["expect"])}


@cases("requests")
@pytest.mark.parametrize("spelling", ["imageConfig", "responseFormat"])
def test_what_was_read_can_be_sent(case, spelling):
    call = GEMINI.read_call(request_of(case))
    assert isinstance(call, Open)
    dialect = dialect_at(case["path"], spelling=spelling)
    assert not dialect.unsupported(call)
    request = dialect.write_call(call)
    assert request.path == case["path"]
    assert GEMINI.read_call(request) == call


def test_all_that_a_request_can_say_is_written_as_google_spells_it():
    picture = Image(blob=PICTURE, media_type="image/jpeg")
    request = ImageRequest(
        turns=(
            Turn(Role.USER, (Image(uri="https://x.example/1", media_type="image/png"), Text("kite"))),
            Turn(Role.MODEL, (Text("Hm.", True), Image(blob=PICTURE, signature=PICTURE), Text("so", signature="a"))),
            Turn(Role.USER, (picture, Text("bluer"))),
        ),
        model="models/gemini-9",
        n=2,
        size="2K",
        aspect_ratio="16:9",
        system="Flat colours",
        thinking="high",
        include_thoughts=True,
        modalities=("IMAGE",),
        grounding=("image",),
        seed=0,
        temperature=0.0,
        extra={"safetySettings": [{"category": "C"}], "generationConfig": {"topP": 0.9, "seed": 3}},
    )  # fmt: skip
    written = GEMINI.write_call(Open(request))
    assert (written.method, written.path, written.query) == ("POST", "/v1beta/models/gemini-9:generateContent", ())
    data = {"mimeType": "image/jpeg", "data": Spilled((PICTURE,))}
    assert written.body == {
        "contents": [
            {
                "role": "user",
                "parts": [{"fileData": {"mimeType": "image/png", "fileUri": "https://x.example/1"}}, {"text": "kite"}],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "Hm.", "thought": True},
                    {"inlineData": data, "thoughtSignature": Spilled((PICTURE,))},
                    {"text": "so", "thoughtSignature": "a"},
                ],
            },
            {"role": "user", "parts": [{"inlineData": data}, {"text": "bluer"}]},
        ],
        "systemInstruction": {"parts": [{"text": "Flat colours"}]},
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
            "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True},
            "temperature": 0.0,
            "seed": 0,
            "candidateCount": 2,
            "topP": 0.9,
        },
        "safetySettings": [{"category": "C"}],
        "tools": [{"googleSearch": {"searchTypes": {"imageSearch": {}}}}],
    }


def test_nothing_is_sent_that_was_not_asked_for():
    assert write_body(ImageRequest.of("kite", MODEL), "imageConfig") == {
        "contents": [{"role": "user", "parts": [{"text": "kite"}]}]
    }


@pytest.mark.parametrize(
    "grounding, written",
    [
        (("web",), {}),
        (("image",), {"searchTypes": {"imageSearch": {}}}),
        (("web", "image"), {"searchTypes": {"webSearch": {}, "imageSearch": {}}}),
    ],
)
def test_searches(grounding, written):
    request = ImageRequest.of("kite", MODEL, grounding=grounding)
    assert write_body(request, "imageConfig")["tools"] == [{"googleSearch": written}]


def test_what_is_searched_is_said_by_the_request_and_how_by_its_extras():
    tools = [{"urlContext": {}}, {"googleSearch": {"timeRangeFilter": {}, "searchTypes": {"imageSearch": {}}}}]
    request = ImageRequest.of("kite", MODEL, grounding=("web",), extra={"tools": tools})
    assert write_body(request, "imageConfig")["tools"] == [
        {"urlContext": {}},
        {"googleSearch": {"timeRangeFilter": {}}},
    ]
    untold = request.having(grounding=())
    assert write_body(untold, "imageConfig")["tools"] == tools


def test_a_search_that_says_nothing_is_not_a_second_one():
    request = ImageRequest.of("kite", MODEL, grounding=("image",), extra={"tools": [{"googleSearch": {}}]})
    assert write_body(request, "imageConfig")["tools"] == [{"googleSearch": {"searchTypes": {"imageSearch": {}}}}]


def test_two_searches_are_one():
    searches = [{"googleSearch": {"searchTypes": {"imageSearch": {}}}}, {"googleSearch": {}}]
    request = read_body({**PLAIN, "tools": searches}, "m")
    assert request == ImageRequest.of("x", "m", grounding=("web", "image"))


@pytest.mark.parametrize(
    "dialect, stream, path, query",
    [
        (GEMINI, True, f"/v1beta/models/{MODEL}:streamGenerateContent", (("alt", "sse"),)),
        (GeminiDialect(version="v1"), False, f"/v1/models/{MODEL}:generateContent", ()),
    ],
)
def test_paths(dialect, stream, path, query):
    written = dialect.write_call(Open(ImageRequest.of("kite", MODEL), stream))
    assert (written.path, written.query) == (path, query)


def test_a_model_cannot_reach_another_path():
    written = GEMINI.write_call(Open(ImageRequest.of("kite", "a/../b?c:d#e")))
    assert written.path == "/v1beta/models/a%2F..%2Fb%3Fc%3Ad%23e:generateContent"
    read = GEMINI.read_call(written)
    assert isinstance(read, Open)
    assert read.request.model == "a/../b?c:d#e"


def test_fetching_goes_where_the_answer_said_and_jobs_are_not_known():
    assert GEMINI.write_call(Fetch("https://oss.example/a?b=c")) == WireRequest("GET", "https://oss.example/a?b=c")
    assert GEMINI.read_call(WireRequest("GET", "/files/1", query=(("a", "b c"),))) == Fetch("/files/1?a=b+c")
    for call in (Poll(Ticket("1")), Cancel(Ticket("1"))):
        with pytest.raises(ValueError, match="no stored jobs"):
            GEMINI.write_call(call)


def test_what_cannot_be_said_is_told():
    request = ImageRequest.of(
        "kite",
        MODEL,
        (Image(blob=PICTURE, use=Use.STYLE),),
        quality="high",
        output_format="png",
        extra={"labels": {}, "watermark": False, "contents": []},
    )
    notices = GEMINI.unsupported(Open(request))
    assert [notice.field for notice in notices] == [
        "quality", "output_format", "use", "extra.watermark", "extra.contents",
    ]  # fmt: skip
    assert {notice.code for notice in notices} == {"unsupported"}
    assert set(write_body(request, "imageConfig")) == {"contents", "labels"}
    assert not GEMINI.unsupported(Open(ImageRequest.of("kite", MODEL)))
    assert not GEMINI.unsupported(Fetch("https://x.example"))


# --- enumerations ----------------------------------------------------------------------------------------------------

RATIOS = {
    "ASPECT_RATIO_ONE_BY_ONE": "1:1",
    "ASPECT_RATIO_TWO_BY_THREE": "2:3",
    "ASPECT_RATIO_FOUR_BY_FIVE": "4:5",
    "ASPECT_RATIO_ONE_BY_EIGHT": "1:8",
    "ASPECT_RATIO_NINE_BY_SIXTEEN": "9:16",
    "ASPECT_RATIO_TWENTY_ONE_BY_NINE": "21:9",
    "ASPECT_RATIO_UNSPECIFIED": None,
    "ASPECT_RATIO_SIX_BY_SEVEN": "ASPECT_RATIO_SIX_BY_SEVEN",
    "": None,
}
SIZES = {
    "IMAGE_SIZE_FIVE_TWELVE": "512",
    "IMAGE_SIZE_ONE_K": "1K",
    "IMAGE_SIZE_TWO_K": "2K",
    "IMAGE_SIZE_FOUR_K": "4K",
    "IMAGE_SIZE_UNSPECIFIED": None,
    "IMAGE_SIZE_EIGHT_K": "IMAGE_SIZE_EIGHT_K",
    "1k": "1k",
}


@pytest.mark.parametrize(
    "image, read",
    [({"aspectRatio": word}, (ratio, None)) for word, ratio in RATIOS.items()]
    + [({"imageSize": word}, (None, size)) for word, size in SIZES.items()],
)
def test_enumerations_are_read_as_words(image, read):
    for config in ({"imageConfig": image}, {"responseFormat": [{"image": image}]}):
        request = read_body({**PLAIN, "generationConfig": config}, "m")
        assert isinstance(request, ImageRequest)
        assert (request.aspect_ratio, request.size) == read


def test_image_config_goes_before_response_format():
    config = {
        "imageConfig": {"imageSize": "4K"},
        "responseFormat": {"image": {"imageSize": "1K", "aspectRatio": "1:1"}},
    }
    request = read_body({**PLAIN, "generationConfig": config}, "m")
    assert isinstance(request, ImageRequest)
    assert (request.size, request.aspect_ratio) == ("4K", "1:1")


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSED = [
    ({"n": 4}, 'Unknown name "n": Cannot find field.'),
    ({"generationConfig": {"aspectRatio": "1:1"}}, "Unknown name \"aspectRatio\" at 'generation_config': Cannot find"),
    (
        {"generationConfig": {"imageConfig": {"imageOutputOptions": {}}}},
        "Unknown name \"imageOutputOptions\" at 'generation_config.image_config': Cannot find field.",
    ),
    ({"generationConfig": {"seed": "many"}}, "Invalid value at 'generation_config.seed' (TYPE_INT32), \"many\""),
    ({"generationConfig": {"seed": 1.5}}, "Invalid value at 'generation_config.seed' (TYPE_INT32)"),
    ({"generationConfig": []}, "Invalid value at 'generation_config'"),
    ({"contents": {"parts": []}}, "Invalid value at 'contents'"),
    ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
    ({"contents": [{"parts": [{"text": 5}]}]}, "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), \"5\""),
    ({"contents": [{"parts": [{"inlineData": {"data": "no base64!"}}]}]}, "Base64 decoding failed."),
    ({"contents": [{"parts": [{"fileData": {}}]}]}, "it is empty"),
    ({"contents": [{"parts": [{"text": "x", "inlineData": {"data": "AAAA"}}]}]}, "oneof field 'data' is already set."),
    ({"contents": [{"parts": [{"functionCall": {"name": "f"}}]}]}, "functionCall at"),
    (
        {"contents": [{"parts": [{"text": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAI="}]}]},
        "send pictures as inlineData",
    ),
    (
        {
            "contents": [
                {"parts": [{"text": "x", "thoughtSignature": "data:;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAI="}]}
            ]
        },
        "Invalid value at 'contents[0].parts[0].thought_signature' (TYPE_BYTES)",
    ),
    ({"labels": {"a": [float("nan")]}}, "A number is not finite."),
    ({"generationConfig": {"logprobs": float("inf")}}, "Invalid value at 'generation_config.logprobs' (TYPE_INT32)"),
    ({"systemInstruction": {"parts": [{"fileData": {"fileUri": "https://x.example"}}]}}, "only text is supported"),
    ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "response modalities (AUDIO) is not supported"),
    ({"labels": {"a": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAI="}}, "where none is expected"),
]


@pytest.mark.parametrize("members, message", REFUSED)
def test_what_google_refuses_is_refused_in_its_words(members, message):
    case = {"path": PATH, "body": {**PLAIN, **members}}
    fault = GEMINI.read_call(request_of(case))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status, fault.reason) == (FaultKind.INVALID_REQUEST, 400, "INVALID_ARGUMENT")
    assert message in fault.message


def test_a_model_may_be_named_with_its_prefix():
    assert read_body(PLAIN, "models/m") == ImageRequest.of("x", "m")


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_a_body_that_is_no_object(body):
    fault = GEMINI.read_call(WireRequest("POST", PATH, body))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INVALID_REQUEST


def test_an_error_has_so_many_lines_and_no_more():
    fault = read_body({f"x{i}": 1 for i in range(100)}, "m")
    assert isinstance(fault, Fault)
    assert len(fault.message.splitlines()) == 20


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/v1beta/models/m:embedContent"),
        ("POST", "/v1beta/models/m"),
        ("PUT", PATH),
        ("POST", "/v1beta/models/:generateContent"),
        ("POST", ""),
    ],
)
def test_other_paths_are_not_found(method, path):
    fault = GEMINI.read_call(WireRequest(method, path, PLAIN))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status) == (FaultKind.MODEL_NOT_FOUND, 404)


# --- countTokens -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [PLAIN, {"generateContentRequest": {"model": "models/m", **PLAIN}}])
def test_count_tokens_is_asked_about_contents_or_a_request(body):
    assert read_count(WireRequest("POST", "/v1/models/m:countTokens", body), "m") == ImageRequest.of("x", "m")


def test_every_case_says_where_it_is_from():
    for name in ("requests", "pictures", "refusals", "errors", "streams"):
        table = load(name)
        assert len({case["name"] for case in table}) == len(table)
        assert all(case["source"] and case["date"].startswith("202") and "verified" in case for case in table)
