"""Use: what each key had done for it and what that cost, by day and model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ..state.port import Link

BY: Final = ("key", "model", "day", "endpoint")
"""What use can be summed by."""

EVER: Final = "9999-12-31"


@dataclass(frozen=True, slots=True)
class Use:
    """A sum over requests, money in nano-dollars. What it is a sum over is empty where it is not told apart.

    ``key`` is the id of a key. ``unknown_nusd`` is what calls of unknown fate may have cost.
    """

    key: str = ""
    model: str = ""
    day: str = ""
    endpoint: str = ""
    requests: int = 0
    pictures: int = 0
    failed: int = 0
    billed_nusd: int = 0
    unknown_nusd: int = 0

    def plus(self, other: Use) -> Use:
        """Both together, as what this one is a sum over."""
        return replace(
            self,
            requests=self.requests + other.requests,
            pictures=self.pictures + other.pictures,
            failed=self.failed + other.failed,
            billed_nusd=self.billed_nusd + other.billed_nusd,
            unknown_nusd=self.unknown_nusd + other.unknown_nusd,
        )


@dataclass(frozen=True, slots=True)
class UseQuestion:
    """Which use is asked for, and told apart by what. Days are inclusive; an empty name is anything."""

    by: tuple[str, ...] = ("day",)
    key: str = ""
    model: str = ""
    since: str = ""
    until: str = EVER


def used(link: Link, question: UseQuestion) -> list[Use]:
    """The sums, in the order of what they are told apart by."""
    rows = link.run(
        _USED, holder=question.key, model=question.model, since=question.since, until=question.until or EVER
    )
    sums: dict[tuple[str, ...], Use] = {}
    for row in rows:
        whole = Use(*row)
        names = {name: getattr(whole, name) if name in question.by else "" for name in BY}
        place = tuple(names[name] for name in question.by)
        sums[place] = sums.get(place, _empty(names)).plus(whole)
    return [sums[place] for place in sorted(sums)]


def _empty(names: dict[str, str]) -> Use:
    return Use(names["key"], names["model"], names["day"], names["endpoint"])


def total(lines: list[Use]) -> Use:
    """All of it."""
    whole = Use()
    for line in lines:
        whole = whole.plus(line)
    return whole


_USED = (
    "SELECT holder, model, day, endpoint, requests, pictures, failed, billed_nusd, unknown_nusd FROM key_sums"
    " WHERE day >= :since AND day <= :until AND (:holder = '' OR holder = :holder)"
    " AND (:model = '' OR model = :model)"
)
