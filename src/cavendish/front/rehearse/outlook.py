"""Outlook: what a rehearsal found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from ...model.money import as_float
from ..folder.summary import duration, money, plural


@dataclass(frozen=True, slots=True)
class Spread:
    """A tenth of the plays were below ``p10``, half below ``p50``, nine tenths below ``p90``."""

    p10: float
    p50: float
    p90: float

    @classmethod
    def of(cls, found: Sequence[float]) -> Spread:
        """The spread of one figure over all plays; of a single play all three are that one."""
        if len(found) < 2:
            only = found[0] if found else 0.0
            return cls(only, only, only)
        tenths = quantiles(found, n=10, method="inclusive")
        return cls(tenths[0], tenths[4], tenths[8])

    def to_json(self, places: int = 1) -> dict[str, float]:
        """For programs."""
        return {"p10": round(self.p10, places), "p50": round(self.p50, places), "p90": round(self.p90, places)}


@dataclass(frozen=True, slots=True)
class Leg:
    """One route of a rehearsal: how many pictures it drew, and what it took for them, as half of the plays had it."""

    route: str
    mode: str
    keys: int
    pictures: int
    calls: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would come to. Durations in seconds, amounts in nano-dollars.

    ``played`` of ``pictures`` were played in each of ``plays``. ``met`` counts calls without a picture by why, in a
    usual play; ``rate_limited`` of them were told that a limit was reached. ``refills`` are calls that had to be made
    again. ``bound_by`` is what held the run up most.
    """

    pictures: int
    played: int
    plays: int
    seed: int
    seconds: Spread
    cost_nusd: Spread
    delivered: Spread
    calls: int
    refills: int
    rate_limited: int
    met: dict[str, int]
    bound_by: str
    legs: tuple[Leg, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars and seconds."""
        cost = {name: as_float(round(value)) for name, value in self.cost_nusd.to_json(0).items()}
        return {
            "pictures": self.pictures,
            "played": self.played,
            "plays": self.plays,
            "seed": self.seed,
            "seconds": self.seconds.to_json(),
            "cost": cost,
            "delivered": self.delivered.to_json(0),
            "calls": self.calls,
            "refills": self.refills,
            "rate_limited": self.rate_limited,
            "met": self.met,
            "bound_by": self.bound_by,
            "routes": [asdict(leg) for leg in self.legs],
            "notes": list(self.notes),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"rehearsal of {plural(self.pictures, 'picture')}: {self._played()}, nothing was bought"
        yield ""
        yield f"  {'':10} {'one in ten':>14} {'half':>14} {'nine in ten':>14}"
        yield self._row("done in", [duration(value) for value in self._values(self.seconds)])
        yield self._row("cost", [money(round(value)) for value in self._values(self.cost_nusd)])
        yield self._row("pictures", [f"{round(value):,}" for value in self._values(self.delivered)])
        yield ""
        for leg in self.legs:
            keys = f", {leg.keys} keys" if leg.keys > 1 else ""
            yield f"  {leg.route}, {leg.mode}{keys}: {plural(leg.pictures, 'picture')} by {plural(leg.calls, 'call')}"
        yield f"  held up by: {self.bound_by}"
        yield f"  429s: {self.rate_limited:,}; calls made again: {self.refills:,}"
        if self.met:
            told = (f"{kind.replace('_', ' ')} {count:,}" for kind, count in self.met.items())
            yield f"  calls without a picture: {', '.join(told)}"
        yield from (f"  note: {note}" for note in self.notes)

    def _played(self) -> str:
        if self.played >= self.pictures:
            return f"{plural(self.plays, 'play')} of all of it"
        return f"{plural(self.plays, 'play')} of {self.played:,} of them, the rest by the arithmetic of the quota"

    @staticmethod
    def _values(spread: Spread) -> tuple[float, float, float]:
        return spread.p10, spread.p50, spread.p90

    @staticmethod
    def _row(name: str, values: Sequence[str]) -> str:
        return f"  {name:10} " + " ".join(f"{value:>14}" for value in values)
