"""From a request to pictures on disk, at every system: only the model and the endpoint change."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cavendish import AsyncClient
from cavendish.catalog.load import load
from cavendish.sim.server import start_server
from cavendish.sim.systems import SYSTEMS
from tests.commandline import cavendish, sim, simulators

__all__ = ["cavendish", "sim", "simulators"]

KEY = "not-a-key-of-anyone"
PRICED = (
    ("gemini-3.1-flash-image", "google"),
    ("gemini-3-pro-image", "google"),
    ("gemini-3.1-flash-image", "apiyi"),
    ("gemini-3.1-flash-image", "apiyi-chat"),
    ("gpt-image-2-all", "apiyi-chat"),
    ("gpt-image-2", "apiyi-images"),
    ("gpt-image-2-all", "apiyi-images"),
    ("seedream-4.5", "apiyi-ark"),
    ("gpt-image-2.6-sunburst", "openai"),
    ("gpt-image-2", "openai"),
    ("seedream-5.0-pro", "byteplus"),
    ("seedream-5.0-lite", "byteplus"),
    ("seedream-4.5", "volcengine"),
    ("seedream-4.0", "volcengine"),
    ("flux-1.1-pro", "bfl"),
    ("flux-1.1-pro-ultra", "bfl"),
    ("flux-kontext-pro", "bfl"),
    ("flux-2-pro", "bfl"),
    ("flux-1.1-pro", "fal"),
    ("gemini-3.1-flash-image", "fal"),
    ("flux-2-pro", "fal-direct"),
    ("gemini-3.1-flash-image", "openrouter"),
    ("gemini-3.1-flash-image", "openrouter-images"),
    ("imagen-4.0-generate-001", "google-imagen"),
    ("gemini-3-pro-image", "vertex-express"),
)
UNPRICED = (("any-model-at-all", "local"),)
"""A machine of one's own sends no bill."""


@pytest.fixture
async def server():
    server = await start_server("fast", mode="tiny")
    yield server
    await server.close()


def settings_for(server, endpoint: str) -> dict[str, str]:
    return {f"endpoints.{endpoint}.base_url": server.urls[endpoint], f"endpoints.{endpoint}.api_key": KEY}


async def drawn(server, model: str, endpoint: str, folder: Path, prompt: str = "a red kite", **asked):
    settings = settings_for(server, endpoint)
    async with AsyncClient(via=endpoint, model=model, settings=settings) as client:
        return await client.generate(prompt, output=folder, **asked)


def whole_pictures(folder: Path) -> list[tuple[int, int]]:
    """The sizes of the pictures in a folder, each read to its end."""
    sizes = []
    for path in sorted(folder.glob("0*.*")):
        with Image.open(path) as picture:
            picture.load()
            sizes.append(picture.size)
    return sizes


def test_every_endpoint_of_the_catalog_is_asked_for_pictures():
    tried = {endpoint for _, endpoint in (*PRICED, *UNPRICED)}
    # Vertex AI with a login has tests of its own: no key opens it.
    assert {system.endpoint for system in SYSTEMS} - {"vertex"} <= tried
    formats = {load().endpoints[endpoint].dialect for endpoint in tried}
    assert formats == {endpoint.dialect for endpoint in load().endpoints.values()}


@pytest.mark.parametrize("model, endpoint", PRICED)
async def test_three_pictures_lie_on_the_disk_and_what_they_cost_is_known(server, tmp_path, model, endpoint):
    result = await drawn(server, model, endpoint, tmp_path, n=3)
    assert not result.failures
    assert len(result.pictures) == len(whole_pictures(tmp_path)) == 3
    assert all(picture.cost_known for picture in result.pictures)
    assert result.cost == pytest.approx(server.stats()["billed_usd"])
    assert result.cost > 0
    assert len({picture.sha256 for picture in result.pictures}) == 3
    assert server.stats()["pictures"] == 3


@pytest.mark.parametrize("model, endpoint", UNPRICED)
async def test_where_nothing_is_billed_there_are_pictures_too(server, tmp_path, model, endpoint):
    settings = {f"endpoints.{endpoint}.base_url": server.urls[endpoint]}
    async with AsyncClient(via=endpoint, model=model, settings=settings) as client:
        result = await client.generate("a red kite", n=3, output=tmp_path)
    assert len(result.pictures) == len(whole_pictures(tmp_path)) == 3
    assert set(server.stats()["keys"]) == {"no key"}


SHAPED = (
    ("gpt-image-2", "openai", {"size": "1K", "aspect_ratio": "3:2"}, (1536, 1024)),
    ("seedream-4.5", "byteplus", {"size": "2K", "aspect_ratio": "16:9"}, None),
    ("flux-1.1-pro", "bfl", {"aspect_ratio": "16:9"}, (1024, 576)),
    ("flux-1.1-pro", "fal", {"aspect_ratio": "3:4"}, (768, 1024)),
    ("gemini-3.1-flash-image", "apiyi-chat", {"size": "2K", "aspect_ratio": "1:1"}, (2048, 2048)),
    ("gemini-3.1-flash-image", "openrouter", {"size": "4K", "aspect_ratio": "1:1"}, (4096, 4096)),
)


@pytest.mark.parametrize("model, endpoint, shape, pixels", SHAPED)
async def test_a_size_and_a_ratio_arrive_however_they_are_said(server, tmp_path, model, endpoint, shape, pixels):
    await drawn(server, model, endpoint, tmp_path, **shape)
    known = load().models[model].sizes[shape.get("size", "1K")].pixels[shape["aspect_ratio"]]
    assert whole_pictures(tmp_path) == [pixels or known]


