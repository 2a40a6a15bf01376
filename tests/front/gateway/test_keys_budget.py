"""Budgets of keys: never passed, whatever comes at once; and what each key's use was."""

import asyncio
import csv
import io
from typing import Any

import aiohttp
import openai
import pytest

from cavendish.front.gateway.app import Gateway
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key

MODEL, DRAWN = "nano-banana-2", "gemini-3.1-flash-image"
PRICE = 0.07
"""A picture at 1K with its words costs a little less."""


async def draw(gateway: Gateway, key: str, **asked: object) -> int:
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        answer = await client.images.generate(**{"model": MODEL, "prompt": "a red kite", **asked})
    return len(answer.data or ())


async def get(gateway: Gateway, key: str, path: str, **query: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session, session.get(path, params=query) as page:
        assert page.status == 200, await page.text()
        return await page.json()


async def standing(gateway: Gateway, key: str) -> tuple[float, float]:
    """What a key spent, and what is held for it."""
    told = await get(gateway, key, "/v1/keys/self")
    return told["spent"], told["held"]


def billed(upstream: SimServer) -> float:
    return upstream.stats()["billed_usd"]


# --- budgets ----------------------------------------------------------------------------------------------------------


async def test_what_a_request_cost_is_spent(open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="1", per="month")
    assert await draw(gateway, key, n=2) == 2
    assert await standing(gateway, key) == (pytest.approx(billed(upstream)), 0)


async def test_beyond_its_budget_a_key_is_out_of_quota(open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="0.10", per="day")
    assert await draw(gateway, key) == 1
    with pytest.raises(openai.RateLimitError, match=r"this key's budget of \$0\.10") as caught:
        await draw(gateway, key, prompt="a blue kite")
    assert caught.value.code == "insufficient_quota"
    # OpenAI's clients try a 429 again unless they are told that it is of no use.
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 25 * 3600
    assert billed(upstream) <= 0.10


async def test_openai_s_client_does_not_ask_again_for_money(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="0.01")
    asked = 0

    async def count(_request: object) -> None:
        nonlocal asked
        asked += 1

    client = openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=2)
    client._client.event_hooks["request"].append(count)
    async with client:
        with pytest.raises(openai.RateLimitError):
            await client.images.generate(model=MODEL, prompt="a red kite")
    assert asked == 1


async def test_fifty_at_once_never_pass_a_budget(open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="0.50")

    async def one(number: int) -> int:
        try:
            return await draw(gateway, key, prompt=f"kite {number}")
        except openai.RateLimitError:
            return 0

    came = sum(await asyncio.gather(*(one(number) for number in range(50))))
    assert billed(upstream) <= 0.50
    spent, held = await standing(gateway, key)
    assert (spent, held) == (pytest.approx(billed(upstream)), 0)
    # What was set aside for those that were let in is the most that they can cost, so some room may be left.
    assert came >= 2
    assert came * 0.067 <= 0.50


async def test_replicas_share_a_budget(open_gateway: Opener, upstream: SimServer) -> None:
    gateways = await open_gateway(), await open_gateway(replica="b")
    key = await make_key(budget="0.30")

    async def one(number: int) -> int:
        try:
            return await draw(gateways[number % 2], key, prompt=f"kite {number}")
        except openai.RateLimitError:
            return 0

    assert sum(await asyncio.gather(*(one(number) for number in range(12)))) >= 1
    assert billed(upstream) <= 0.30
    assert (await standing(gateways[1], key))[1] == 0


async def test_a_key_without_a_price_to_go_by_is_refused(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="20")
    with pytest.raises(openai.APIStatusError):
        await draw(gateway, key, model="sim/no-such-model")
    assert await standing(gateway, key) == (0, 0)


async def test_what_was_refused_costs_nothing(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="1", rpm=1, models="nano-banana-*")
    with pytest.raises(openai.PermissionDeniedError):
        await draw(gateway, key, model="flux-2-pro")
    assert await draw(gateway, key) == 1
    with pytest.raises(openai.RateLimitError):
        await draw(gateway, key, prompt="a blue kite")
    spent, held = await standing(gateway, key)
    assert spent <= PRICE
    assert held == 0


