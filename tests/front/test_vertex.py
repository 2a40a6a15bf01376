"""Vertex AI from a wish to a picture on disk, with a login and a server of this machine."""

import asyncio
import base64
import io
import itertools
import json

import pytest
from PIL import Image

from cavendish import AsyncClient, ConfigError
from cavendish.front.build import Setup
from cavendish.front.checkup import Finding, examine
from cavendish.front.routes import RouteWish
from cavendish.io.auth import HOW_TO_LOG_IN
from cavendish.model.fault import Charged, FaultKind
from tests.io.google_login import ACCOUNT, PROJECT, TOKEN, TokenOffice, service_account
from tests.io.http.server import Server, whole

MODEL = "nano-banana-2.1"
PATH = f"/v1beta1/projects/{PROJECT}/locations/global/publishers/google/models/gemini-nano-banana-2.1:generateContent"
REFUSED = {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "Request had invalid credentials."}}
numbers = itertools.count()


def picture():
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (next(numbers) % 255, 9, 9)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def drawn():
    """An answer as Vertex AI gives it."""
    part = {"inlineData": {"mimeType": "image/png", "data": picture()}}
    usage = {
        "promptTokenCount": 4, "candidatesTokenCount": 1120, "totalTokenCount": 1124, "trafficType": "ON_DEMAND",
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
    }  # fmt: skip
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": usage, "createTime": "2026-11-21T08:00:00Z"}


class Vertex:
    """Draws for the tokens that it takes; ``refuses`` says how many calls it turns away first."""

    def __init__(self):
        self.refuses = 0
        self.server = Server(self.answer)

    @property
    def tokens(self):
        return [heard.headers["authorization"].rpartition("-")[2] for heard in self.server.heard]

    async def answer(self, writer, heard):
        turned_away = len(self.server.heard) <= self.refuses
        status, body = (401, REFUSED) if turned_away else (200, drawn())
        await whole(json.dumps(body).encode(), status)(writer, heard)


@pytest.fixture
async def office():
    one = TokenOffice()
    async with one.server:
        yield one


@pytest.fixture
async def vertex(monkeypatch):
    one = Vertex()
    async with one.server:
        monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", one.server.url)
        yield one


