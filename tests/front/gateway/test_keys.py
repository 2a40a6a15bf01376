"""Keys at the gateway: who comes in, and what the official SDKs raise for who does not."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types

from cavendish.errors import ConfigError
from cavendish.front.gateway.app import Gateway
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key, with_keys

MODEL = "nano-banana-2"

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


def openai_at(gateway: Gateway, key: str, **options: object) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", **{"max_retries": 0, **options})


async def draw(gateway: Gateway, key: str, **asked: object) -> int:
    """How many pictures come of OpenAI's route."""
    async with openai_at(gateway, key) as client:
        answer = await client.images.generate(**{"model": MODEL, "prompt": "a red kite", **asked})
    return len(answer.data or ())


async def draw_google(gateway: Gateway, key: str, *, model: str = MODEL, n: int = 1) -> int:
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=gateway.url)).aio
    try:
        config = types.GenerateContentConfig(candidate_count=n, response_modalities=["IMAGE"])
        answer = await client.models.generate_content(model=model, contents="a red kite", config=config)
    finally:
        await client.aclose()
    return len(answer.candidates or ())


# --- who comes in -----------------------------------------------------------------------------------------------------


async def test_a_key_opens_both_doors(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key()
    assert await draw(gateway, key, n=2) == 2
    assert await draw_google(gateway, key, n=2) == 2


async def test_who_has_another_key_gets_openai_s_authentication_error(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    await make_key()
    with pytest.raises(openai.AuthenticationError) as caught:
        await draw(gateway, "cvd_nobody_knows_this")
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"
    assert "nobody" not in str(caught.value)


async def test_who_has_another_key_gets_google_s_unauthenticated(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    await make_key()
    with pytest.raises(errors.ClientError) as caught:
        await draw_google(gateway, "cvd_nobody_knows_this")
    assert caught.value.code == 401
    assert caught.value.status == "UNAUTHENTICATED"
    assert "nobody" not in str(caught.value)


@pytest.mark.parametrize(
    "path, authorization",
    [
        ("/v1beta/models", ""),
        ("/v1/models", ""),
        ("/v1/models", "Basic YTpi"),
        ("/v1/images/generations", "Bearer "),
        ("/v1/usage", ""),
        ("/v1/keys", ""),
        ("/v1/jobs", ""),
        ("/v1/files", ""),
    ],
)
async def test_no_door_is_open_without_a_key(open_gateway: Opener, path: str, authorization: str) -> None:
    gateway = await open_gateway()
    await make_key()
    headers = {"Authorization": authorization}
    method = "POST" if path.endswith("generations") else "GET"
    async with aiohttp.ClientSession() as session, session.request(method, gateway.url + path, headers=headers) as page:
        assert page.status == 401
        assert page.headers["WWW-Authenticate"] == "Bearer"
        error = (await page.json())["error"]
    assert error["status" if path.startswith("/v1beta") else "code"] in {"UNAUTHENTICATED", "invalid_api_key"}


@pytest.mark.parametrize("where", ["x-goog-api-key", "query", "bearer"])
async def test_a_key_may_be_sent_in_any_form(open_gateway: Opener, where: str) -> None:
    gateway = await open_gateway()
    key = await make_key()
    headers = {"x-goog-api-key": key} if where == "x-goog-api-key" else {}
    headers |= {"Authorization": f"bearer {key}"} if where == "bearer" else {}
    query = {"key": key} if where == "query" else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.url}/v1beta/models", headers=headers, params=query) as page,
    ):
        assert page.status == 200


async def test_without_any_key_the_own_machine_comes_in(gateway: Gateway) -> None:
    assert await draw(gateway, "whatever") == 1


@pytest.mark.parametrize("headers", [{"Host": "pictures.example.com"}, {"Origin": "https://example.com"}])
async def test_without_any_key_no_page_of_another_site_comes_in(gateway: Gateway, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/v1/models", headers=headers) as page:
        assert page.status == 403
        assert "localhost" in (await page.json())["error"]["message"]


async def test_beyond_the_own_machine_nothing_is_served_without_a_key(open_gateway: Opener) -> None:
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 can be reached from other machines") as caught:
        await open_gateway(host="0.0.0.0")
    assert any("keys create" in hint for hint in caught.value.hints)


async def test_beyond_the_own_machine_with_a_key(open_gateway: Opener) -> None:
    await open_gateway()
    await make_key("old")
    await with_keys(lambda keys: keys.revoke("old", time.time()))
    with pytest.raises(ConfigError):
        await open_gateway(host="0.0.0.0", replica="c")
    await make_key("new")
    assert (await open_gateway(host="0.0.0.0", replica="b")).url


# --- the life of a key ------------------------------------------------------------------------------------------------


async def test_a_revoked_key_opens_nothing(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key()
    await with_keys(lambda keys: keys.revoke("app", time.time()))
    with pytest.raises(openai.AuthenticationError):
        await draw(gateway, key)


async def test_a_key_that_is_revoked_while_it_is_known_buys_nothing(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key()
    assert await draw(gateway, key) == 1
    await with_keys(lambda keys: keys.revoke("app", time.time()))
    # The gate may know it for a moment yet; the books do not.
    with pytest.raises(openai.AuthenticationError):
        await draw(gateway, key, prompt="a blue kite")


async def test_an_expired_key_opens_nothing(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(expires="1s")
    await asyncio.sleep(1.05)
    with pytest.raises(openai.AuthenticationError):
        await draw(gateway, key)


async def test_a_new_secret_ends_the_old_one(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    old = await make_key()
    _, secret = await with_keys(lambda keys: keys.rotate("app", time.time()))
    assert await draw(gateway, secret.reveal()) == 1
    with pytest.raises(openai.AuthenticationError):
        await draw(gateway, old)


async def test_a_new_secret_leaves_the_old_one_its_grace(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    old = await make_key()
    _, secret = await with_keys(lambda keys: keys.rotate("app", time.time(), 60.0))
    assert await draw(gateway, secret.reveal()) == 1
    assert await draw(gateway, old, prompt="a blue kite") == 1


# --- what a key may ask for -------------------------------------------------------------------------------------------


async def test_another_model_is_openai_s_permission_denied(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(models="nano-banana-*")
    assert await draw(gateway, key) == 1
    assert await draw(gateway, key, model="gemini-3.1-flash-image") == 1
    with pytest.raises(openai.PermissionDeniedError, match=r"may not use flux-2-pro; it may use nano-banana-\*"):
        await draw(gateway, key, model="flux-2-pro")


async def test_another_model_is_google_s_permission_denied(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(models="nano-banana-*")
    assert await draw_google(gateway, key) == 1
    with pytest.raises(errors.ClientError) as caught:
        await draw_google(gateway, key, model="flux-2-pro")
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


async def test_another_route_is_denied(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    assert await draw(gateway, await make_key("here", routes="sim")) == 1
    with pytest.raises(openai.PermissionDeniedError, match="may go by google"):
        await draw(gateway, await make_key("there", routes="google"))


async def test_a_dearer_picture_is_denied(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(max_price="0.10")
    assert await draw(gateway, key) == 1
    with pytest.raises(openai.PermissionDeniedError, match=r"may pay \$0\.1000 for a picture"):
        await draw(gateway, key, size="4096x4096")


async def test_more_pictures_than_a_key_may_ask_for(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(max_n=2)
    assert await draw(gateway, key, n=2) == 2
    with pytest.raises(openai.BadRequestError, match="at most 2 pictures at once, not 3"):
        await draw(gateway, key, n=3)


# --- a minute ---------------------------------------------------------------------------------------------------------


async def test_requests_a_minute_are_openai_s_rate_limit_error(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(rpm=2)
    async with openai_at(gateway, key) as client:
        first = await client.images.with_raw_response.generate(model=MODEL, prompt="one")
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert 0 < float(first.headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 60
        second = await client.images.with_raw_response.generate(model=MODEL, prompt="two")
        assert second.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(openai.RateLimitError) as caught:
            await client.images.generate(model=MODEL, prompt="three")
    assert caught.value.code == "rate_limit_exceeded"
    headers = caught.value.response.headers
    assert 0 < int(headers["retry-after"]) <= 60
    assert 0 < int(headers["retry-after-ms"]) <= 60_000
    assert headers["x-ratelimit-remaining-requests"] == "0"


async def test_requests_a_minute_are_google_s_resource_exhausted(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(rpm=1)
    assert await draw_google(gateway, key) == 1
    with pytest.raises(errors.ClientError) as caught:
        await draw_google(gateway, key)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    said: Any = caught.value.details
    details = said["error"]["details"]
    waits = [float(each["retryDelay"].removesuffix("s")) for each in details if each["@type"].endswith("RetryInfo")]
    assert len(waits) == 1
    assert 0 < waits[0] <= 60


async def test_pictures_a_minute(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(ipm=3)
    assert await draw(gateway, key, n=2) == 2
    with pytest.raises(openai.RateLimitError, match="3 pictures a minute"):
        await draw(gateway, key, n=2, prompt="a blue kite")
    assert await draw(gateway, key, n=1, prompt="a blue kite") == 1
    with pytest.raises(openai.BadRequestError, match="not for 4 at once"):
        await draw(gateway, key, n=4)


async def test_replicas_share_a_key_s_minute(open_gateway: Opener) -> None:
    gateways = await open_gateway(), await open_gateway(replica="b")
    key = await make_key(rpm=2)
    assert await draw(gateways[0], key, prompt="one") == 1
    assert await draw(gateways[1], key, prompt="two") == 1
    for gateway in gateways:
        with pytest.raises(openai.RateLimitError):
            await draw(gateway, key, prompt="three")


# --- nobody reads a key -----------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_key_is_in_no_file_and_no_log(
    open_gateway: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    gateway = await open_gateway()
    key = await make_key()
    assert await draw(gateway, key) == 1
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.url}/v1beta/models/none", params={"key": key}) as page,
    ):
        assert key not in await page.text()
    await gateway.close()
    secret = key.rpartition("_")[2].encode()
    written = await asyncio.to_thread(contents, tmp_path)
    assert written
    assert not [path for path, data in written.items() if secret in data]
    ours = [
        record.getMessage() for record in caplog.records if not record.name.startswith(("openai", "httpx", "httpcore"))
    ]
    assert not [line for line in ours if key in line]


def test_a_key_s_entry_shows_no_secret() -> None:
    from cavendish.io.desk.keys import KeyEntry, fresh_secret

    secret = fresh_secret()
    assert secret.reveal() not in repr(secret)
    assert len(secret.reveal()) == len("cvd_") + 6 + 1 + 43
    assert secret.reveal().rpartition("_")[2] not in json.dumps(repr(KeyEntry("key_1", "app")))