async def test_a_repeat_is_paid_for_once(open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    key = await make_key(budget="1", rpm=1)
    same = {"extra_headers": {"Idempotency-Key": "one and the same"}}
    assert await draw(gateway, key, **same) == 1
    assert await draw(gateway, key, **same) == 1
    assert (await standing(gateway, key))[0] == pytest.approx(billed(upstream))


# --- use --------------------------------------------------------------------------------------------------------------


async def test_use_by_key_model_and_day(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    admin, app = await make_key("boss", role="admin"), await make_key("app")
    assert await draw(gateway, app, n=2) == 2
    assert await draw(gateway, app, model="flux-2-pro") == 1
    assert await draw(gateway, admin) == 1
    told = await get(gateway, admin, "/v1/usage", by="key,model")
    lines = {(line["key"], line["model"]): line for line in told["data"]}
    assert {place: (line["requests"], line["pictures"]) for place, line in lines.items()} == {
        ("app", DRAWN): (1, 2),
        ("app", "flux-2-pro"): (1, 1),
        ("boss", DRAWN): (1, 1),
    }
    assert told["total"]["pictures"] == 4
    assert told["total"]["cost"] == pytest.approx(sum(line["cost"] for line in told["data"]))
    own = await get(gateway, app, "/v1/usage", by="day")
    assert own["total"]["pictures"] == 3
    assert own["key"]["name"] == "app"
    of_app = await get(gateway, admin, "/v1/usage", of="app", model="flux-2-pro")
    assert of_app["total"]["pictures"] == 1


async def test_use_is_nobody_else_s_business(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    app = await make_key("app")
    await make_key("other")
    for path in ("/v1/usage?of=other", "/v1/keys", "/v1/keys/other"):
        async with (
            aiohttp.ClientSession(gateway.url, headers={"x-api-key": "", "Authorization": f"Bearer {app}"}) as it,
            it.get(path) as page,
        ):
            assert page.status == 403, path


async def test_use_as_a_table(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key("=cmd()")
    assert await draw(gateway, key) == 1
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/csv"}
    async with (
        aiohttp.ClientSession(gateway.url, headers=headers) as session,
        session.get("/v1/usage", params={"by": "key,day"}) as page,
    ):
        assert page.content_type == "text/csv"
        (line,) = csv.DictReader(io.StringIO(await page.text()))
    # A spreadsheet would carry out what begins with "=".
    assert line["key"] == "'=cmd()"
    assert (line["requests"], line["pictures"]) == ("1", "1")


async def test_what_a_usage_question_cannot_be(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key()
    async with aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {key}"}) as session:
        for query in ({"by": "prompt"}, {"since": "yesterday"}):
            async with session.get("/v1/usage", params=query) as page:
                assert page.status == 400, query


# --- keys over HTTP ---------------------------------------------------------------------------------------------------


async def test_an_admin_makes_changes_and_revokes_keys(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    admin = await make_key("boss", role="admin")
    async with aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {admin}"}) as session:
        async with session.post("/v1/keys", json={"name": "app", "budget": 5, "per": "week", "max_n": 2}) as page:
            assert page.status == 201
            made = await page.json()
        assert (made["budget"], made["per"], made["state"]) == (5.0, "week", "live")
        assert await draw(gateway, made["key"]) == 1
        async with session.post("/v1/keys/app/rotate") as page:
            new = (await page.json())["key"]
        assert await draw(gateway, new, prompt="a blue kite") == 1
        with pytest.raises(openai.AuthenticationError):
            await draw(gateway, made["key"])
        async with session.get("/v1/keys") as page:
            text = await page.text()
            assert [each["name"] for each in (await page.json())["data"]] == ["boss", "app"]
        assert new not in text
        assert made["key"] not in text
        async with session.delete("/v1/keys/app") as page:
            assert (await page.json())["state"] == "revoked"
        with pytest.raises(openai.AuthenticationError):
            await draw(gateway, new)


@pytest.mark.parametrize(
    "wish",
    [
        {"name": ""},
        {"name": "app", "budget": 0},
        {"name": "app", "budget": "much"},
        {"name": "app", "per": "month"},
        {"name": "app", "budget": 5, "per": "hour"},
        {"name": "app", "routes": ["nowhere"]},
        {"name": "app", "rpm": 0},
        {"name": "app", "expires": "soon"},
        {"name": "app", "role": "king"},
        {"name": "app", "models": [1]},
        {"name": "boss"},
        {"name": "app", "no_such_field": 1},
    ],
)
async def test_what_no_key_can_have(open_gateway: Opener, wish: dict[str, object]) -> None:
    gateway = await open_gateway()
    admin = await make_key("boss", role="admin")
    async with (
        aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {admin}"}) as session,
        session.post("/v1/keys", json=wish) as page,
    ):
        assert page.status == 400
        assert (await page.json())["error"]["message"]


async def test_the_first_key_is_not_made_over_http(gateway: Gateway) -> None:
    async with (
        aiohttp.ClientSession(gateway.url) as session,
        session.post("/v1/keys", json={"name": "mine", "role": "admin"}) as page,
    ):
        assert page.status == 403
