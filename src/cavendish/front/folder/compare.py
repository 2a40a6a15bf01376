"""Compare: the sheet of several models that were asked the same: a column for each model, a row for each prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .markup import Html, element, fill, joined
from .summary import ModelSum, Summary, duration, money

CELLS_PER_PAGE = 120
"""Of about four pictures each: as many as a browser lays out at once."""


def rounds_per_page(models: int) -> int:
    """How many prompts a page holds."""
    return max(1, CELLS_PER_PAGE // max(1, models))


def heads(summary: Summary) -> Html:
    """A column's head for each model: what it delivered, its price and its time, the best of them marked."""
    sums = list(summary.models.values())
    cheapest = _best(sums, lambda model: model.each_nusd if model.cost_known else None)
    fastest = _best(sums, lambda model: model.each_s)
    return joined(
        _head(name, model, _marks(cheapest=number == cheapest, fastest=number == fastest))
        for number, (name, model) in enumerate(summary.models.items())
    )


def _head(name: str, model: ModelSum, marks: Iterator[Html]) -> Html:
    facts = (element("div", joined((element("dt", word), element("dd", value)))) for word, value in _facts(model))
    return Html(fill("head_of_model", name=name, marks=joined(marks), facts=joined(facts)))


def _best(sums: Sequence[ModelSum], value: Callable[[ModelSum], float | None]) -> int | None:
    """The place of the smallest value; of none when one is not known or the smallest is not alone."""
    values = [found for model in sums if (found := value(model)) is not None]
    if len(values) < max(2, len(sums)) or values.count(min(values)) > 1:
        return None
    return values.index(min(values))


def _marks(*, cheapest: bool, fastest: bool) -> Iterator[Html]:
    if cheapest:
        yield element("span", "cheapest", class_="best")
    if fastest:
        yield element("span", "fastest", class_="best")


def _facts(model: ModelSum) -> Iterator[tuple[str, str]]:
    more = "" if model.cost_known else " or more"
    if model.each_nusd is not None:
        yield "a picture", f"{money(model.each_nusd)}{more}"
    if model.each_s:
        yield "time each", duration(model.each_s)
    yield "delivered", f"{model.pictures:,} of {model.pictures + model.failures:,}"
    yield "in all", f"{money(model.cost_nusd)}{more}"


def round_of(prompt: str, cells: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """What each model made of one prompt."""
    filled = (
        fill("cell", name=name, cards=joined(Html(card) for card in cards) if cards else _nothing())
        for name, cards in zip(names, cells, strict=True)
    )
    return fill("round", prompt=prompt, cells=joined(Html(cell) for cell in filled))


def _nothing() -> Html:
    return element("li", "Not there yet", class_="missing")
