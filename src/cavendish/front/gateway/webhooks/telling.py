"""Telling: messages about ended jobs, sent again with growing pauses until they arrived or a day is over."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ....io.desk.deliveries import DELIVERED, DUE, GIVEN_UP, Deliveries, Delivery
from ....io.desk.job_lists import JobLists
from ....io.http.posts import PublicPosts, Receipt
from ....io.state.port import StateError
from ..jobs.desk import Desk
from ..jobs.job_page import JobPages
from .signing import secret_of, signed

FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 3 * 3600.0
TRIED_FOR_S: Final = 86_400.0
"""Long enough for somebody to notice and mend a receiver."""

TELL_WITHIN_S: Final = 15.0

LEASE_S: Final = 60.0
"""Who takes a message up has this long to deliver it; more than a try can take."""

AT_ONCE: Final = 16
LOOK_EVERY_S: Final = 2.0
"""How often the books are looked at: jobs end at every replica."""

GONE: Final = 410
"""By which a receiver says that it wants no more of this."""


class Telling:
    """Delivers what is due, for as long as it is open."""

    def __init__(self, desk: Desk, posts: PublicPosts) -> None:
        self._desk = desk
        self._posts = posts
        self._deliveries = Deliveries(desk.books)
        self._lists = JobLists(desk.books)
        self._at_work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._at_work = asyncio.ensure_future(self._keep_telling())

    async def close(self) -> None:
        """Stop. What is not delivered yet is taken up again by the next life, or by another replica."""
        if self._at_work is not None:
            self._at_work.cancel()
            await asyncio.gather(self._at_work, return_exceptions=True)
        await self._posts.close()

    async def _keep_telling(self) -> None:
        while True:
            told = 0
            # Books that are away for a while come back.
            with contextlib.suppress(StateError):
                told = await self.tell_due()
            if not told:
                await asyncio.sleep(LOOK_EVERY_S)

    async def tell_due(self) -> int:
        """Try once to deliver each message that is due. Returns how many those were."""
        due = await self._deliveries.take(AT_ONCE, LEASE_S)
        await asyncio.gather(*map(self._tell, due))
        return len(due)

    async def _tell(self, delivery: Delivery) -> None:
        secret, body = secret_of(self._desk.seal.open(delivery.secret) or ""), await self._body(delivery)
        if body is None:
            await self._deliveries.settle(delivery.id, GIVEN_UP, "the job is not kept any more")
            return
        if secret is None:
            # The operator can mend it, or another replica has the key.
            receipt = Receipt(0, "the gateway cannot read the secret: the key that it was enciphered under has changed")
        else:
            headers = {"Content-Type": "application/json", **signed(delivery.id, self._desk.clock.now(), body, secret)}
            receipt = await self._posts.post(delivery.url, body, headers)
        state, wait_s = next_step(delivery, receipt, self._desk.clock.now(), self._desk.roll())
        await self._deliveries.settle(delivery.id, state, receipt.why, wait_s)

    async def _body(self, delivery: Delivery) -> bytes | None:
        """The message: the job's page, its links fresh with each try."""
        standing = await self._lists.standing(delivery.job)
        if standing is None:
            return None
        page = JobPages(self._desk, str(standing.entry.told.get("base", ""))).page(standing)
        ended = datetime.fromtimestamp(standing.entry.ended_at or delivery.created_at, UTC)
        message: dict[str, Any] = {
            "type": f"job.{page['state']}",
            "timestamp": ended.isoformat().replace("+00:00", "Z"),
            "data": page,
        }
        return orjson.dumps(message)


def next_step(delivery: Delivery, receipt: Receipt, now: float, roll: float) -> tuple[str, float]:
    """What becomes of a message after a try, and after how long it is tried again. ``roll`` in [0, 1) spreads tries."""
    if receipt.arrived:
        return DELIVERED, 0.0
    pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 4.0 ** min(delivery.tries, 20)) * (1 + roll / 4)
    wait_s = max(pause, receipt.retry_after_s)
    late = now + wait_s > delivery.created_at + TRIED_FOR_S
    return (GIVEN_UP, 0.0) if late or receipt.status == GONE else (DUE, wait_s)