@pytest.fixture
async def login(office, tmp_path, monkeypatch):
    path = await asyncio.to_thread(service_account, tmp_path / "account.json", f"{office.server.url}/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


async def draw(tmp_path, via="vertex", n=1, **options):
    async with AsyncClient(via=via, settings=options) as client:
        return await client.generate("a kite", n=n, model=MODEL, output=tmp_path / "run")


@pytest.mark.usefixtures("login")
async def test_pictures_with_a_login(vertex, office, tmp_path):
    result = await draw(tmp_path, n=3)
    assert (len(result), len(vertex.server.heard), office.given) == (3, 3, 1)
    for heard in vertex.server.heard:
        assert heard.path == PATH
        assert heard.headers["authorization"] == f"Bearer {TOKEN}-1"
        assert "x-goog-api-key" not in heard.headers
        assert "x-goog-user-project" not in heard.headers


@pytest.mark.usefixtures("login")
async def test_no_token_is_written_anywhere(vertex, tmp_path):
    vertex.refuses = 100
    await draw(tmp_path)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.usefixtures("login", "office")
async def test_what_the_user_says_of_the_place_and_who_pays(vertex, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "own-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "payer")
    assert len(await draw(tmp_path)) == 1
    (heard,) = vertex.server.heard
    assert "/projects/own-project/locations/europe-west4/" in heard.path
    assert heard.headers["x-goog-user-project"] == "payer"


@pytest.mark.usefixtures("login")
async def test_a_token_that_was_taken_back_is_replaced(vertex, office, tmp_path):
    vertex.refuses = 1
    result = await draw(tmp_path)
    assert (len(result), vertex.tokens, office.given) == (1, ["1", "2"], 2)


@pytest.mark.usefixtures("login")
async def test_a_second_refusal_is_about_who_asks(vertex, tmp_path):
    vertex.refuses = 100
    result = await draw(tmp_path)
    (failure,) = result.failures
    assert (failure.fault.kind, failure.fault.charged) == (FaultKind.BAD_KEY, Charged.NO)
    assert vertex.tokens == ["1", "2"]


async def test_express_takes_a_key_and_no_place(vertex, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_VERTEX_API_KEY", "express-key")
    assert len(await draw(tmp_path, via="vertex-express")) == 1
    (heard,) = vertex.server.heard
    assert heard.path == "/v1beta1/publishers/google/models/gemini-nano-banana-2.1:generateContent"
    assert heard.headers["x-goog-api-key"] == "express-key"
    assert "authorization" not in heard.headers


async def test_a_token_of_the_users_own_needs_no_login(vertex, tmp_path, monkeypatch):
    monkeypatch.setenv("CAVENDISH_VERTEX_API_KEY", "own-token")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    assert len(await draw(tmp_path)) == 1
    assert vertex.server.heard[0].headers["authorization"] == "Bearer own-token"


async def test_without_a_login_nothing_is_asked(vertex, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    with pytest.raises(ConfigError, match="no login for Google Cloud"):
        await draw(tmp_path)
    assert not vertex.server.heard


async def test_nobody_is_sent_there_unasked(vertex, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    result = await draw(tmp_path, via=())
    assert result.simulated
    assert not vertex.server.heard


@pytest.mark.usefixtures("login")
async def test_an_endpoint_named_with_the_model_is_no_simulation(vertex, tmp_path):
    async with AsyncClient() as client:
        result = await client.generate("a kite", model=f"vertex/{MODEL}", output=tmp_path / "run")
    assert (len(result), result.simulated, len(vertex.server.heard)) == (1, False, 1)


@pytest.mark.parametrize("models", [(MODEL, f"vertex/{MODEL}"), (f"vertex/{MODEL}", MODEL)])
def test_simulated_pictures_do_not_stand_among_its(models, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    routes = Setup().routes(RouteWish())
    routes.resolve(models[0])
    with pytest.raises(ConfigError, match="stand in for no real ones"):
        routes.resolve(models[1])


# --- the checkup -----------------------------------------------------------------------------------------------------


async def checked(name="vertex", *, offline=False):
    setup = await asyncio.to_thread(Setup)
    return next(found for found in await examine(setup, offline=offline) if found.what == name)


LISTED = {
    "publisherModels": [
        {"name": "publishers/google/models/gemini-nano-banana-2.1"},
        {"name": "publishers/google/models/gemini-3-pro-image"},
    ]
}


@pytest.fixture
async def listing(monkeypatch):
    async with Server(whole(json.dumps(LISTED).encode())) as server:
        monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
        yield server


@pytest.mark.usefixtures("login")
async def test_the_checkup_tells_what_the_login_reaches(listing):
    found = await checked()
    assert found.ok
    assert ACCOUNT in found.text
    assert f"projects/{PROJECT}/locations/global" in found.text
    assert "lists 2 models, 2 of the catalog's: gemini-nano-banana-2.1, gemini-3-pro-image" in found.text
    assert TOKEN not in found.text
    (heard,) = listing.heard
    assert heard.path == "/v1beta1/publishers/google/models?pageSize=1000"
    assert heard.headers["authorization"] == f"Bearer {TOKEN}-1"


async def test_the_checkup_of_an_express_key(listing, monkeypatch):
    monkeypatch.setenv("GOOGLE_VERTEX_API_KEY", "express-key")
    found = await checked("vertex-express")
    assert found.ok
    assert listing.heard[0].headers["x-goog-api-key"] == "express-key"


@pytest.mark.usefixtures("login")
async def test_the_checkup_when_the_login_is_refused(vertex, office):
    vertex.refuses = 1
    found = await checked()
    assert not found.ok
    assert "invalid credentials" in found.text


@pytest.mark.usefixtures("login")
async def test_the_checkup_when_there_is_no_token(vertex, office):
    office.refusal = (400, {"error": "invalid_grant", "error_description": "Account was deleted"})
    found = await checked()
    assert not found.ok
    assert "Account was deleted" in found.text
    assert not vertex.server.heard


async def test_the_checkup_without_a_login(tmp_path, monkeypatch):
    assert await checked() == Finding(
        "vertex", None, "no project (CAVENDISH_VERTEX_PROJECT or GOOGLE_CLOUD_PROJECT), so no login is looked for"
    )
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    assert (await checked(offline=True)).text == f"the project is {PROJECT}"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    found = await checked()
    assert (found.ok, found.hints) == (False, HOW_TO_LOG_IN)
