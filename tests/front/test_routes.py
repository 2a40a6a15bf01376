"""Who is asked, with which key: and what is said when a key or a model is no good."""

import base64
import io
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PIL import Image

from cavendish import AsyncClient, ConfigError, FolderError, RequestError
from cavendish.catalog.cards import Limits
from cavendish.front import build
from cavendish.front.build import Setup
from cavendish.front.cli.serve import SIMULATOR_PROFILE
from cavendish.front.routes import RouteWish
from cavendish.model.fault import FaultKind
from cavendish.model.request import ImageRequest
from cavendish.sim.profile import load_profile
from cavendish.sim.quota import QuotaPlan
from cavendish.sim.server import Times, start_server
from tests.io.http.server import Server, whole

MODEL = "nano-banana-2"
ID_AT_APIYI = "apiyi/gemini-3.1-flash-image-preview"
TODAY = datetime(2026, 11, 21, tzinfo=UTC)
"""Between the end of Nano Banana 2 and that of its successor."""


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return TODAY

    monkeypatch.setattr(build, "datetime", Then)


def png():
    file = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "PNG")
    return file.getvalue()


async def drawing(writer, heard):
    """Answers every call with a picture that it never drew before."""
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(png()).decode()}}
    answer = {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}]}
    await whole(json.dumps(answer).encode())(writer, heard)


@pytest.fixture
async def hosts():
    """Servers by name, each noting what it hears."""
    async with AsyncExitStack() as stack:
        names = ("google", "apiyi", "other")
        yield {name: await stack.enter_async_context(Server(drawing)) for name in names}


@pytest.fixture
def environ(monkeypatch, hosts):
    """Sets variables; both real endpoints lead to servers of this test."""

    def set_all(**variables):
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", hosts["google"].url)
        monkeypatch.setenv("APIYI_BASE_URL", hosts["apiyi"].url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def heard(hosts):
    """The keys that each server was shown, in whatever header."""
    return {
        name: [f"{h.headers.get('x-goog-api-key', '')}{h.headers.get('authorization', '')}" for h in server.heard]
        for name, server in hosts.items()
    }


# --- which key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys, options, google, apiyi",
    [
        ({"GEMINI_API_KEY": "one"}, {}, ["one"], []),
        ({"GOOGLE_API_KEY": "two"}, {}, ["two"], []),
        ({"GEMINI_API_KEY": "one", "GOOGLE_API_KEY": "two"}, {}, ["two"], []),
        ({"GEMINI_API_KEY": "one", "CAVENDISH_GOOGLE_API_KEY": "three"}, {}, ["three"], []),
        ({"GEMINI_API_KEY": "", "APIYI_API_KEY": "four"}, {}, [], ["Bearer four"]),
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"}, {"model": "nano-banana-pro"}, ["one"], []),
        # Google's Nano Banana 2 has ended, APIYI's has not; and of modes each has its own.
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"}, {}, [], ["Bearer four"]),
        (
            {"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"},
            {"model": "nano-banana-pro", "mode": "per_request"},
            [],
            ["Bearer four"],
        ),
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"}, {"via": "apiyi"}, [], ["Bearer four"]),
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"}, {"via": ["apiyi", "google"]}, [], ["Bearer four"]),
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four", "CAVENDISH_ENDPOINT": "apiyi"}, {}, [], ["Bearer four"]),
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"}, {"model": f"apiyi/{MODEL}"}, [], ["Bearer four"]),
        ({"GEMINI_API_KEY": "one", "APIYI_API_KEY": "four"}, {"model": ID_AT_APIYI}, [], ["Bearer four"]),
    ],
)
async def test_a_key_is_found_and_goes_to_its_own_host_only(environ, hosts, tmp_path, keys, options, google, apiyi):
    environ(**keys)
    async with AsyncClient() as client:
        result = await client.generate("a kite", output=tmp_path, **{"model": MODEL, **options})
    assert (len(result), result.simulated) == (1, False)
    assert heard(hosts) == {"google": google, "apiyi": apiyi, "other": []}


async def test_a_setting_of_the_program_goes_before_the_environment(environ, hosts, tmp_path):
    environ(GEMINI_API_KEY="one")
    settings = {"endpoints.google.api_key": "mine", "endpoints.google.base_url": hosts["other"].url + "/gate/"}
    async with AsyncClient(settings=settings) as client:
        await client.generate("a kite", model=MODEL, output=tmp_path)
    assert heard(hosts) == {"google": [], "apiyi": [], "other": ["mine"]}
    assert hosts["other"].heard[0].path == "/gate/v1beta/models/gemini-3.1-flash-image:generateContent"


