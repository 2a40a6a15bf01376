"""Models that were asked the same stand side by side: a column for each, a row for each prompt, prices above."""

import re

import pytest

from cavendish.engine.ports import Tally
from cavendish.front.folder import books, compare, summarise, write_books
from cavendish.front.folder.summary import ModelSum, RunFacts
from cavendish.model.blob import Blob
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Picture, Route, Slot
from tests.front.folder.page import HOSTILE, Page

NAMES = ("Fast & Cheap", "Slow", "Absent")
MODELS = ("fast", "slow", "absent")


def slot(round_, place, ordinal=0, prompt=None):
    row = round_ * len(MODELS) + place
    request = ImageRequest.of(prompt or f"prompt {round_}", MODELS[place])
    return Slot(f"{row}.{ordinal}", f"{row + 1:04d}", row, ordinal, request)


def drawn(where, cost_nusd=40_000_000, latency_s=2.0, **fields):
    blob = Blob(f"{where.row:064d}", 9, "image/png", f"{where.key}-{where.ordinal}.png")
    route = Route("sim", where.request.model, where.request.model)
    return Picture(where, blob, 64, 32, route, 1, cost_nusd, latency_s=latency_s, **fields)


def failed(where, cost_nusd=0):
    return Failure(where, Fault(FaultKind.PROHIBITED, charged=Charged.NO), 1, cost_nusd)


def summed(outcomes, root, **facts):
    return summarise(outcomes, Tally(), RunFacts(root, models=NAMES, **facts))


def draw(root, outcomes, **facts):
    return write_books(root, outcomes, summed(outcomes, root, **facts))


def text_of(root, name="index.html"):
    return (root / name).read_text(encoding="utf-8")


USUAL = (
    drawn(slot(0, 0, 0)),
    drawn(slot(0, 0, 1), latency_s=4.0),
    drawn(slot(0, 1, 0), 100_000_000, 30.0),
    failed(slot(0, 1, 1), 10_000_000),
    drawn(slot(1, 0), latency_s=3.0),
    failed(slot(1, 1)),
)


# --- sums -------------------------------------------------------------------------------------------------------------


def test_each_model_has_its_sums(tmp_path):
    summary = summed(USUAL, tmp_path)
    assert dict(summary.models) == {
        "Fast & Cheap": ModelSum(3, 0, 120_000_000, latency_s=9.0),
        "Slow": ModelSum(1, 2, 110_000_000, latency_s=30.0),
        "Absent": ModelSum(),
    }
    assert summary.rounds == 2
    assert summary.to_json()["models"]["Slow"] == {
        "pictures": 1,
        "failures": 2,
        "cost": 0.11,
        "cost_known": True,
        "cost_per_picture": 0.11,
        "seconds_per_picture": 30.0,
    }
    assert summary.to_json()["models"]["Absent"]["cost_per_picture"] is None


def test_people_are_told_them_too(tmp_path):
    lines = summed(USUAL, tmp_path).text().splitlines()
    assert "  Fast & Cheap: 3 pictures, $0.1200, $0.0400 and 3.0 s each" in lines
    assert "  Slow: 1 picture, 2 failed, $0.1100, 30 s" in lines
    assert "  Absent: 0 pictures, $0.0000" in lines


def test_a_run_that_compares_nothing_has_its_models_by_name(tmp_path):
    summary = summarise(USUAL, Tally(), RunFacts(tmp_path))
    assert [*summary.models] == ["fast", "slow"]
    write_books(tmp_path, USUAL, summary)
    assert 'class="compare"' not in text_of(tmp_path)


def test_what_is_not_known_of_one_is_not_known_of_the_sum():
    model = ModelSum().plus(drawn(slot(0, 0), cost_known=False)).plus(drawn(slot(0, 0, 1)))
    assert model == ModelSum(2, 0, 80_000_000, cost_known=False, latency_s=4.0)


# --- the sheet --------------------------------------------------------------------------------------------------------


