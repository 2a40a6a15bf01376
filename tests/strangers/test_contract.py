"""What we write to Google, and what the simulator answers in its name, checked against Google's own document.

The document is Vertex AI's. What the Developer API has beyond it is in a table, each entry with its reason.
"""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.gemini import GeminiDialect
from cavendish.dialects.gemini.asking import Spelling
from cavendish.dialects.gemini.schema import VERTEX, Shape
from cavendish.dialects.imagen import ImagenDialect
from cavendish.model.call import Open, Reply
from tests import strategies
from tests.dialects.gemini import cases as gemini
from tests.strangers.contract import document, members, problems

STORE = gemini.STORE
ONLY_DEVELOPER = {
    "$.serviceTier": "Vertex orders its tiers by a header",
    "$.store": "Vertex keeps nothing",
    "$.tools[].googleSearch.timeRangeFilter": "the Developer API's alone, say the types of google-genai",
    "$.generationConfig.responseFormat": "one object with plain words in the Developer API's guide, a list at Vertex",
}
"""Members of requests that the document has not, and why."""
AT_VERTEX = dict.fromkeys(
    (f"$.generationConfig.responseFormat[].image.{name}" for name in ("aspectRatio", "imageSize", "mimeType")),
    "what a client asks for that there is no word for, Google judges",
)


def beyond(found: list[str], table: dict[str, str]) -> list[str]:
    """The problems without those that a table explains."""
    return [problem for problem in found if re.sub(r"\[\d+\]", "[]", problem.partition(": ")[0]) not in table]


def asked_wrongly(call: Open, dialect: Any, table: dict[str, str] = ONLY_DEVELOPER) -> list[str]:
    """What Google's document has against the request that the dialect writes."""
    return beyond(problems(STORE.text(dialect.write_call(call).body), "GenerateContentRequest"), table)


# --- the check itself can fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, problem",
    [
        ({"content": []}, "$.content: no such member"),
        ({"contents": {}}, "$.contents: {} is no array"),
        ({"contents": [{"parts": [{"inline_data": {}}]}]}, "$.contents[0].parts[0].inline_data: no such member"),
        ({"contents": [{"parts": [{"inlineData": {"data": "§"}}]}]}, "is no byte"),
        ({"generationConfig": {"seed": 2**31}}, "is no int32"),
        ({"generationConfig": {"seed": True}}, "is no int32"),
        ({"generationConfig": {"temperature": "1"}}, "is no float"),
        ({"generationConfig": {"responseModalities": ["Image"]}}, "Image is not a word of the enumeration"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}}, "high is not a word"),
        ({"tools": [{"googleSearch": {"searchTypes": ["webSearch"]}}]}, "is no object"),
    ],
)
def test_the_document_refuses(body, problem):
    (found,) = problems(body, "GenerateContentRequest")
    assert problem in found


def test_the_document_is_one_that_knows_pictures():
    schemas = document()["schemas"]
    assert document()["revision"] >= "20260101"
    finishes = schemas["GoogleCloudAiplatformV1beta1Candidate"]["properties"]["finishReason"]["enum"]
    assert {"NO_IMAGE", "IMAGE_SAFETY"} <= set(finishes)


# --- requests --------------------------------------------------------------------------------------------------------

RATIOS = st.none() | st.sampled_from(["1:1", "16:9", "21:9", "1:8"])
SIZES = st.none() | st.sampled_from(["512", "1K", "2K", "4K"])
LEVELS = st.none() | st.sampled_from(["minimal", "low", "medium", "high"])
extras = st.fixed_dictionaries(
    {},
    optional={
        "safetySettings": st.just([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]),
        "labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        "tools": st.just([{"urlContext": {}}, {"googleSearch": {"excludeDomains": ["a.example"]}}]),
        "generationConfig": st.fixed_dictionaries(
            {"topP": st.floats(0, 1)},
            optional={
                "topK": st.integers(1, 64),
                "stopSequences": st.lists(st.text(max_size=5), max_size=2),
                "maxOutputTokens": st.integers(1, 32768),
                "thinkingConfig": st.just({"thinkingBudget": 5}),
                "imageConfig": st.just({"personGeneration": "ALLOW_ADULT", "imageOutputOptions": {}}),
            },
        ),
        "watermark": st.booleans(),
        "contents": st.text(),
    },
)


PLACE = "projects/p/locations/global/publishers/google"
at_vertex = pytest.mark.parametrize("vertex", [GeminiDialect("v1beta1", s, PLACE) for s in get_args(Spelling)])


