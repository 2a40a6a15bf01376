"""Models are compared by naming several: each makes its n pictures, and what one cannot do stops no other."""

import pytest

from cavendish import AsyncClient, ConfigError, RequestError
from cavendish.front.asking import each_with, models_named
from cavendish.model.fault import FaultKind

BOTH = ["nano-banana-2.1", "nano-banana-pro"]
NAMES = ["Nano Banana 2.1", "Nano Banana Pro"]


@pytest.mark.parametrize(
    "said, models",
    [
        (None, ()),
        ("", ()),
        ("a", ("a",)),
        ("a, b,", ("a", "b")),
        (["a", "b"], ("a", "b")),
        (("google/a",), ("google/a",)),
    ],
)
def test_several_models_are_a_list_or_have_commas(said, models):
    assert models_named(said) == models


def test_what_is_no_name_is_refused():
    with pytest.raises(RequestError, match="model must be a list of words"):
        models_named([1])  # type: ignore[list-item]


def test_models_are_a_column_of_the_grid():
    assert each_with(("a",), {"style": ("ink",)}) == {"style": ("ink",)}
    assert [*each_with(("a", "b"), {"style": ("ink",)})] == ["style", "model"]
    with pytest.raises(RequestError, match="the grid names models too"):
        each_with(("a", "b"), {"model": ("c",)})


@pytest.mark.parametrize("model", [BOTH, ",".join(BOTH)])
async def test_each_model_makes_its_n(client, tmp_path, model):
    result = await client.generate("a kite", model=model, n=2, output=tmp_path / "run")
    assert [picture.route for picture in result] == [
        *["sim/gemini-nano-banana-2.1"] * 2,
        *["sim/gemini-3-pro-image"] * 2,
    ]
    assert [name in (tmp_path / "run" / "index.html").read_text(encoding="utf-8") for name in NAMES] == [True, True]


async def test_a_model_that_fails_stops_no_other(client, tmp_path):
    result = await client.generate("a kite", model=["sim/no-such-model", BOTH[0]], n=2, output=tmp_path / "run")
    assert [picture.route for picture in result] == ["sim/gemini-nano-banana-2.1"] * 2
    assert [failure.kind for failure in result.failures] == [FaultKind.MODEL_NOT_FOUND] * 2
    assert result.asked == 4
    page = (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    assert page.count('class="missing"') == 1


async def test_one_model_under_two_names_is_no_comparison(client, tmp_path):
    with pytest.raises(RequestError, match="nano-banana-pro and nb-pro are not 2 models"):
        await client.generate("a kite", model=["nano-banana-pro", "nb-pro"], output=tmp_path / "run")


async def test_every_row_with_every_model(client, tmp_path):
    rows = [{"prompt": "a kite"}, {"prompt": "a fox [sim:prohibited]"}]
    summary = await client.batch(rows, model=BOTH, n=2, output=tmp_path / "run")
    assert [*summary.models] == NAMES
    assert [(model.pictures, model.failures) for model in summary.models.values()] == [(2, 2), (2, 2)]
    assert summary.rounds == 2
    assert all(model.each_nusd and model.each_s for model in summary.models.values())


async def test_a_grid_of_models_is_a_comparison_when_it_varies_last(client, tmp_path):
    grid = {"style": ["ink", "oil"], "model": BOTH}
    summary = await client.batch(["a kite"], grid=grid, template="{prompt}, {style}", output=tmp_path / "a")
    assert ([*summary.models], summary.rounds) == (NAMES, 2)
    grid = {"model": BOTH, "style": ["ink", "oil"]}
    summary = await client.batch(["a kite"], grid=grid, template="{prompt}, {style}", output=tmp_path / "b")
    assert ([*summary.models], summary.rounds) == (["gemini-nano-banana-2.1", "gemini-3-pro-image"], 0)


THREE = {"nano-banana-2.1": "google", "seedream-4.5": "byteplus", "flux-1.1-pro": "bfl"}


async def test_models_of_three_systems_in_one_run(server, tmp_path):
    settings = {f"endpoints.{place}.api_key": "not-a-key-of-anyone" for place in THREE.values()}
    settings |= {f"endpoints.{place}.base_url": server.urls[place] for place in THREE.values()}
    async with AsyncClient(settings=settings) as client:
        result = await client.generate("a red kite", model=[*THREE], n=2, output=tmp_path / "run")
        wrong = await client.generate("a red kite", model=[*THREE, "google/no-such"], n=1, output=tmp_path / "wrong")
    places = [picture.route.partition("/")[0] for picture in result]
    assert places == [place for place in THREE.values() for _ in range(2)]
    assert not result.simulated
    assert result.cost == pytest.approx(sum(picture.cost for picture in result))
    page = (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    assert page.count('<div class="model">') == 3
    assert [failure.kind for failure in wrong.failures] == [FaultKind.MODEL_NOT_FOUND]
    assert len(wrong) == 3


async def test_a_model_that_no_key_reaches_is_told_before_anything_is_spent(server, tmp_path):
    settings = {"endpoints.google.api_key": "not-a-key-of-anyone", "endpoints.google.base_url": server.urls["google"]}
    async with AsyncClient(settings=settings) as client:
        with pytest.raises(ConfigError, match=r"no key for an endpoint that offers flux-1.1-pro"):
            await client.generate("a red kite", model=[*THREE][::2], output=tmp_path / "run")
    assert server.stats()["requests"] == 0
