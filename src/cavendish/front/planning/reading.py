"""Reading: an order's pictures counted by kind; what is in its folder already is not made again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ...io.ledger.reader import LedgerReader
from ...model.request import ImageRequest
from ...model.result import Picture, Slot
from ...plan.expand import Ordinals, slots
from ...plan.kinds import Group, Kind
from ..order import LEDGER, Order

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Counted:
    """What an order comes to. ``digest`` tells its input: the same pictures wanted, whatever of them is there."""

    groups: tuple[Group, ...]
    digest: str

    @property
    def pictures(self) -> int:
        """How many are to be made."""
        return sum(group.pictures for group in self.groups)

    @property
    def kept(self) -> int:
        """How many are there already."""
        return sum(group.kept for group in self.groups)


def counted(order: Order) -> Counted:
    """Look at every slot of an order. Blocks, and reads the input."""
    groups: dict[Kind, Group] = {}
    told = InputDigest()
    done = _Done(order)
    group: Group | None = None
    request: ImageRequest | None = None
    try:
        for slot in slots(order.wishes(0), Ordinals()):
            if group is None or slot.request is not request:
                request = slot.request
                kind = Kind.of(request)
                group = groups.setdefault(kind, Group(kind, request))
                group.meet(request)
            group.add(kept=done.has(slot))
            told.add(slot)
    finally:
        done.close()
    return Counted(tuple(groups.values()), told.text)


class InputDigest:
    """Which pictures are asked for, in their order; however the file that says so is laid out."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def add(self, slot: Slot) -> None:
        """The next picture."""
        self._hash.update(f"{slot.key} {slot.id}\n".encode(errors="surrogatepass"))

    @property
    def text(self) -> str:
        """As it is written in a saved plan."""
        return self._hash.hexdigest()


class _Done:
    """What an earlier run of the folder delivered."""

    def __init__(self, order: Order) -> None:
        path = order.folder / LEDGER
        self._reader = LedgerReader.open(path) if path.is_file() else None

    def has(self, slot: Slot) -> bool:
        standing = self._reader.standing(slot.id) if self._reader else None
        return standing is not None and isinstance(standing.outcome, Picture)

    def close(self) -> None:
        if self._reader:
            self._reader.close()
