"""Governors: one governor per key, endpoint and model, and what they share."""

from __future__ import annotations

from typing import NamedTuple

from ..catalog.cards import Limits
from ..model.request import JsonValue
from .brake import Brake
from .day import DayEnds
from .governor import Governor
from .pacing import DEFAULT_PACING, Pacing
from .purse import Purse

FORM = 1
"""The version of the state's form; another one is not read."""


class Place(NamedTuple):
    """Whose quota it is. ``key`` is a fingerprint, never the key. ``model`` may hold a mode with a quota of its own."""

    endpoint: str
    key: str
    model: str


class Remembered(NamedTuple):
    """What was known of a place when the wall clock said ``wall_s``."""

    wall_s: float
    state: JsonValue

    def then_s(self, now_s: float, wall_s: float) -> float:
        """That moment on this process's monotonic clock. A wall clock that went back since is taken to have stood
        still.
        """
        return now_s - max(0.0, wall_s - self.wall_s)


class Governors:
    """Makes governors and keeps them: models of one key share its purse, keys of one endpoint its brake.

    What an earlier run knew is kept until the place that it is about is asked for, and handed on if it never is.
    """

    def __init__(self, pacing: Pacing = DEFAULT_PACING) -> None:
        self._pacing = pacing
        self._models: dict[Place, Governor] = {}
        self._purses: dict[tuple[str, str], Purse] = {}
        self._endpoints: dict[str, Brake] = {}
        self._past: dict[tuple[str, ...], Remembered] = {}

    def governor(self, place: Place, limits: Limits, ends: DayEnds, now_s: float, wall_s: float) -> Governor:
        """The governor of this place; all but the place matters only at the first time of asking."""
        found = self._models.get(place)
        if found is None:
            found = self._models[place] = self._make(place, limits, ends, now_s, wall_s)
        return found

    def _make(self, place: Place, limits: Limits, ends: DayEnds, now_s: float, wall_s: float) -> Governor:
        account = (place.endpoint, place.key)
        if (endpoint := self._endpoints.get(place.endpoint)) is None:
            endpoint = self._endpoints[place.endpoint] = Brake(self._pacing)
            if past := self._past.pop((place.endpoint,), None):
                endpoint.restore(past.state, past.then_s(now_s, wall_s))
        if (purse := self._purses.get(account)) is None:
            purse = self._purses[account] = Purse.empty(self._pacing)
            if past := self._past.pop(account, None):
                purse.restore(past.state, past.then_s(now_s, wall_s))
        governor = Governor(limits, ends, self._pacing, purse=purse, endpoint=endpoint)
        if past := self._past.pop(place, None):
            governor.restore(past.state, past.then_s(now_s, wall_s), leases=False)
        return governor

    def to_state(self, now_s: float, wall_s: float) -> JsonValue:
        """All that is known, as JSON values, for ``restore`` in another process."""
        known = dict(self._past)
        known.update({(name,): Remembered(wall_s, brake.to_state(now_s)) for name, brake in self._endpoints.items()})
        known.update({account: Remembered(wall_s, purse.to_state(now_s)) for account, purse in self._purses.items()})
        known.update({place: Remembered(wall_s, model.to_state(now_s)) for place, model in self._models.items()})
        return {"form": FORM, "known": [[list(place), past.wall_s, past.state] for place, past in known.items()]}

    def restore(self, state: JsonValue) -> None:
        """Take over what an earlier run's ``to_state`` gave, before any governor is asked for.

        Calls that were in flight then count as starts and as spent. Raises ``ValueError`` when the form is not known.
        """
        try:
            form, known = state["form"], state["known"]
        except (TypeError, KeyError) as error:
            raise ValueError("not a governors' state") from error
        if form != FORM:
            raise ValueError(f"a governors' state of form {form}, not {FORM}")
        self._past = {tuple(place): Remembered(wall_s, past) for place, wall_s, past in known}
