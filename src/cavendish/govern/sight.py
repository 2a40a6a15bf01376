"""Sight: what is known of a quota at a moment, for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .dimension import Dimension
from .verdict import Closed, Wait


@dataclass(frozen=True, slots=True)
class Sight:
    """Counts of the last minute and of the day, limits that providers named, and what keeps calls from leaving.

    ``pace`` is how many calls a minute are let through, infinite when nothing was found out. ``holders`` says who has
    calls under way, and how many.
    """

    requests: int
    images: int
    tokens: int
    today: int
    day_ends_in_s: float
    day_is_over: bool
    learned: Mapping[Dimension, int]
    pace: float
    holders: Mapping[str, int]
    obstacles: tuple[Wait | Closed, ...]