@pytest.mark.parametrize(
    "model, endpoint",
    [
        ("gpt-image-2", "openai"),
        ("seedream-4.5", "byteplus"),
        ("flux-kontext-pro", "bfl"),
        ("gemini-3.1-flash-image", "fal"),
        ("gemini-3.1-flash-image", "apiyi-chat"),
        ("gemini-3.1-flash-image", "openrouter-images"),
    ],
)
async def test_a_picture_can_be_drawn_upon(server, tmp_path, model, endpoint):
    look = tmp_path / "look.png"
    Image.new("RGB", (64, 64), "teal").save(look)
    result = await drawn(server, model, endpoint, tmp_path / "out", "make it night", references=[look])
    assert not result.failures
    assert len(whole_pictures(tmp_path / "out")) == 1


REFUSED = (
    ("gpt-image-2", "openai"),
    ("seedream-4.5", "byteplus"),
    ("flux-1.1-pro", "bfl"),
    ("flux-1.1-pro", "fal"),
    ("gemini-3.1-flash-image", "fal-direct"),
    ("gemini-3.1-flash-image", "openrouter"),
    ("gemini-3.1-flash-image", "apiyi-chat"),
    ("imagen-4.0-generate-001", "google-imagen"),
)


@pytest.mark.parametrize("model, endpoint", REFUSED)
async def test_a_refused_picture_is_drawn_anew(server, tmp_path, model, endpoint):
    result = await drawn(server, model, endpoint, tmp_path, "a kite [sim:image_safety,times=1]", n=2)
    assert not result.failures
    assert len(whole_pictures(tmp_path)) == 2
    assert sum(server.stats()["refused"].values()) == 1


@pytest.mark.parametrize(
    "model, endpoint, fault",
    [
        ("seedream-4.5", "byteplus", "short"),
        ("seedream-4.5", "byteplus", "image_safety"),
        ("gemini-3.1-flash-image", "fal", "image_safety"),
        ("imagen-4.0-generate-001", "google-imagen", "image_safety"),
        ("gpt-image-2", "openai", "image_safety"),
        ("gemini-3.1-flash-image", "openrouter-images", "short"),
    ],
)
async def test_what_a_call_of_several_leaves_out_is_drawn_after_all(server, tmp_path, model, endpoint, fault):
    prompt = f"four seasons [sim:{fault},hits=1,times=1]"
    # At its lowest tier OpenAI admits five pictures a minute, and the client asks for no more.
    n = 2 if endpoint == "openai" else 4
    result = await drawn(server, model, endpoint, tmp_path, prompt, n=n)
    assert not result.failures
    assert len(whole_pictures(tmp_path)) == n
    assert sum(server.stats()["refused"].values()) <= 1


@pytest.mark.parametrize(
    "model, endpoint, fault",
    [
        *((model, endpoint, "server_error") for model, endpoint in REFUSED),
        ("gpt-image-2", "openai", "terse_429"),
        ("flux-1.1-pro", "bfl", "overloaded"),
        ("flux-1.1-pro", "fal", "html_502"),
        ("seedream-4.5", "byteplus", "cut"),
    ],
)
async def test_trouble_passes(server, tmp_path, model, endpoint, fault):
    result = await drawn(server, model, endpoint, tmp_path, f"a kite [sim:{fault},times=1,latency=0]")
    assert not result.failures
    assert len(whole_pictures(tmp_path)) == 1


# --- what a client makes of each system's errors ---------------------------------------------------------------------

SYSTEMS_WITH_KEYS = (
    *REFUSED,
    ("gemini-3.1-flash-image", "openrouter-images"),
    ("gpt-image-2", "apiyi-images"),
    ("seedream-4.5", "apiyi-ark"),
)
TROUBLES = {
    "a bad key": ("bad-key", "a kite", {"bad_key"}),
    "no credit": (KEY, "a kite [sim:no_credit]", {"no_credit"}),
    # Black Forest Labs answers 403 to a key that is none.
    "no right": (KEY, "a kite [sim:forbidden]", {"forbidden", "bad_key"}),
    "a refused prompt": (KEY, "a kite [sim:prompt_blocked]", {"prompt_blocked"}),
}


@pytest.mark.parametrize("model, endpoint", SYSTEMS_WITH_KEYS)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_shape_of_an_error_alone_tells_what_it_is(server, tmp_path, model, endpoint, trouble):
    key, prompt, kinds = TROUBLES[trouble]
    settings = {**settings_for(server, endpoint), f"endpoints.{endpoint}.api_key": key}
    async with AsyncClient(via=endpoint, model=model, settings=settings) as client:
        result = await client.generate(prompt, output=tmp_path)
    (failure,) = result.failures
    assert failure.kind in kinds
    assert server.stats()["requests"] == 1


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model, endpoint, prefix", [("gpt-image-2", "openai", "/openai/v1"), ("flux-1.1-pro", "bfl", "/bfl")]
)
def test_only_the_model_and_the_endpoint_change(cavendish, sim, tmp_path, monkeypatch, model, endpoint, prefix):
    monkeypatch.setenv(f"CAVENDISH_{endpoint.upper()}_BASE_URL", sim.url + prefix)
    monkeypatch.setenv(f"{endpoint.upper()}_API_KEY", KEY)
    ran = cavendish("generate", "a red kite", "-m", model, "--via", endpoint, "-n", 3, "-o", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    assert len(whole_pictures(tmp_path / "out")) == 3
    lines = (tmp_path / "out" / "metadata.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["route"].partition("/")[0] for line in lines} == {endpoint}
    assert KEY not in ran.out + ran.err + "".join(lines)
