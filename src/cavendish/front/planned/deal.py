"""Deal: which option of a plan draws which picture: in the order of the input, so it is the same whenever asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ...errors import RequestError
from ...model.result import Slot
from ...plan.kinds import Kind
from ..order import BATCH
from ..saved_plan import SavedOption, SavedPlan

PLAN = "plan"
HINTS = ("plan anew: cavendish plan ... --save plan.json",)


class Dealer:
    """Deals the pictures of a plan to its options: of each kind the first so many to the first, and so on.

    The same input gives the same deal, so a run that is resumed deals as it began.
    """

    def __init__(self, plan: SavedPlan) -> None:
        self._plan = plan
        self._left = {group.key: [share.pictures for share in group.shares] for group in plan.groups}
        self._shares = {group.key: group.shares for group in plan.groups}

    def option(self, slot: Slot) -> SavedOption:
        """Who draws the next picture. Raises ``RequestError`` for one that the plan does not have."""
        key = Kind.of(slot.request).key
        left = self._left.get(key, [])
        place = next((place for place, count in enumerate(left) if count), None)
        if place is not None:
            left[place] -= 1
            return self._plan.option(self._shares[key][place].option)
        raise RequestError(f"the plan has no picture like {slot.key}", field=PLAN, hints=HINTS)


def dealt(
    slots: Iterable[Slot], plan: SavedPlan, was_there: Callable[[Slot], bool]
) -> Iterator[tuple[Slot, SavedOption | None]]:
    """Each slot with its option; ``None`` for those that were there before the plan, which counts them no more."""
    dealer = Dealer(plan)
    for slot in slots:
        yield slot, None if was_there(slot) else dealer.option(slot)


def by_jobs(option: SavedOption | None) -> bool:
    """Whether its pictures are made by jobs of a batch API."""
    return option is not None and option.mode == BATCH


def options_of(plan: SavedPlan, slot: Slot) -> list[SavedOption]:
    """The options that draw pictures of this kind, in the order of the plan."""
    key = Kind.of(slot.request).key
    shares = next((group.shares for group in plan.groups if group.key == key), ())
    return [plan.option(share.option) for share in shares if share.pictures]
