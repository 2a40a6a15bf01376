"""Attempt: a call as the ledger knows it, from the intent to the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .call import Ticket
from .fault import Charged, Fault
from .result import Route
from .usage import NOTHING_USED, Usage


class AttemptState(StrEnum):
    """Where an attempt stands. An intent without a receipt after a crash is *unknown*."""

    INTENT = "intent"
    WAITING = "waiting"
    SETTLED = "settled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one call is for one slot, on the books.

    ``estimate_nusd`` is the price written down before it left, ``cost_nusd`` what it was found to cost (``None`` until
    settled, and when the price is unknown). Times are seconds since the epoch. A call that was asked for several
    pictures is an attempt for each of its slots: ``shared`` is then the id of the first of them, ``place`` which of the
    call's slots this is (from 0), and what the call cost and used is divided among them.

    ``key`` is the fingerprint of the key that it went with, or of whose account that is; ``request_id`` the provider's
    name for the exchange that it was opened by. Both are empty when not known. A ``hedge`` left while another call for
    the same slot was not answered yet.
    """

    id: str
    slot_id: str
    number: int
    route: Route
    state: AttemptState
    estimate_nusd: int | None
    intent_at: float
    settled_at: float | None = None
    charged: Charged = Charged.UNKNOWN
    cost_nusd: int | None = None
    usage: Usage = NOTHING_USED
    fault: Fault | None = None
    ticket: Ticket | None = None
    shared: str = ""
    place: int = 0
    key: str = ""
    request_id: str = ""
    hedge: bool = False

    @property
    def call_id(self) -> str:
        """The id under which its call is known to the provider's port and to the blob store."""
        return self.shared or self.id
