"""Difference: a part of what a bill and our books differ by, with its class and a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from .calls import OurCall


class Kind(StrEnum):
    """Why a bill and our books differ."""

    UNKNOWN_FATE = "unknown fate"
    DRAFTS = "drafts"
    ROUNDING = "rounding"
    PRICE = "price"
    NOT_OURS = "not ours"
    NOT_BILLED = "not billed"
    BOOKED_FREE = "booked as free"
    DAY_BORDER = "day border"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call of unknown fate was found to cost: by attempt, in nano-dollars; 0: it was not billed."""

    folder: Path
    costs_nusd: Mapping[str, int]

    @classmethod
    def of(cls, call: OurCall, amount_nusd: int) -> Verdict:
        """The amount divided among the call's pictures, the odd rest at the first."""
        each, rest = divmod(amount_nusd, len(call.attempts))
        return cls(call.folder, {name: each + (rest if not place else 0) for place, name in enumerate(call.attempts)})


@dataclass(frozen=True, slots=True)
class Difference:
    """``amount_nusd`` is theirs less ours. ``calls`` counts those of ours that it is about, or lines where none are."""

    kind: Kind
    amount_nusd: int
    text: str
    calls: int = 0
    verdicts: tuple[Verdict, ...] = ()

    @property
    def explained(self) -> bool:
        """Whether it is known why."""
        return self.kind is not Kind.UNEXPLAINED


@dataclass(frozen=True, slots=True)
class Account:
    """One bill set against our books. ``left_out`` says in words what could not be compared."""

    source: str
    calls: int
    ours_nusd: int
    theirs_nusd: int
    differences: tuple[Difference, ...] = ()
    left_out: tuple[str, ...] = field(default=())

    @property
    def difference_nusd(self) -> int:
        """Theirs less ours."""
        return self.theirs_nusd - self.ours_nusd

    @property
    def unexplained_nusd(self) -> int:
        """What no reason was found for, with its sign."""
        return sum(part.amount_nusd for part in self.differences if not part.explained)

    @property
    def explained_nusd(self) -> int:
        """What a reason was found for."""
        return sum(part.amount_nusd for part in self.differences if part.explained)

    @property
    def is_explained(self) -> bool:
        """Whether there is no part without a reason: two that cancel out are two."""
        return all(part.explained for part in self.differences)


class Prices(Protocol):
    """What the catalog says of a call's price."""

    def pictures(self, call: OurCall) -> Collection[int]:
        """What single pictures cost there, in nano-dollars, by any size or quality; none where no price is known."""
        ...

    def is_flat(self, call: OurCall) -> bool:
        """Whether a call costs the same there whatever it uses."""
        ...

    def source(self, call: OurCall) -> str:
        """The offer, and as of when its price is known, for people."""
        ...


def counted(number: int, noun: str = "call") -> str:
    """``1 call``, ``3 calls``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def total(calls: Iterable[OurCall]) -> int:
    """What calls are booked at."""
    return sum(call.booked_nusd for call in calls)