async def test_a_picture_at_another_address_is_fetched_without_the_key(environ, hosts, tmp_path):
    async def leading_away(writer, heard):
        if "generateContent" not in heard.path:
            await whole(png(), content_type="image/png")(writer, heard)
            return
        text = f"![picture]({hosts['other'].url}/pictures/1.png)"
        answer = {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]}
        await whole(json.dumps(answer).encode())(writer, heard)

    hosts["apiyi"].answer = hosts["other"].answer = leading_away
    environ(APIYI_API_KEY="four")
    async with AsyncClient() as client:
        result = await client.generate("a kite", model=MODEL, output=tmp_path)
    assert len(result) == 1
    assert heard(hosts) == {"google": [], "apiyi": ["Bearer four"], "other": [""]}


async def test_without_any_key_the_simulator_answers_and_says_so(tmp_path):
    async with AsyncClient() as client:
        result = await client.generate("a kite [sim:none,latency=0]", output=tmp_path)
        assert result.simulated
        assert result[0].route.startswith("sim/")
    assert "simulated" in (tmp_path / "metadata.jsonl").read_text()
    assert "simulated" in (tmp_path / "index.html").read_text().lower()


@pytest.mark.parametrize(
    "keys, options, words",
    [
        ({}, {"via": "google"}, "there is no key for google"),
        ({}, {"model": f"google/{MODEL}"}, "there is no key for google"),
        ({"GEMINI_API_KEY": "one"}, {"via": "apiyi"}, "there is no key for apiyi"),
        ({"GEMINI_API_KEY": "one"}, {"via": "goggle"}, "no endpoint is named 'goggle'"),
        ({"APIYI_API_KEY": "four"}, {"model": "nano-banana-2.1"}, "no key for an endpoint that offers"),
        ({"GEMINI_API_KEY": "a key"}, {}, "GEMINI_API_KEY: expected a key"),
        ({"GOOGLE_GEMINI_BASE_URL": "https://user:word@host"}, {}, "GOOGLE_GEMINI_BASE_URL: expected an address"),
        ({"GEMINI_API_KEY": "one"}, {"tier": "tier9"}, "no tier 'tier9'"),
    ],
)
async def test_what_leads_nowhere_is_an_error_with_a_way_out(monkeypatch, tmp_path, keys, options, words):
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    async with AsyncExitStack() as stack:
        client = AsyncClient()
        stack.push_async_callback(client.close)
        with pytest.raises(ConfigError) as caught:
            await client.generate("a kite", output=tmp_path, **{"model": MODEL, **options})
    said = str((caught.value, caught.value.hints))
    assert words in said
    assert "a key'" not in said
    assert "word@" not in said


# --- simulated pictures never among real ones -------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"via": ["google", "sim"]}, {"via": ["sim", "google"]}, {"model": f"sim/{MODEL}"}])
async def test_the_simulator_stands_in_for_nobody(environ, hosts, server, monkeypatch, tmp_path, options):
    environ(GEMINI_API_KEY="one", CAVENDISH_SIM_BASE_URL=server.url)
    async with AsyncClient() as client:
        with pytest.raises(ConfigError, match="simulated"):
            await client.generate("a kite", output=tmp_path, **{"model": MODEL, **options})
    assert (server.stats()["requests"], heard(hosts)["google"]) == (0, [])


async def test_the_simulator_may_be_named_when_nothing_else_could_be_meant(server, monkeypatch, tmp_path):
    monkeypatch.setenv("CAVENDISH_SIM_BASE_URL", server.url)
    async with AsyncClient() as client:
        result = await client.generate("a kite", model=f"sim/{MODEL}", output=tmp_path)
    assert (len(result), result.simulated) == (1, True)


async def test_a_folder_of_simulated_pictures_takes_no_real_ones(environ, hosts, client, tmp_path):
    await client.generate("a kite", n=1, model=MODEL, output=tmp_path)
    environ(GEMINI_API_KEY="one")
    async with AsyncClient() as real:
        with pytest.raises(FolderError, match="holds simulated pictures"):
            await real.generate("a kite", n=2, model=MODEL, output=tmp_path)
    assert heard(hosts)["google"] == []


# --- models that end --------------------------------------------------------------------------------------------------


@pytest.fixture
async def strict_google(monkeypatch):
    """A Google of that day: retired ids are gone."""
    server = await start_server("google-tier3", mode="tiny", times=Times(wall=TODAY.timestamp))
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    monkeypatch.setenv("GEMINI_API_KEY", "good-key")
    yield server
    await server.close()