@gemini.cases("requests")
@at_vertex
def test_what_clients_ask_is_passed_on_in_googles_words(case, vertex):
    call = gemini.GEMINI.read_call(gemini.request_of(case))
    assert isinstance(call, Open)
    assert asked_wrongly(call, GeminiDialect()) == []
    assert asked_wrongly(call, vertex, AT_VERTEX) == []


@at_vertex
@given(request_=strategies.requests(extras), level=LEVELS, ratio=RATIOS, size=SIZES, stream=st.booleans())
def test_any_wish_is_said_in_googles_words(vertex, request_, level, ratio, size, stream):
    call = Open(request_.having(thinking=level, aspect_ratio=ratio, size=size), stream)
    assert asked_wrongly(call, GeminiDialect()) == []
    assert asked_wrongly(call, vertex, {}) == []


@given(request=strategies.requests(st.just({"labels": {"team": "a"}, "negativePrompt": "sky"})))
def test_any_wish_for_imagen_is_said_in_googles_words(request):
    body = ImagenDialect(surface="vertex").write_call(Open(request)).body
    assert problems(STORE.text(body), "PredictRequest") == []


# --- what is known of requests ---------------------------------------------------------------------------------------

BEYOND_THE_DOCUMENT = {
    "$.model": "the path says it; clients repeat it in the body",
    "$.serviceTier": "google-genai 3.4.0 sends it to Vertex",
    "$.generationConfig.enableEnhancedCivicAnswers": "in the types of google-genai 3.4.0",
    "$.toolConfig.includeServerSideToolInvocations": "in the types of google-genai 3.4.0",
    "$.tools[].fileSearch": "in the types of google-genai 3.4.0",
    "$.tools[].mcpServers": "in the types of google-genai 3.4.0",
}
PARTS_BEYOND = {"toolCall", "toolResponse", "partMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata"}
"""Of parts, in the types of google-genai 3.4.0."""


def test_we_know_the_members_that_vertex_knows():
    ours, known = set(known_to(VERTEX)), set(members("GenerateContentRequest", VERTEX))
    assert known - ours == set()
    parts = {f"$.{holder}.parts[].{name}" for holder in ("contents[]", "systemInstruction") for name in PARTS_BEYOND}
    assert ours - known == {*BEYOND_THE_DOCUMENT, *parts}


def known_to(shape: Shape, at: str = "$") -> Iterator[str]:
    """The places of all members of a shape."""
    for name, inner in shape.members.items():
        yield f"{at}.{name}"
        yield from known_to(inner, f"{at}.{name}[]" if inner.repeated else f"{at}.{name}")


# --- answers ---------------------------------------------------------------------------------------------------------


IN_DEVELOPER_ANSWERS = {"$.usageMetadata.serviceTier": "Vertex has trafficType for it"}
SPEAKERS = [(gemini.GEMINI, IN_DEVELOPER_ANSWERS), (GeminiDialect("v1beta1", place=PLACE), {})]
each = pytest.mark.parametrize(
    "dialect, table", [pytest.param(*s, id=n) for s, n in zip(SPEAKERS, ("google", "vertex"), strict=True)]
)


def answered_wrongly(dialect: Any, reply: Reply, *, stream: bool = False) -> list[str]:
    """What Google's document has against the answer that the dialect writes."""
    response = dialect.write_reply(reply, gemini.ask(stream=stream))
    body = STORE.text(response.body)
    return [problem for entry in (body if response.stream else [body]) for problem in _in_answer(entry)]


def _in_answer(body: Any) -> list[str]:
    if "error" in body:
        status = {name: value for name, value in body["error"].items() if name != "status"}
        return problems(status, "GoogleRpcStatus")
    return problems(body, "GenerateContentResponse")


@each
@gemini.cases("pictures", "refusals", "streams", "errors")
def test_what_was_answered_is_passed_on_in_googles_words(dialect, table, case):
    assert beyond(answered_wrongly(dialect, gemini.reply_to(case), stream="events" in case), table) == []


finishes = st.sampled_from(["STOP", "MAX_TOKENS", ""])


@each
@given(done=strategies.dones(finishes, strategies.faults), stream=st.booleans())
def test_any_pictures_are_answered_in_googles_words(dialect, table, done, stream):
    assert beyond(answered_wrongly(dialect, done, stream=stream), table) == []


@each
@given(fault=strategies.faults, stream=st.booleans())
def test_any_fault_is_answered_in_googles_words(dialect, table, fault, stream):
    assert beyond(answered_wrongly(dialect, fault, stream=stream), table) == []
