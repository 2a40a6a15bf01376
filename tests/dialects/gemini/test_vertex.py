"""Vertex AI: the same format under other paths, with members of its own and without some of the Developer API's."""

import pytest

from cavendish.dialects.gemini import GeminiDialect, read_body, write_body
from cavendish.dialects.gemini.schema import VERTEX
from cavendish.model.call import Done, Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.usage import Usage

from .cases import GEMINI, MODEL, STORE, ask, request_of

PLACE = "projects/p/locations/global/publishers/google"
AT_VERTEX = GeminiDialect("v1beta1", place=PLACE)
PICTURE = STORE.blob(b"\xff\xd8\xff\xe0v", "image/jpeg")
DONE = Done(
    (Text("Here."), Image(blob=PICTURE, media_type="image/jpeg")),
    (1,),
    Usage(input_tokens=9, output_image_tokens=1120, output_text_tokens=3),
    finish="STOP",
    tier="flex",
)


@pytest.mark.parametrize(
    "place, stream, path",
    [
        (PLACE, False, f"/v1beta1/{PLACE}/models/m:generateContent"),
        (PLACE, True, f"/v1beta1/{PLACE}/models/m:streamGenerateContent"),
        ("publishers/google", False, "/v1beta1/publishers/google/models/m:generateContent"),
        ("projects/example.com:p/locations/eu/publishers/google", False, None),
    ],
)
def test_paths_both_ways(place, stream, path):
    dialect = GeminiDialect("v1beta1", place=place)
    call = Open(ImageRequest.of("kite", "m"), stream)
    written = dialect.write_call(call)
    assert written.path == (path or f"/v1beta1/{place}/models/m:generateContent")
    assert written.query == ((("alt", "sse"),) if stream else ())
    assert GEMINI.read_call(written) == dialect.read_call(written) == call


# --- requests --------------------------------------------------------------------------------------------------------

EXTRA = {
    "generationConfig": {
        "topP": 0.9,
        "imageConfig": {
            "personGeneration": "ALLOW_ADULT",
            "prominentPeople": "BLOCK_PROMINENT_PEOPLE",
            "imageOutputOptions": {"compressionQuality": 80},
        },
    },
    "safetySettings": [{"category": "C", "threshold": "OFF", "method": "SEVERITY"}],
    "labels": {"team": "a"},
    "modelArmorConfig": {"promptTemplateName": "t"},
    "outputConfig": {"outputUriPrefix": "gs://b/out"},
    "tools": [{"googleSearch": {"excludeDomains": ["a.example"], "timeRangeFilter": {"startTime": "2026"}}}],
    "store": False,
    "serviceTier": "flex",
}
WISH = ImageRequest.of("kite", MODEL, size="2K", grounding=("web",), output_format="png", extra=EXTRA)


def fields(dialect, request=WISH):
    return [notice.field for notice in dialect.unsupported(Open(request))]


def test_what_only_vertex_knows_is_said_there():
    assert fields(AT_VERTEX) == ["extra.tools.googleSearch.timeRangeFilter", "extra.store"]
    body = AT_VERTEX.write_call(Open(WISH)).body
    assert body == {
        "contents": [{"role": "user", "parts": [{"text": "kite"}]}],
        "generationConfig": {
            "topP": 0.9,
            "imageConfig": {
                "imageSize": "2K",
                "personGeneration": "ALLOW_ADULT",
                "prominentPeople": "BLOCK_PROMINENT_PEOPLE",
                "imageOutputOptions": {"mimeType": "image/png", "compressionQuality": 80},
            },
        },
        "safetySettings": [{"category": "C", "threshold": "OFF", "method": "SEVERITY"}],
        "labels": {"team": "a"},
        "modelArmorConfig": {"promptTemplateName": "t"},
        "outputConfig": {"outputUriPrefix": "gs://b/out"},
        "tools": [{"googleSearch": {"excludeDomains": ["a.example"]}}],
        "serviceTier": "flex",
    }
    again = read_body(body, MODEL, VERTEX)
    assert isinstance(again, ImageRequest)
    assert (again.output_format, again.size, again.grounding) == ("png", "2K", ("web",))


def test_and_is_not_sent_to_the_developer_api_which_would_refuse_it():
    assert fields(GEMINI) == [
        "output_format",
        "extra.generationConfig.imageConfig.personGeneration",
        "extra.generationConfig.imageConfig.prominentPeople",
        "extra.generationConfig.imageConfig.imageOutputOptions",
        "extra.safetySettings.method",
        "extra.modelArmorConfig",
        "extra.outputConfig",
        "extra.tools.googleSearch.excludeDomains",
    ]
    body = write_body(WISH, "imageConfig")
    assert body["generationConfig"] == {"topP": 0.9, "imageConfig": {"imageSize": "2K"}}
    assert body["safetySettings"] == [{"category": "C", "threshold": "OFF"}]
    assert body["store"] is False
    assert not {"modelArmorConfig", "outputConfig"} & set(body)
    assert isinstance(read_body(body, MODEL), ImageRequest)