async def test_a_retired_id_is_asked_for_with_a_notice_and_its_404_names_the_successor(strict_google, tmp_path):
    async with AsyncClient() as client:
        result = await client.generate("a kite [sim:none,latency=0]", n=3, model=MODEL, output=tmp_path)
    assert [notice.code for notice in result.notices] == ["model_retired"]
    assert "its successor is gemini-nano-banana-2.1" in result.notices[0].text
    assert result.stopped.kind is FaultKind.MODEL_NOT_FOUND
    assert "use gemini-nano-banana-2.1 instead" in result.stopped.message
    assert (result.asked, len(result.failures)) == (3, 3)
    assert result.billed_nusd == result.unknown_nusd == 0


async def test_strict_asks_for_no_retired_id(strict_google, tmp_path):
    async with AsyncClient(strict=True) as client:
        with pytest.raises(RequestError, match="due to end on 2026-10-29") as caught:
            await client.generate("a kite", model=MODEL, output=tmp_path)
    assert caught.value.field == "model"
    assert strict_google.stats()["requests"] == 0


@pytest.mark.parametrize("name, hint", [("nano-bananna-2", "did you mean nano-banana-2"), ("zzz", "ENDPOINT/zzz")])
async def test_a_name_that_nobody_offers_is_no_matter_of_keys(environ, tmp_path, name, hint):
    environ(GEMINI_API_KEY="one")
    async with AsyncClient() as client:
        with pytest.raises(RequestError, match=f"no model is named '{name}'") as caught:
            await client.generate("a kite", model=name, output=tmp_path)
    assert hint in "\n".join(caught.value.hints)


def test_an_id_of_its_hosts_own_needs_no_endpoint(monkeypatch):
    monkeypatch.setenv("FAL_KEY", "one")
    (found,) = Setup().routes(RouteWish()).resolve("fal-ai/nano-banana-2")
    assert str(found.route) == "fal/gemini-3.1-flash-image"


async def test_a_model_that_nobody_knows_is_a_404_told_in_its_words(strict_google, tmp_path):
    async with AsyncClient() as client:
        result = await client.generate("a kite", model="google/gemini-9-image", output=tmp_path)
    assert result.notices[0].code == "model_unknown"
    assert "models/gemini-9-image is not found" in result.stopped.message


def test_a_model_is_resolved_once_and_its_notices_are_kept_once(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "one")
    routes = Setup().routes(RouteWish())
    assert routes.resolve(MODEL) is routes.resolve(MODEL)
    routes.resolve("gemini-3.1-flash-image")
    assert len(routes.notices) == 1


# --- keys that are no good --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key, kind, words",
    [
        ("bad-key", FaultKind.BAD_KEY, "API key not valid"),
        ("expired-key", FaultKind.BAD_KEY, "API key expired"),
        ("noquota-key", FaultKind.NO_QUOTA, "exceeded your current quota"),
    ],
)
async def test_a_key_that_is_no_good_ends_the_run_at_once_and_a_good_one_completes_it(
    server, monkeypatch, tmp_path, key, kind, words
):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    async with AsyncClient(rpm=6000, settings={"endpoints.google.api_key": key}) as client:
        result = await client.generate("a kite", n=20, concurrency=2, model=MODEL, output=tmp_path)
    assert result.stopped.kind is kind
    assert words in result.stopped.message
    assert key not in str((result.stopped, result.failures))
    assert {failure.kind for failure in result.failures} == {kind}
    assert server.stats()["requests"] <= 2
    assert result.cost == result.unknown_cost == 0
    async with AsyncClient(rpm=6000, settings={"endpoints.google.api_key": "good-key"}) as client:
        whole_ = await client.generate("a kite", n=20, model=MODEL, output=tmp_path)
    assert (len(whole_), whole_.stopped) == (20, None)


@pytest.mark.parametrize(
    "fault, kind, words",
    [("no_credit", FaultKind.NO_CREDIT, "credits are depleted"), ("forbidden", FaultKind.FORBIDDEN, "no right")],
)
async def test_an_account_that_gives_out_in_the_middle_loses_nothing(client, server, tmp_path, fault, kind, words):
    rows = tmp_path / "rows.txt"
    rows.write_text(f"a dog\na cat\na kite [sim:{fault},times=1]\na cow\na pig\n")
    summary = await client.batch(rows, output=tmp_path / "run", concurrency=1)
    assert summary.facts.stopped.kind is kind
    assert words in summary.facts.stopped.message
    assert (summary.delivered, summary.facts.left) == (2, 3)
    # Another one, since this client knows that the key is of no use for now; so do all who share what it learned.
    settings = {"endpoints.sim.base_url": server.url, "state": str(tmp_path / "later")}
    async with AsyncClient(via="sim", settings=settings) as later:
        summary = await later.batch(rows, output=tmp_path / "run", concurrency=1)
    assert (summary.delivered, summary.facts.left, summary.facts.stopped) == (5, 0, None)
    assert server.stats()["pictures"] == 5


