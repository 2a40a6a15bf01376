"""Hedging as a user asks for it: words, what they mean, and that they are kept with the run."""

import pytest

from cavendish.engine.policy import Hedge
from cavendish.errors import RequestError
from cavendish.front.client import Options
from cavendish.front.recipes import RunWish, hedge_of, of_prompts, read
from cavendish.front.routes import RouteWish


@pytest.mark.parametrize(
    "words, rule",
    [
        (None, None),
        ("45s", Hedge(after_s=45.0)),
        ("45", Hedge(after_s=45.0)),
        ("2m", Hedge(after_s=120.0)),
        ("p95", Hedge(quantile=0.95)),
        ("P99.5", Hedge(quantile=0.995)),
    ],
)
def test_a_time_or_a_share(words, rule):
    assert hedge_of(words) == rule


@pytest.mark.parametrize("words", ["", "soon", "0", "0s", "p100", "p5", "95%", "-3s", "9d"])
def test_what_is_neither_is_told(words, tmp_path):
    with pytest.raises(RequestError, match="hedge"):
        RunWish(tmp_path, hedge=words)
    with pytest.raises(RequestError, match="hedge"):
        Options(hedge=words)


def test_a_folder_keeps_it(tmp_path):
    recipe = of_prompts((), RunWish(tmp_path, hedge="p95"), RouteWish())
    assert read(recipe, tmp_path).run.hedge == "p95"


def test_a_folder_of_an_older_version_has_none(tmp_path):
    recipe = of_prompts((), RunWish(tmp_path), RouteWish())
    del recipe["run"]["hedge"]
    assert read(recipe, tmp_path).run.hedge is None
