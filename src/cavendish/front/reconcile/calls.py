"""Calls: what run folders have on their books, one value for each call, for setting against a bill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.bulk.chunk import is_bulk
from ...io.ledger.reader import LedgerReader
from ...model.attempt import Attempt, AttemptState
from ...model.fault import Charged
from ...model.usage import Usage
from ..order import LEDGER

UNDER_WAY = frozenset({AttemptState.INTENT, AttemptState.WAITING})


@dataclass(frozen=True, slots=True)
class OurCall:
    """One call on our books. ``attempts`` are its ids there: one for each picture that it was asked for.

    ``booked_nusd`` is what the books say it cost. ``unknown``: whether it was billed is not known, and
    ``estimate_nusd`` is what it would have cost; ``unpriced``: it was billed, at a price that is not known. ``ids`` are
    the provider's names for it, ``job`` that of the batch that it was a line of, where it goes by the attempt's own id.
    ``counted``: the provider told what was used.
    """

    folder: Path
    attempts: tuple[str, ...]
    endpoint: str
    model: str
    wire_model: str
    mode: str
    at: float
    booked_nusd: int = 0
    estimate_nusd: int | None = None
    unknown: bool = False
    unpriced: bool = False
    ids: tuple[str, ...] = ()
    job: str = ""
    key: str = ""
    counted: bool = False

    @property
    def name(self) -> tuple[str, str]:
        """Tells calls apart, and has an order that never changes."""
        return str(self.folder), self.attempts[0]


@dataclass(frozen=True, slots=True)
class OurBooks:
    """All calls of some folders that have ended, and how many have not."""

    calls: tuple[OurCall, ...]
    under_way: int = 0


def run_folders(named: Sequence[Path]) -> tuple[Path, ...]:
    """The folders to read: those named, else this one and the run folders right below it, if there are any."""
    if named:
        return tuple(dict.fromkeys(path.resolve() for path in named))
    here = Path.cwd()
    return tuple(path for path in (here, *sorted(here.iterdir())) if (path / LEDGER).is_file())


def read_books(folders: Iterable[Path]) -> OurBooks:
    """Read the books of folders. Blocks. Raises ``FolderError``."""
    calls: list[OurCall] = []
    under_way = 0
    for folder in folders:
        with LedgerReader.open(folder / LEDGER) as reader:
            attempts = list(reader.attempts())
        ended = [attempt for attempt in attempts if attempt.state not in UNDER_WAY]
        under_way += len({attempt.call_id for attempt in attempts} - {attempt.call_id for attempt in ended})
        calls += calls_of(folder, ended)
    return OurBooks(tuple(calls), under_way)


def calls_of(folder: Path, attempts: Iterable[Attempt]) -> Iterator[OurCall]:
    """The calls that attempts were made by."""
    by_call: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_call.setdefault(attempt.call_id, []).append(attempt)
    return (_call(folder, sorted(parts, key=lambda part: (part.place, part.id))) for parts in by_call.values())


def _call(folder: Path, parts: Sequence[Attempt]) -> OurCall:
    first = parts[0]
    unknown = [part for part in parts if part.charged is Charged.UNKNOWN]
    estimates = [part.estimate_nusd for part in unknown]
    jobs = [part.ticket.id for part in parts if part.ticket]
    ids = (part.request_id for part in parts), () if is_bulk(first) else jobs
    return OurCall(
        folder=folder,
        attempts=tuple(part.id for part in parts),
        endpoint=first.route.endpoint,
        model=first.route.model,
        wire_model=first.route.wire_model,
        mode=first.route.mode,
        at=min(part.intent_at for part in parts),
        booked_nusd=sum(part.cost_nusd or 0 for part in parts if part.charged is Charged.YES),
        estimate_nusd=None if None in estimates else sum(each for each in estimates if each is not None),
        unknown=bool(unknown),
        unpriced=any(part.charged is Charged.YES and part.cost_nusd is None for part in parts),
        ids=tuple(dict.fromkeys(each for group in ids for each in group if each)),
        job=jobs[0] if jobs and is_bulk(first) else "",
        key=first.key,
        counted=any(_counted(part.usage) for part in parts),
    )


def _counted(usage: Usage) -> bool:
    return usage.output_image_tokens > 0 or usage.cost_nusd is not None
