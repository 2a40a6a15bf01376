"""A journal in memory, for stores that keep small replies in one."""

from collections.abc import Collection, Sequence

from cavendish.errors import CavendishError
from cavendish.io.blobs.journaled import Arrival, Placed


class MemoryJournal:
    """Implements ``Journal``. ``placed`` is what ``left`` gives; ``broken``: it is away."""

    def __init__(self) -> None:
        self.arrivals: dict[str, Arrival] = {}
        self.placed: list[Placed] = []
        self.broken = False

    async def put(self, arrival: Arrival) -> None:
        if self.broken:
            raise CavendishError("the books are away")
        self.arrivals[arrival.attempt_id] = arrival

    async def drop(self, attempt_ids: Collection[str]) -> None:
        if self.broken:
            raise CavendishError("the books are away")
        for attempt_id in attempt_ids:
            self.arrivals.pop(attempt_id, None)

    async def of(self, attempt_ids: Collection[str]) -> Sequence[Arrival]:
        return [self.arrivals[attempt_id] for attempt_id in attempt_ids if attempt_id in self.arrivals]

    async def left(self) -> Sequence[Placed]:
        return self.placed