def test_a_column_for_each_model_and_a_row_for_each_prompt(tmp_path):
    draw(tmp_path, USUAL)
    page = Page(tmp_path / "index.html")
    assert [name.strip() for name in re.findall(r"<h2>([^<]*)", text_of(tmp_path))] == [
        "Fast &amp; Cheap", "Slow", "Absent",
    ]  # fmt: skip
    assert 'style="--k:3"' in text_of(tmp_path)
    rounds = text_of(tmp_path).split('<section class="round">')[1:]
    assert ["prompt 0" in rounds[0], "prompt 1" in rounds[1]] == [True, True]
    cells = [[cell.count('<li class="card') for cell in round_.split('<ul class="cell"')[1:]] for round_ in rounds]
    assert cells == [[2, 2, 0], [1, 1, 0]]
    assert page.words.count("Not there yet") == 2
    assert page.tags.count("ul") == page.ends.count("ul")
    assert page.tags.count("section") == page.ends.count("section") == 2


def test_price_and_time_stand_above_each_model(tmp_path):
    draw(tmp_path, USUAL)
    words = Page(tmp_path / "index.html").words
    assert "$0.0400 a picture" in words or "a picture $0.0400" in words
    assert "3.0 s" in words
    assert "1 of 3" in words


def sums(*pairs):
    return [ModelSum(1, 0, cost, latency_s=latency) for cost, latency in pairs]


@pytest.mark.parametrize(
    "models, cheapest, fastest",
    [
        (sums((1, 9), (2, 3)), 0, 1),
        (sums((2, 3), (1, 3)), 1, None),
        (sums((2, 3)), None, None),
        ([*sums((2, 3), (3, 4)), ModelSum()], None, None),
        ([*sums((2, 3)), ModelSum(1, 0, 1, cost_known=False, latency_s=9)], None, 0),
    ],
)
def test_the_best_is_marked_where_it_is_known_and_alone(tmp_path, models, cheapest, fastest):
    names = [f"m{number}" for number in range(len(models))]
    summary = summarise((), Tally(), RunFacts(tmp_path, models=tuple(names)))
    summary.models.update(zip(names, models, strict=True))  # type: ignore[attr-defined]
    found = compare.heads(summary).split('<div class="model">')[1:]
    assert [number for number, head in enumerate(found) if "cheapest" in head] == [*filter(is_there, [cheapest])]
    assert [number for number, head in enumerate(found) if "fastest" in head] == [*filter(is_there, [fastest])]


def is_there(value):
    return value is not None


def test_a_round_is_never_torn_by_the_end_of_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "CELLS_PER_PAGE", 7)
    outcomes = [drawn(slot(round_, place, n)) for round_ in range(5) for place in range(3) for n in range(2)]
    written = draw(tmp_path, outcomes)
    assert written.pages == ("index.html", "index-2.html", "index-3.html")
    assert [text_of(tmp_path, name).count('class="round"') for name in written.pages] == [2, 2, 1]
    assert all(text_of(tmp_path, name).count('class="model"') == 3 for name in written.pages)


def test_what_came_in_after_the_sums_stands_on_the_last_page(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "CELLS_PER_PAGE", 3)
    outcomes = [drawn(slot(round_, 0)) for round_ in range(4)]
    written = write_books(tmp_path, outcomes, summed(outcomes[:2], tmp_path))
    assert [text_of(tmp_path, name).count('class="round"') for name in written.pages] == [1, 3]


def test_a_round_that_was_skipped_leaves_no_hole(tmp_path):
    draw(tmp_path, [drawn(slot(0, 0)), drawn(slot(2, 1))])
    assert text_of(tmp_path).count('class="round"') == 2


def test_a_run_without_any_outcome_shows_its_models(tmp_path):
    assert draw(tmp_path, []).pages == ("index.html",)
    assert text_of(tmp_path).count('class="model"') == 3


def test_names_and_prompts_are_only_text(tmp_path):
    outcomes = [drawn(slot(0, 0, prompt=HOSTILE))]
    facts = RunFacts(tmp_path, models=(HOSTILE, "b", "c"))
    write_books(tmp_path, outcomes, summarise(outcomes, Tally(), facts))
    page = Page(tmp_path / "index.html")
    assert page.tags.count("script") == 1
    assert not [name for name in page.attributes if name.startswith("on")]


def test_many_pictures_are_shown_by_their_thumbs(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "FEW_PICTURES", 0)
    draw(tmp_path, [drawn(slot(0, 0))])
    assert 'src="0001-0.png"' in text_of(tmp_path)  # no such file, so no thumb of it
