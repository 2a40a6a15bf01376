"""The relay APIYI on Google's own path: either header for the key, its errors, addresses in words, two ways to bill."""

import base64
import io
import itertools
import json

import pytest
from PIL import Image

from cavendish import AsyncClient
from cavendish.model.fault import Charged, FaultKind
from cavendish.model.money import nusd
from tests.io.http.server import Server, whole

KEY = "sk-a-key-of-this-test"
NB2, PRO, FIRST = "nano-banana-2", "nano-banana-pro", "nano-banana"
numbers = itertools.count()
USAGE = {
    "promptTokenCount": 100,
    "candidatesTokenCount": 1120,
    "thoughtsTokenCount": 400,
    "totalTokenCount": 1620,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
}


def png():
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (9, next(numbers) % 255, 9)).save(file, "PNG")
    return file.getvalue()


def answer(part, finish="STOP"):
    return 200, {"candidates": [{"content": {"parts": [part]}, "finishReason": finish}], "usageMetadata": USAGE}


def drawn():
    return answer({"inlineData": {"mimeType": "image/png", "data": base64.b64encode(png()).decode()}})


class Relay:
    """Answers each call with what ``says`` gives, and a GET with a picture."""

    def __init__(self, says=drawn):
        self.says = says
        self.server = Server(self.answer)

    async def answer(self, writer, heard):
        if heard.method == "GET":
            await whole(png(), content_type="image/png")(writer, heard)
        else:
            status, body = self.says()
            await whole(json.dumps(body).encode(), status)(writer, heard)


@pytest.fixture
async def relay(monkeypatch):
    one = Relay()
    async with one.server:
        monkeypatch.setenv("APIYI_API_KEY", KEY)
        monkeypatch.setenv("APIYI_BASE_URL", one.server.url)
        yield one


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Writes the user's own configuration file."""

    def write(words):
        path = tmp_path / "own.toml"
        path.write_text(words, encoding="utf-8")
        monkeypatch.setenv("CAVENDISH_CONFIG", str(path))

    return write


async def draw(tmp_path, model=NB2, mode=None, **fields):
    refills = {f"refills.{kind.value}": 0 for kind in FaultKind}
    async with AsyncClient(via="apiyi", mode=mode, settings=refills) as client:
        return await client.generate("a kite", model=model, output=tmp_path / "run", **fields)


# --- the key ---------------------------------------------------------------------------------------------------------


async def test_the_key_goes_as_a_bearers_to_googles_path(relay, tmp_path):
    assert len(await draw(tmp_path)) == 1
    (heard,) = relay.server.heard
    assert heard.path == "/v1beta/models/gemini-3.1-flash-image:generateContent"
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert "x-goog-api-key" not in heard.headers


async def test_or_in_googles_header_where_the_user_says_so(relay, tmp_path, settings):
    settings('[endpoints.apiyi]\nauth_header = "x-goog-api-key"\nauth_prefix = ""\n')
    assert len(await draw(tmp_path)) == 1
    (heard,) = relay.server.heard
    assert heard.headers["x-goog-api-key"] == KEY
    assert "authorization" not in heard.headers


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["{url}", "![kite]({url})", "Here it is: {url}"])
async def test_a_picture_by_its_address_in_words_is_fetched_without_the_key(relay, tmp_path, words):
    async with Server(relay.answer) as store:
        relay.says = lambda: answer({"text": words.format(url=f"{store.url}/kite.png?sig=a%2Bb")})
        result = await draw(tmp_path)
        assert (len(result), result[0].width) == (1, 32)
        (fetched,) = store.heard
    assert (fetched.method, fetched.path) == ("GET", "/kite.png?sig=a%2Bb")
    assert KEY not in str(fetched.headers)


def told(code, message="", status=500, param=""):
    return status, {"error": {"message": message, "type": "shell_api_error", "param": param, "code": code}}


@pytest.mark.parametrize(
    "says, kind",
    [
        (told("insufficient_user_quota", "user [1] quota [5] preConsumedQuota [9] is not enough", 403), "no_credit"),
        (told("write_response_body_failed", "too large"), "too_large"),
        (told("bad_response_status_code", param="502"), "server_error"),
        (told("model_not_found", "no available channel for model", 503), "model_not_found"),
        (told("rate_limit_exceeded", "too many", 429), "rate_limited"),
        (told("", "invalid token (request id: 1)", 401), "bad_key"),
        (
            (200, {"candidates": None, "promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {}}),
            "prompt_blocked",
        ),
        (answer({"text": "I would rather not"}), "text_only"),
    ],
)
async def test_its_errors_are_known_for_what_they_are(relay, tmp_path, says, kind):
    relay.says = lambda: says
    if kind == "rate_limited":
        answers = iter([says, drawn()])
        relay.says = lambda: next(answers)
        result = await draw(tmp_path)
        assert (len(result), len(relay.server.heard)) == (1, 2)
        return
    (failure,) = (await draw(tmp_path)).failures
    assert failure.fault.kind.value == kind


# --- the bill --------------------------------------------------------------------------------------------------------

IN_TOKENS = nusd(100 * 0.18 / 1e6 + 1520 * 21.6 / 1e6)
"""Of NB2, for ``USAGE``: thoughts are billed as the picture is."""


async def test_a_key_that_bills_by_the_request(relay, tmp_path):
    assert [picture.value.cost_nusd for picture in await draw(tmp_path)] == [nusd(0.055)]


async def test_a_key_that_bills_by_tokens(relay, tmp_path):
    (picture,) = await draw(tmp_path, mode="tokens")
    assert picture.value.cost_nusd == IN_TOKENS
    assert picture.value.route.mode == "tokens"


async def test_which_of_the_two_a_key_is_can_be_said_once(relay, tmp_path, settings):
    settings('[endpoints.apiyi]\ndefault_mode = "tokens"\n')
    assert [picture.value.cost_nusd for picture in await draw(tmp_path)] == [IN_TOKENS]


@pytest.mark.parametrize(
    "model, mode, charged",
    [(PRO, None, Charged.YES), (NB2, "tokens", Charged.NO), (NB2, None, Charged.UNKNOWN)],
)
async def test_who_pays_for_a_refused_picture(relay, tmp_path, model, mode, charged):
    relay.says = lambda: answer({}, "IMAGE_SAFETY")
    (failure,) = (await draw(tmp_path, model, mode)).failures
    assert (failure.fault.kind, failure.fault.charged) == (FaultKind.IMAGE_SAFETY, charged)


# --- the wait --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model, fields, seconds",
    [
        (NB2, {}, "360"),
        (NB2, {"size": "4K"}, "360"),
        (PRO, {}, "300"),
        (PRO, {"size": "2K"}, "300"),
        (PRO, {"size": "4K"}, "600"),
        (FIRST, {}, "360"),
    ],
)
async def test_it_is_waited_for_as_long_as_advised(relay, tmp_path, settings, model, fields, seconds):
    settings('[endpoints.apiyi.options]\nversion = "v1beta"\ntimeout_header = "X-Told"\n')
    assert len(await draw(tmp_path, model, **fields)) == 1
    assert relay.server.heard[0].headers["x-told"] == seconds


@pytest.mark.parametrize("said, seconds", [("30", "600"), ("900", "900")])
async def test_a_longer_wait_of_the_users_holds_for_all(relay, tmp_path, settings, said, seconds):
    settings(f'timeout = {said}\n[endpoints.apiyi.options]\nversion = "v1beta"\ntimeout_header = "X-Told"\n')
    assert len(await draw(tmp_path, PRO, size="4K")) == 1
    assert relay.server.heard[0].headers["x-told"] == seconds
