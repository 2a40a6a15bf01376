"""Governors: one governor per key, endpoint and model, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..catalog.cards import Limits
from ..model.request import JsonValue
from .brake import Brake
from .day import DayEnds
from .governor import Governor
from .pacing import DEFAULT_PACING, Pacing
from .purse import Purse


class Place(NamedTuple):
    """Whose quota it is. ``key`` is a fingerprint, never the key. ``model`` may hold a mode with a quota of its own."""

    endpoint: str
    key: str
    model: str


Name = tuple[str, ...]
"""Of what something is known: an endpoint, a key at it, or a model with that key."""


class Governors:
    """Makes governors and keeps them: models of one key share its purse, keys of one endpoint its brake.

    What was known before is kept until the place that it is about is asked for.
    """

    def __init__(self, pacing: Pacing = DEFAULT_PACING) -> None:
        self._pacing = pacing
        self._models: dict[Place, Governor] = {}
        self._purses: dict[tuple[str, str], Purse] = {}
        self._endpoints: dict[str, Brake] = {}
        self._past: dict[Name, JsonValue] = {}
        self._then_s = 0.0

    def governor(self, place: Place, limits: Limits, ends: DayEnds) -> Governor:
        """The governor of this place; all but the place matters only at the first time of asking.

        Raises whatever comes of reading a state that is broken.
        """
        found = self._models.get(place)
        if found is None:
            found = self._models[place] = self._make(place, limits, ends)
        return found

    def _make(self, place: Place, limits: Limits, ends: DayEnds) -> Governor:
        account = (place.endpoint, place.key)
        if (endpoint := self._endpoints.get(place.endpoint)) is None:
            endpoint = self._endpoints[place.endpoint] = Brake(self._pacing)
            if (past := self._past.pop((place.endpoint,), None)) is not None:
                endpoint.restore(past, self._then_s)
        if (purse := self._purses.get(account)) is None:
            purse = self._purses[account] = Purse.empty(self._pacing)
            if (past := self._past.pop(account, None)) is not None:
                purse.restore(past, self._then_s)
        governor = Governor(limits, ends, self._pacing, name=place.model, purse=purse, endpoint=endpoint)
        if (past := self._past.pop(tuple(place), None)) is not None:
            governor.restore(past, self._then_s)
        return governor

    def to_state(self, now_s: float) -> Mapping[Name, JsonValue]:
        """What is known of each place that was asked for, as JSON values; moments as seconds from ``now_s``."""
        return {
            **{(name,): brake.to_state(now_s) for name, brake in self._endpoints.items()},
            **{account: purse.to_state(now_s) for account, purse in self._purses.items()},
            **{tuple(place): model.to_state(now_s) for place, model in self._models.items()},
        }

    def restore(self, state: Mapping[Name, JsonValue], then_s: float) -> None:
        """Take over what ``to_state`` gave at ``then_s``, before any governor of it is asked for."""
        self._past, self._then_s = dict(state), then_s