async def test_another_key_takes_over_from_one_that_is_no_good(server, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    async with AsyncClient(settings={"endpoints.google.api_key": "bad-key,good-key"}) as client:
        result = await client.generate("a kite", n=5, model=MODEL, output=tmp_path)
    assert (len(result), result.stopped) == (5, None)
    assert len(server.stats()["keys"]) == 2


async def test_another_endpoint_takes_over_from_one_that_shows_the_door(server, environ, hosts, tmp_path):
    environ(GEMINI_API_KEY="bad-key", APIYI_API_KEY="four", GOOGLE_GEMINI_BASE_URL=server.url)
    async with AsyncClient(via=["google", "apiyi"]) as client:
        result = await client.generate("a kite", n=3, model=MODEL, output=tmp_path)
    assert [picture.route for picture in result] == ["apiyi/gemini-3.1-flash-image:per_request"] * 3
    assert set(heard(hosts)["apiyi"]) == {"Bearer four"}


LONGEST = "word " * 200_000
FIELDS = (
    {},
    {"size": "2k", "aspect_ratio": "16x9"},
    {"quality": "high"},
    {"thinking": "HIGH", "n": 3},
    {"seed": 7, "include_thoughts": True},
    {"extra": {"safetySettings": []}},
)


@pytest.mark.parametrize("asked", FIELDS)
def test_a_request_that_differs_in_words_alone_fits_as_the_first_of_its_kind_did(asked):
    """Whatever was fitted before, a request becomes what it would alone, with the same notices."""
    routes = Setup().routes(RouteWish())
    for fields in FIELDS:
        routes.fitted(ImageRequest.of("a fox", MODEL, **fields))
    later, alone = routes.anew(), Setup().routes(RouteWish())
    request = ImageRequest.of("a kite", MODEL, **asked)
    assert later.fitted(request) == alone.fitted(request)
    assert later.notices == alone.notices


@pytest.mark.parametrize("words", [" ", LONGEST, "\ud800"])
def test_words_are_looked_at_whatever_was_fitted_before(words):
    routes = Setup().routes(RouteWish())
    routes.fitted(ImageRequest.of("a fox", MODEL))
    with pytest.raises(RequestError):
        routes.fitted(ImageRequest.of(words, MODEL))


def test_strict_routes_insist_each_time():
    setup = Setup()
    lax = setup.routes(RouteWish())
    lax.fitted(ImageRequest.of("a fox", MODEL, size="2k"))
    strict = replace(lax, wish=RouteWish(strict=True), notices={})
    for _ in range(2):
        with pytest.raises(RequestError):
            strict.fitted(ImageRequest.of("a fox", MODEL, size="2k"))


# --- the simulator behind a gateway ----------------------------------------------------------------------------------


def test_behind_a_gateway_the_simulator_has_no_quota_and_no_fault_that_nobody_asked_for():
    """Else the tests of other people's programs would wait minutes for five pictures of OpenAI's."""
    profile = load_profile(SIMULATOR_PROFILE)
    assert (profile.quota, dict(profile.faults)) == (QuotaPlan(), {})
    setup = Setup(simulator=SIMULATOR_PROFILE)
    for model in (MODEL, "gpt-image-2", "flux-2-pro"):
        routes = setup.routes(RouteWish(via=("sim",)), TODAY.date())
        assert routes.limits(routes.resolve(model)[0]) == Limits()


def test_a_tier_or_rate_that_is_said_holds_behind_a_gateway_too(monkeypatch):
    routes = Setup(simulator=SIMULATOR_PROFILE).routes(RouteWish(via=("sim",), tier="tier1"), TODAY.date())
    assert routes.limits(routes.resolve(MODEL)[0]).spend_per_10_minutes_nusd
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "7")
    routes = Setup(simulator=SIMULATOR_PROFILE).routes(RouteWish(via=("sim",)), TODAY.date())
    assert routes.limits(routes.resolve(MODEL)[0]) == Limits(requests_per_minute=7)


def test_on_the_command_line_it_stands_for_its_provider_s_usual_tier():
    routes = Setup().routes(RouteWish(via=("sim",)), TODAY.date())
    assert routes.limits(routes.resolve(MODEL)[0]).spend_per_10_minutes_nusd