@pytest.mark.parametrize("word", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("spelling", ["imageConfig", "responseFormat"])
def test_the_type_of_file(word, spelling):
    dialect = GeminiDialect("v1", spelling, PLACE)
    request = ImageRequest.of("kite", MODEL, size="1K", output_format=word)
    told = dialect.read_call(dialect.write_call(Open(request)))
    assert isinstance(told, Open)
    assert (told.request.output_format, told.request.size) == (word if word != "webp" else None, "1K")
    assert fields(dialect, request) == (["output_format"] if word == "webp" else [])


def test_a_type_of_file_without_a_word_is_passed_on():
    config = {"imageConfig": {"imageOutputOptions": {"mime_type": "image/heic", "compression_quality": 5}}}
    request = read_body({"contents": [{"parts": [{"text": "x"}]}], "generation_config": config}, "m", VERTEX)
    assert isinstance(request, ImageRequest)
    assert request.output_format is None
    output = {"mimeType": "image/heic", "compressionQuality": 5}
    assert request.extra == {"generationConfig": {"imageConfig": {"imageOutputOptions": output}}}
    assert write_body(request, "imageConfig", VERTEX)["generationConfig"]["imageConfig"]["imageOutputOptions"] == output


@pytest.mark.parametrize(
    "body, told",
    [
        ({"store": True}, 'Unknown name "store"'),
        ({"tools": [{"googleSearch": {"timeRangeFilter": {}}}]}, 'Unknown name "timeRangeFilter" at \'tools[0]'),
    ],
)
def test_what_only_the_developer_api_knows_is_refused_there(body, told):
    case = {"path": f"/v1beta1/{PLACE}/models/m:generateContent", "body": {"contents": [], **body}}
    fault = GEMINI.read_call(request_of(case))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INVALID_REQUEST
    assert told in fault.message
    developers = GEMINI.read_call(request_of({**case, "path": "/v1/models/m:generateContent"}))
    assert isinstance(developers, Open)


# --- what stands beside a part ---------------------------------------------------------------------------------------

VIDEO = {
    "fileData": {"fileUri": "gs://b/v.mp4", "mimeType": "video/mp4"},
    "videoMetadata": {"fps": 1, "startOffset": "2s"},
    "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"},
}


def test_what_stands_beside_a_picture_is_passed_on_with_it():
    turns = [{"role": "user", "parts": [{"text": "a still of this"}, {}, VIDEO]}]
    request = read_body({"contents": turns}, "m")
    assert isinstance(request, ImageRequest)
    details = {name: VIDEO[name] for name in ("videoMetadata", "mediaResolution")}
    assert request.extra == {"parts": {"0.1": details}}
    assert write_body(request, "imageConfig")["contents"][0]["parts"] == [{"text": "a still of this"}, VIDEO]
    assert not fields(GEMINI, request)


def test_a_displayed_name_is_vertexs_own():
    part = {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4AAA", "displayName": "vase"}}
    case = {
        "path": f"/v1/{PLACE}/models/m:generateContent",
        "body": {"contents": [{"role": "user", "parts": [part]}]},
    }
    call = GEMINI.read_call(request_of(case))
    assert isinstance(call, Open)
    assert STORE.text(AT_VERTEX.write_call(call).body) == case["body"]
    assert fields(GEMINI, call.request) == ["extra.parts.0.0.inlineData.displayName"]
    assert "displayName" not in GEMINI.write_call(call).body["contents"][0]["parts"][0]["inlineData"]


# --- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_in_vertexs_words():
    body = AT_VERTEX.write_reply(DONE, ask()).body
    assert "index" not in body["candidates"][0]
    assert body["usageMetadata"] == {
        "promptTokenCount": 9,
        "candidatesTokenCount": 1123,
        "totalTokenCount": 1132,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 3}, {"modality": "IMAGE", "tokenCount": 1120}],
        "trafficType": "ON_DEMAND_FLEX",
    }


def test_the_same_in_the_developer_apis():
    body = GEMINI.write_reply(DONE, ask()).body
    assert body["candidates"][0]["index"] == 0
    assert body["usageMetadata"]["serviceTier"] == "flex"
    assert body["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 1120}]


@pytest.mark.parametrize("dialect", [GEMINI, AT_VERTEX])
@pytest.mark.parametrize("reply", [Done(DONE.parts, (1,)), Fault(FaultKind.NO_IMAGE, reason="NO_IMAGE", status=200)])
def test_clients_that_fail_without_any_usage_get_one(dialect, reply):
    body = dialect.write_reply(reply, ask()).body
    assert body["usageMetadata"] == {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}
