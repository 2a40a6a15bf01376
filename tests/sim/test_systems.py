"""Each system as a stranger finds it: plain HTTP, and the shapes that its own documents promise, read 2026-05 to 11."""

import json
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cavendish.catalog.load import load
from cavendish.dialects.by_name import DIALECTS
from cavendish.sim.profile import load_profile, names
from cavendish.sim.quota import QuotaPlan
from cavendish.sim.server import Times, start_server
from cavendish.sim.systems import SYSTEMS

KEY = "not-a-key-of-anyone"
PNG = b"\x89PNG\r\n\x1a\n"
BYTEPLUS, FAST = load_profile("byteplus"), load_profile("fast")


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest_asyncio.fixture
async def server(clock):
    server = await start_server("fast", seed=1, mode="tiny", times=Times(monotonic=clock.read))
    yield server
    await server.close()


class Client:
    """Calls one system."""

    def __init__(self, server, endpoint: str, **headers: str) -> None:
        self._base = server.urls[endpoint]
        self._headers = headers

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers, and the body: JSON where it is some, else bytes."""
        url = path if path.startswith("http") else self._base + path
        async with (
            aiohttp.ClientSession(headers={**self._headers, **headers}) as session,
            session.request(method, url, json=body) as answer,
        ):
            data = await answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, answer.headers, json.loads(data) if kind.startswith("application/json") else data

    async def post(self, path: str, body: Any, wish: str = "", status: int = 200) -> Any:
        got, _, said = await self.ask("POST", path, body, **({"X-Cavendish-Sim": wish} if wish else {}))
        assert got == status, said
        return said

    async def get(self, path: str, status: int = 200) -> Any:
        got, _, said = await self.ask("GET", path)
        assert got == status, said
        return said


def without_ours(value: Any) -> Any:
    """The same, after a look that there is nothing in it that only Cavendish says."""
    assert '"cavendish"' not in json.dumps(value)
    return value


# --- all of them -----------------------------------------------------------------------------------------------------


def test_every_system_has_a_profile_an_endpoint_and_a_format():
    for system in SYSTEMS:
        profile = load_profile(system.endpoint)
        assert (profile.name, profile.endpoint) == (system.endpoint, system.endpoint)
        assert load().endpoints[system.endpoint].dialect in DIALECTS
        assert profile.mode == load().endpoints[system.endpoint].default_mode
    assert set(DIALECTS) == {endpoint.dialect for endpoint in load().endpoints.values()}


@pytest.mark.parametrize("name", names())
def test_a_manner_changes_how_fast_and_full_a_system_is_and_nothing_else(name):
    own, fast = load_profile(name), load_profile("fast")
    changed = own.in_the_manner_of(fast)
    assert (changed.latency, changed.faults, changed.bursts) == (fast.latency, fast.faults, fast.bursts)
    assert changed.quota.images_per_minute is None
    assert changed.quota.active_tasks == own.quota.active_tasks
    assert (changed.quirks, changed.jobs, changed.family, changed.endpoint) == (
        own.quirks,
        own.jobs,
        own.family,
        own.endpoint,
    )


async def test_the_books_are_one_for_all(server):
    for endpoint, path, body in (
        ("openai", "/images/generations", {"model": "gpt-image-2", "prompt": "a kite"}),
        ("byteplus", "/images/generations", {"model": "seedream-4-5-251128", "prompt": "a kite"}),
        ("bfl", "/v1/flux-pro-1.1", {"prompt": "a kite"}),
    ):
        await Client(server, endpoint, Authorization=f"Bearer {KEY}").post(path, body)
    assert (server.stats()["requests"], server.stats()["pictures"]) == (3, 3)
    async with aiohttp.ClientSession(server.url) as session, session.post("/stats/reset") as answer:
        assert answer.status == 200
    assert server.stats()["requests"] == 0


@pytest.mark.parametrize(
    "endpoint, path",
    [("openai", "/nothing"), ("byteplus", "/images"), ("fal", "/"), ("openrouter", "/completions"), ("bfl", "/v2/x")],
)
async def test_what_is_not_served_is_an_error_of_that_system(server, endpoint, path):
    status, headers, _ = await Client(server, endpoint, Authorization=f"Bearer {KEY}").ask("POST", path, {})
    assert status == 404
    assert headers["Content-Type"].startswith("application/json")


async def test_a_body_that_is_none_is_refused_in_the_systems_words(server):
    async with aiohttp.ClientSession() as session:
        for kind, data in (("application/json", b"{oops"), ("multipart/form-data", b"oops")):
            url = f"{server.urls['openai']}/images/generations"
            async with session.post(url, data=data, headers={"Content-Type": kind}) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]["type"] == "invalid_request_error"


# --- Black Forest Labs -----------------------------------------------------------------------------------------------


@pytest.fixture
def bfl(server):
    return Client(server, "bfl", **{"x-key": KEY})


async def test_a_task_is_taken_asked_for_and_fetched_while_its_address_lives(bfl, server, clock):
    taken = await bfl.post("/v1/flux-pro-1.1", {"prompt": "a kite", "width": 1024, "height": 768}, "latency=30")
    assert set(taken) == {"id", "polling_url", "cost"}
    assert taken["cost"] == pytest.approx(4.0)  # credits of a cent
    assert taken["polling_url"].startswith(server.urls["bfl"])
    pending = await bfl.get(taken["polling_url"])
    assert (pending["status"], pending["result"]) == ("Pending", None)
    clock.now += 30
    ready = await bfl.get(taken["polling_url"])
    assert (ready["id"], ready["status"]) == (taken["id"], "Ready")
    clock.now += 599
    assert (await bfl.get(ready["result"]["sample"]))[:8] == PNG
    clock.now += 1
    await bfl.get(ready["result"]["sample"], status=403)
    assert server.stats()["billed_usd"] == pytest.approx(0.04)


async def test_the_25th_task_at_once_is_refused_and_one_that_ended_makes_room(bfl, clock):
    for _ in range(24):
        await bfl.post("/v1/flux-pro-1.1", {"prompt": "a kite"}, "latency=30")
    refused = await bfl.post("/v1/flux-pro-1.1", {"prompt": "a kite"}, status=429)
    assert "24 active tasks" in without_ours(refused)["detail"]
    clock.now += 30
    await bfl.post("/v1/flux-pro-1.1", {"prompt": "a kite"})


@pytest.mark.parametrize(
    "fault, state",
    [("prompt_blocked", "Request Moderated"), ("image_safety", "Content Moderated"), ("server_error", "Error")],
)
async def test_a_task_that_came_to_nothing(bfl, clock, server, fault, state):
    taken = await bfl.post("/v1/flux-pro-1.1", {"prompt": f"a kite [sim:{fault}]"})
    clock.now += 30
    assert without_ours(await bfl.get(taken["polling_url"]))["status"] == state
    assert server.stats()["billed_usd"] == 0


async def test_a_task_that_nobody_knows(bfl):
    assert (await bfl.get("/v1/get_result?id=unheard-of"))["status"] == "Task not found"


# --- fal -------------------------------------------------------------------------------------------------------------

FLUX = "/fal-ai/flux-pro/v1.1"


@pytest.fixture
def fal(server):
    return Client(server, "fal", Authorization=f"Key {KEY}")


async def test_a_request_waits_in_the_queue(fal, clock, server):
    taken = await fal.post(FLUX, {"prompt": "a kite", "num_images": 3}, "latency=30")
    assert taken["status"] == "IN_QUEUE"
    status, _, said = await fal.ask("GET", taken["status_url"])
    assert (status, said["status"]) == (202, "IN_PROGRESS")
    await fal.get(taken["response_url"], status=400)
    clock.now += 30
    assert (await fal.get(taken["status_url"]))["status"] == "COMPLETED"
    result = await fal.get(taken["response_url"])
    assert result["has_nsfw_concepts"] == [False] * 3
    for image in result["images"]:
        assert (await fal.get(image["url"]))[:8] == PNG
    assert server.stats()["pictures"] == 3


async def test_some_pictures_are_black(fal, clock):
    taken = await fal.post(FLUX, {"prompt": "a kite", "num_images": 3}, "image_safety,hits=1")
    clock.now += 30
    result = without_ours(await fal.get(taken["response_url"]))
    assert sorted(result["has_nsfw_concepts"]) == [False, False, True]
    assert len(result["images"]) == 3


async def test_a_request_may_end_with_an_error(fal, clock):
    taken = await fal.post(FLUX, {"prompt": "a kite"}, "server_error")
    clock.now += 30
    said = without_ours(await fal.get(taken["status_url"]))
    assert said["status"] == "COMPLETED"
    assert said["error_type"]


async def test_a_refused_prompt_is_told_by_the_result(fal, clock):
    taken = await fal.post(FLUX, {"prompt": "a kite"}, "prompt_blocked")
    clock.now += 30
    said = without_ours(await fal.get(taken["response_url"], status=422))
    assert said["detail"][0]["type"] == "content_policy_violation"


async def test_a_request_can_be_given_up_until_it_has_ended(fal, clock):
    taken = await fal.post(FLUX, {"prompt": "a kite"}, "latency=30")
    status, _, said = await fal.ask("PUT", taken["cancel_url"])
    assert (status, said["status"]) == (202, "CANCELLATION_REQUESTED")
    other = await fal.post(FLUX, {"prompt": "a kite"})
    clock.now += 30
    status, _, said = await fal.ask("PUT", other["cancel_url"])
    assert (status, said["status"]) == (400, "ALREADY_COMPLETED")


async def test_the_direct_form_answers_at_once_and_gives_bytes_where_they_are_asked_for(server):
    direct = Client(server, "fal-direct", Authorization=f"Key {KEY}")
    addresses = await direct.post(FLUX, {"prompt": "a kite", "num_images": 2})
    assert all(image["url"].startswith(server.url) for image in addresses["images"])
    held = await direct.post(FLUX, {"prompt": "a kite", "sync_mode": True})
    assert held["images"][0]["url"].startswith("data:image/")


# --- Ark -------------------------------------------------------------------------------------------------------------

GROUP = {
    "model": "seedream-4-5-251128",
    "prompt": "four seasons",
    "sequential_image_generation": "auto",
    "sequential_image_generation_options": {"max_images": 4},
    "response_format": "b64_json",
}


@pytest.fixture
def ark(server):
    return Client(server, "byteplus", Authorization=f"Bearer {KEY}")


async def test_a_group_has_errors_in_the_place_of_pictures_and_bills_those_that_came(ark, server):
    reply = without_ours(await ark.post("/images/generations", GROUP, "image_safety,hits=1"))
    errors = [entry["error"]["code"] for entry in reply["data"] if "error" in entry]
    assert errors == ["OutputImageSensitiveContentDetected"]
    assert sum("b64_json" in entry for entry in reply["data"]) == reply["usage"]["generated_images"] == 3
    assert server.stats()["billed_usd"] == pytest.approx(3 * 0.04)


async def test_a_group_may_be_smaller_than_it_might(ark):
    reply = await ark.post("/images/generations", GROUP, "short,hits=2")
    assert len(reply["data"]) == reply["usage"]["generated_images"] == 2


async def test_a_group_is_drawn_one_after_another(server):
    site = server.site("byteplus")
    entry = site.sim.menu.find("seedream-4-5-251128", 1_795_200_000.0)
    assert entry.offer.several == "serial"
    assert entry.per_call > 1


async def test_a_streamed_group_says_each_picture_as_it_is_drawn(ark):
    body = await ark.post("/images/generations", {**GROUP, "stream": True}, "image_safety,hits=1")
    blocks = [block.split("\n") for block in body.decode().strip().split("\n\n")]
    assert blocks.pop() == ["data: [DONE]"]
    kinds = [line.removeprefix("event: ") for line, _ in blocks]
    events = [json.loads(line.removeprefix("data: ")) for _, line in blocks]
    assert [event["type"] for event in events] == kinds
    assert sorted(kinds) == sorted(
        ["image_generation.partial_succeeded"] * 3 + ["image_generation.partial_failed", "image_generation.completed"]
    )
    assert kinds[-1] == "image_generation.completed"
    assert events[-1]["usage"]["generated_images"] == 3


async def test_an_address_unless_bytes_are_asked_for_lives_for_a_day(ark, clock):
    wish = {**GROUP, "sequential_image_generation": "disabled", "response_format": "url"}
    (entry,) = (await ark.post("/images/generations", wish))["data"]
    assert (await ark.get(entry["url"]))[:8] == PNG
    clock.now += 86_401
    await ark.get(entry["url"], status=403)


async def test_references_and_pictures_of_a_group_are_fifteen_at_most(ark):
    looks = ["https://x.example/a.png"] * 14
    error = await ark.post("/images/generations", {**GROUP, "image": looks}, status=400)
    assert error["error"]["code"] == "InvalidParameter"


@pytest.mark.parametrize(
    "key, status, code",
    [("", 401, "AuthenticationError"), ("bad", 401, "AuthenticationError"), ("noquota", 403, "AccountOverdueError")],
)
async def test_keys_at_ark(server, key, status, code):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    error = await Client(server, "byteplus", **headers).post("/images/generations", GROUP, status=status)
    assert without_ours(error)["error"]["code"] == code


async def test_pictures_are_counted_by_the_minute_at_ark(clock):
    four = replace(BYTEPLUS, quota=QuotaPlan(images_per_minute=4), latency=FAST.latency)
    server = await start_server("fast", mode="tiny", times=Times(monotonic=clock.read), others=[four])
    try:
        ark = Client(server, "byteplus", Authorization=f"Bearer {KEY}")
        await ark.post("/images/generations", GROUP, "none")
        clock.now += 20
        status, headers, error = await ark.ask("POST", "/images/generations", GROUP)
        assert (status, error["error"]["code"]) == (429, "ModelAccountIpmRateLimitExceeded")
        assert int(headers["Retry-After"]) in {40, 41}
    finally:
        await server.close()


# --- Imagen, OpenRouter ----------------------------------------------------------------------------------------------


async def test_imagen_names_a_filtered_picture_by_a_sentence(server):
    imagen = Client(server, "google-imagen", **{"x-goog-api-key": KEY})
    body = {"instances": [{"prompt": "a kite"}], "parameters": {"sampleCount": 3, "includeRaiReason": True}}
    path = "/v1beta/models/imagen-4.0-generate-001:predict"
    said = without_ours(await imagen.post(path, body, "image_safety,hits=1"))
    assert sorted("raiFilteredReason" in entry for entry in said["predictions"]) == [False, False, True]
    error = await imagen.post(path, {**body, "parameters": {"sampleCount": 5}}, status=400)
    assert error["error"]["status"] == "INVALID_ARGUMENT"


async def test_openrouters_images_say_what_they_cost(server):
    images = Client(server, "openrouter-images", Authorization=f"Bearer {KEY}")
    wish = {"model": "google/gemini-3.1-flash-image-preview", "prompt": "a kite", "resolution": "2K"}
    said = without_ours(await images.post("/images", wish))
    assert len(said["data"]) == 1
    assert said["usage"]["cost"] == pytest.approx(server.stats()["billed_usd"])
    error = await images.post("/images", {**wish, "n": 2}, status=400)
    assert error["error"]["code"] == 400
