"""Sums: what attempts came to, by day, endpoint, model and mode. Made from a ledger, they are the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from ...model.attempt import Attempt
from ...model.fault import Charged
from ...model.result import Outcome, Picture
from .calendar import Calendar

QUARTER_S = 900
"""Every zone's midnight is a whole quarter of an hour from every other's."""


class Key(NamedTuple):
    """What is summed together. The day is that of the intent: the day on which the money was set aside."""

    day: str
    endpoint: str
    model: str
    mode: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Money in nano-dollars; ``unknown_nusd`` is what attempts of unknown fate or price may have cost.

    ``listed_nusd`` is what the pictures cost by the list, as far as that is known: of ``listed`` pictures.
    """

    attempts: int = 0
    pictures: int = 0
    billed_nusd: int = 0
    unknown_nusd: int = 0
    listed: int = 0
    listed_nusd: int = 0

    def plus(self, other: Sum) -> Sum:
        """Both together."""
        return Sum(
            self.attempts + other.attempts,
            self.pictures + other.pictures,
            self.billed_nusd + other.billed_nusd,
            self.unknown_nusd + other.unknown_nusd,
            self.listed + other.listed,
            self.listed_nusd + other.listed_nusd,
        )

    def less_unknown(self, attempts: int, nusd: int) -> Sum:
        """Without attempts that were counted as unknown."""
        return replace(self, attempts=self.attempts - attempts, unknown_nusd=self.unknown_nusd - nusd)

    @property
    def spent_nusd(self) -> int:
        """To a cap, what may have been billed was."""
        return self.billed_nusd + self.unknown_nusd

    @property
    def saved_nusd(self) -> int | None:
        """Less than by the list, its failures included; ``None`` where the list price is not known of all pictures."""
        if not self.pictures or self.listed < self.pictures:
            return None
        return self.listed_nusd - self.billed_nusd


Sums: TypeAlias = Mapping[Key, Sum]

ListPrice: TypeAlias = Callable[[str, str, str], int | None]
"""From an endpoint, a model and a size to a picture's standard price."""


def no_list(_endpoint: str, _model: str, _size: str) -> int | None:
    """No list price is known."""
    return None


def key_of(attempt: Attempt, calendar: Calendar) -> Key:
    """Where an attempt is summed."""
    route = attempt.route
    return Key(calendar.day(attempt.intent_at), route.endpoint, route.model, route.mode)


def sum_of(attempt: Attempt, outcome: Outcome | None, list_price: ListPrice = no_list) -> Sum:
    """What one attempt came to; one without a receipt may have cost what was expected."""
    known = attempt.cost_nusd is not None or attempt.charged is Charged.NO
    unknown_nusd = 0 if known else attempt.estimate_nusd or 0
    if not isinstance(outcome, Picture):
        return Sum(1, 0, attempt.cost_nusd or 0, unknown_nusd)
    size = outcome.slot.request.size or ""
    listed = list_price(attempt.route.endpoint, attempt.route.model, size)
    return Sum(1, 1, attempt.cost_nusd or 0, unknown_nusd, int(listed is not None), listed or 0)


class Group(NamedTuple):
    """Attempts of a ledger that began in one quarter of an hour, as the ledger's own query sums them."""

    quarter: int
    endpoint: str
    model: str
    mode: str
    size: str | None
    attempts: int
    pictures: int
    billed_nusd: int
    unknown_nusd: int


def groups_of(rows: Iterable[tuple[Any, ...]]) -> Iterator[Group]:
    """The groups of a ledger, from the rows of its query."""
    return (Group(*row) for row in rows)


def summed(groups: Iterable[Group], calendar: Calendar, list_price: ListPrice = no_list) -> dict[Key, Sum]:
    """The sums of a ledger."""
    sums: dict[Key, Sum] = {}
    for group in groups:
        key = Key(calendar.day(group.quarter * QUARTER_S), group.endpoint, group.model, group.mode)
        price = list_price(group.endpoint, group.model, group.size or "") if group.pictures else None
        listed = 0 if price is None else group.pictures
        part = Sum(group.attempts, group.pictures, group.billed_nusd, group.unknown_nusd, listed, listed * (price or 0))
        sums[key] = sums.get(key, Sum()).plus(part)
    return sums
