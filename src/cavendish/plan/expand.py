"""Expand: rows of wishes into slots, one for each wanted picture, each with a name that stays the same for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..model.identity import digest, slot_id
from ..model.request import ImageRequest, JsonValue
from ..model.result import Slot

SEED_RANGE = 2**31
"""Seeds are 32-bit integers with a sign on Google's wire; the negative half is left alone."""

REFILL_SEED_STEP = 100_003
"""Further apart than any request has pictures, so that a refill's seed is not another slot's."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One row of work: a request whose ``n`` says how many slots it has. ``row`` counts from 0."""

    row: int
    key: str
    request: ImageRequest
    columns: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


class Ordinals:
    """Hands out ordinals, so that two rows that ask for the same thing get different slots.

    ``first_free`` tells, for a form met for the first time, how many ordinals of it were handed out before: 0 unless
    leading rows were skipped because an earlier run settled them. Keeps one small integer for each form.
    """

    def __init__(self, first_free: Callable[[str], int] = lambda _form: 0) -> None:
        self._first_free = first_free
        self._next: dict[int, int] = {}

    def take(self, form: str, count: int) -> int:
        """The first of ``count`` new ordinals of this form."""
        # 60 bits of the digest: a million forms collide with a chance of one in a million, and a collision merely
        # skips an ordinal.
        short = int(form[:15], 16)
        first = self._next.get(short)
        if first is None:
            first = self._first_free(form)
        self._next[short] = first + count
        return first


def slots(wishes: Iterable[Wish], ordinals: Ordinals) -> Iterator[Slot]:
    """The slots of all rows, in order, without holding more than one row."""
    for wish in wishes:
        form = digest(wish.request)
        first = ordinals.take(form, wish.request.n)
        for ordinal in range(wish.request.n):
            yield Slot(
                id=slot_id(form, first + ordinal),
                key=wish.key,
                row=wish.row,
                ordinal=ordinal,
                request=wish.request,
                columns=wish.columns,
            )


def for_slot(slot: Slot, wire_model: str, attempt: int = 1) -> ImageRequest:
    """The request that is sent for one slot: one picture, under the endpoint's name of the model.

    A seed is moved on by the ordinal and by the attempt: the same seed four times would be the same picture four
    times, and a refill with it would draw what was refused again. Where the caller
    did not say what the answer may hold, only the picture is asked for: it spares words that are billed, and answers
    that are nothing but words.
    """
    request = slot.request
    changes: dict[str, JsonValue] = {"n": 1, "model": wire_model}
    if request.seed is not None:
        ordinal = int(slot.id.rsplit(".", 1)[1])
        changes["seed"] = (request.seed + ordinal + (attempt - 1) * REFILL_SEED_STEP) % SEED_RANGE
    if request.modalities is None:
        changes["modalities"] = ("IMAGE",)
    return request.having(**changes)
