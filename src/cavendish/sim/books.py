"""The simulator's own books: what it billed and refused and how fast it was called, to hold the client's against."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..catalog.cards import PriceCard
from ..model.money import as_float, for_tokens
from ..model.usage import Usage

MINUTE_S = 60.0
RECENT = 24
MINUTES_KEPT = 24 * 60
BILLED_KEPT = 20_000
"""Calls on the bill that can be looked at one by one; the sums go on."""


def price(card: PriceCard | None, usage: Usage, grounding: Iterable[str] = (), *, piece: int | None = None) -> int:
    """What a call costs in nano-dollars, one search of each kind of grounding.

    ``piece`` is what one picture costs where its tokens have no price. Where the catalog knows no price the simulator
    bills none.
    """
    if card is None:
        return 0
    if card.per_request is not None:
        return card.per_request
    words = usage.input_tokens - usage.input_image_tokens
    input_image = card.input_image if card.input_image is not None else card.input
    by_piece = usage.images * (piece or 0) if card.output_image is None else 0
    return (
        by_piece
        + for_tokens(words, card.input or 0)
        + for_tokens(usage.input_image_tokens, input_image or 0)
        + for_tokens(usage.output_image_tokens, card.output_image or 0)
        + for_tokens(usage.output_text_tokens + usage.thought_tokens, card.output_text or 0)
        + len(set(grounding) - set(card.free_searches)) * (card.per_search or 0)
    )


def listed_price(card: PriceCard | None, size: str, quality: str | None = None) -> int | None:
    """The price of one picture by the list, ``None`` when it has none there."""
    if card is None:
        return None
    return card.per_picture.get(f"{quality}/{size}", card.per_picture.get(size))


@lru_cache(maxsize=1024)
def masked(key: str) -> str:
    """A name for a key that does not give it away."""
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:8]}" if key else "no key"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call as it was answered. ``at`` in monotonic seconds; ``outcome`` is ``ok`` or why there was no picture.

    ``id`` is what the caller is told that the call is named, empty for a line of a batch; ``wall`` is in seconds since
    the epoch.
    """

    number: int
    at: float
    key: str
    model: str
    size: str
    prompt: str
    outcome: str
    pictures: int
    billed_nusd: int
    endpoint: str = ""
    id: str = ""
    wall: float = 0.0


@dataclass(slots=True)
class Account:
    """The sums of one key."""

    requests: int = 0
    pictures: int = 0
    billed_nusd: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    max_starts_in_a_minute: int = 0
    starts: deque[float] = field(default_factory=deque[float])

    def start(self, now: float) -> None:
        """Count a call that was let in, and keep the fullest minute."""
        while self.starts and self.starts[0] + MINUTE_S <= now:
            self.starts.popleft()
        self.starts.append(now)
        self.max_starts_in_a_minute = max(self.max_starts_in_a_minute, len(self.starts))

    def add(self, entry: Entry) -> None:
        """Count an answer."""
        self.requests += 1
        self.pictures += entry.pictures
        self.billed_nusd += entry.billed_nusd
        if entry.outcome != "ok":
            self.refused[entry.outcome] += 1


class Books:
    """All accounts, by masked key."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.recent: deque[Entry] = deque(maxlen=RECENT)
        self.billed: deque[Entry] = deque(maxlen=BILLED_KEPT)
        self.starts_by_minute: dict[int, int] = {}
        self.in_flight = 0
        self.max_in_flight = 0

    def clear(self) -> None:
        """Begin anew; what is in flight stays so."""
        self.accounts.clear()
        self.recent.clear()
        self.billed.clear()
        self.starts_by_minute.clear()
        self.max_in_flight = self.in_flight

    def start(self, key: str, now: float) -> None:
        """A call was let in."""
        self._account(key).start(now)
        minute = int(now // MINUTE_S)
        self.starts_by_minute[minute] = self.starts_by_minute.get(minute, 0) + 1
        if len(self.starts_by_minute) > MINUTES_KEPT:
            del self.starts_by_minute[next(iter(self.starts_by_minute))]

    def enter(self, entry: Entry) -> None:
        """A call was answered."""
        self._account(entry.key).add(entry)
        self.recent.append(entry)
        if entry.billed_nusd:
            self.billed.append(entry)

    @contextmanager
    def in_work(self) -> Generator[None]:
        """While a call is being worked on."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    @property
    def billed_nusd(self) -> int:
        """All that was billed."""
        return sum(account.billed_nusd for account in self.accounts.values())

    def stats(self) -> dict[str, Any]:
        """The sums as JSON: money in dollars as a float, and exactly in nano-dollars."""
        accounts = self.accounts
        refused = sum((account.refused for account in accounts.values()), Counter[str]())
        return {
            "requests": sum(account.requests for account in accounts.values()),
            "pictures": sum(account.pictures for account in accounts.values()),
            "billed_usd": as_float(self.billed_nusd),
            "billed_nusd": self.billed_nusd,
            "refused": dict(sorted(refused.items())),
            "rate_limited": sum(refused[reason] for reason in _QUOTA_REASONS),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "max_starts_in_a_minute": max((a.max_starts_in_a_minute for a in accounts.values()), default=0),
            "starts_by_minute": {str(minute): count for minute, count in self.starts_by_minute.items()},
            "keys": {key: _plain(account) for key, account in sorted(accounts.items())},
            "recent": [_plain_entry(entry) for entry in self.recent],
        }

    def _account(self, key: str) -> Account:
        return self.accounts.setdefault(key, Account())


_QUOTA_REASONS = ("rate_limited", "day_quota", "spend_limit", "terse_429")


def _plain(account: Account) -> dict[str, Any]:
    return {
        "requests": account.requests,
        "pictures": account.pictures,
        "billed_usd": as_float(account.billed_nusd),
        "billed_nusd": account.billed_nusd,
        "refused": dict(sorted(account.refused.items())),
        "max_starts_in_a_minute": account.max_starts_in_a_minute,
    }


def _plain_entry(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "model": entry.model,
        "size": entry.size,
        "prompt": entry.prompt,
        "outcome": entry.outcome,
        "billed_usd": as_float(entry.billed_nusd),
    }
