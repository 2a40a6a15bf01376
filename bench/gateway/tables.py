"""Tables: what the rounds found, in rows, beside what is aimed at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..measure import Figures
from ..report import Budget, Table, ratio_of
from .peers import DIRECT
from .rounds import Result

TIMES_LITELLM = 10.0
MOST_MB = 150.0
TINY = "tiny"


@dataclass(frozen=True)
class Sheet:
    """Results by gateway and case, in the order in which they came."""

    results: Sequence[Result]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(result.gateway.name for result in self.results))

    @property
    def cases(self) -> list[tuple[str, int]]:
        return list(dict.fromkeys((result.size, result.clients) for result in self.results))

    def of(self, key: str, case: tuple[str, int]) -> Result | None:
        """The result of the gateway of this key or name."""
        size, clients = case
        for result in self.results:
            if key in {result.gateway.key, result.gateway.name} and (result.size, result.clients) == (size, clients):
                return result
        return None


Cell = Callable[[Result, Result], str]
"""Of a result, and that of the upstream alone in the same case."""


def tables(results: Sequence[Result]) -> list[Table]:
    tiny = Sheet([result for result in results if result.size == TINY])
    large = Sheet([result for result in results if result.size != TINY])
    return [
        *([_tiny(tiny)] if tiny.results else []),
        *([_rates(large), _memory(large)] if large.results else []),
    ]


def _tiny(sheet: Sheet) -> Table:
    clients = [_clients(case) for case in sheet.cases]
    columns = ("", *clients, *(f"+p50, +p99 ms, {each}" for each in clients), "CPU ms a request", "failed")
    rows = [
        (name, *_cells(sheet, name, _rate), *_cells(sheet, name, _added), _cpu(sheet, name), _failed(sheet, name))
        for name in sheet.names
    ]
    title = "tiny bodies: requests a second; milliseconds more than straight to the upstream, median and 99th of 100"
    return Table(title, columns, rows, _figures(sheet), _ten_times(sheet))


def _rates(sheet: Sheet) -> Table:
    columns = ("", *_titles(sheet), *(f"CPU ms, {title}" for title in _titles(sheet)), "failed")
    rows = [
        (name, *_cells(sheet, name, _rate), *_cells(sheet, name, _cpu_cell), _failed(sheet, name))
        for name in sheet.names
    ]
    return Table("pictures a second; CPU of the gateway for each", columns, rows, _figures(sheet), _ahead(sheet))


def _memory(sheet: Sheet) -> Table:
    rows = [
        (name, _rest(sheet, name), *_cells(sheet, name, lambda result, _: f"{result.peak_mb:.0f}"))
        for name in sheet.names
        if _all(sheet, name)[0].peak_mb
    ]
    figures = {name: figures for name, figures in _figures(sheet).items() if _all(sheet, name)[0].peak_mb}
    return Table("peak memory in MB", ("", "at rest", *_titles(sheet)), rows, figures, _flat(sheet))


# --- cells ------------------------------------------------------------------------------------------------------------


def _titles(sheet: Sheet) -> list[str]:
    return [_title(case) for case in sheet.cases]


def _title(case: tuple[str, int]) -> str:
    return f"{case[0]}, {_clients(case)}"


def _clients(case: tuple[str, int]) -> str:
    return f"{case[1]} client{'s' * (case[1] > 1)}"


def _cells(sheet: Sheet, name: str, cell: Cell) -> list[str]:
    return [_cell(sheet, name, case, cell) for case in sheet.cases]


def _cell(sheet: Sheet, name: str, case: tuple[str, int], cell: Cell) -> str:
    result = sheet.of(name, case)
    if result is None:
        return "–"
    return cell(result, sheet.of(DIRECT, case) or result)


def _rate(result: Result, _: Result) -> str:
    return f"{result.per_s:,.0f}" if result.per_s >= 100 else f"{result.per_s:.1f}"


def _added(result: Result, direct: Result) -> str:
    """The upstream itself is told as it is, in brackets."""
    p50, p99 = (result.latency_ms(share) for share in (0.5, 0.99))
    if result.gateway.start is None:
        return f"({p50:.2f}; {p99:.2f})"
    return f"{p50 - direct.latency_ms(0.5):.2f}; {p99 - direct.latency_ms(0.99):.2f}"


def _cpu_cell(result: Result, _: Result) -> str:
    return f"{result.cpu_ms:.1f}" if result.cpu_ms else "–"


def _cpu(sheet: Sheet, name: str) -> str:
    """At the most clients, where it is the most even."""
    last = _all(sheet, name)[-1]
    return f"{last.cpu_ms:.2f}" if last.cpu_ms else "–"


def _rest(sheet: Sheet, name: str) -> str:
    return f"{min(result.rest_mb for result in _all(sheet, name)):.0f}"


def _failed(sheet: Sheet, name: str) -> str:
    results = _all(sheet, name)
    kinds = dict.fromkeys(kind for result in results for kind in result.faults)
    said = [f"{sum(result.faults.get(kind, 0) for result in results)} {kind}" for kind in kinds]
    twice = sum(result.bought_twice for result in results)
    return ", ".join([*said, *([f"{twice} bought twice"] if twice else [])]) or "0"


def _all(sheet: Sheet, name: str) -> list[Result]:
    return [result for result in sheet.results if result.gateway.name == name]


def _figures(sheet: Sheet) -> dict[str, Figures]:
    return {name: _figures_of(_all(sheet, name)) for name in sheet.names}


def _figures_of(results: Iterable[Result]) -> Figures:
    figures: Figures = {}
    for result in results:
        case = f"{result.size} {result.clients}"
        figures[f"per_s {case}"] = result.per_s
        figures[f"p50_ms {case}"] = result.latency_ms(0.5)
        figures[f"p99_ms {case}"] = result.latency_ms(0.99)
        figures[f"cpu_ms {case}"] = result.cpu_ms
        figures[f"peak_mb {case}"] = result.peak_mb
        figures[f"failed {case}"] = sum(result.faults.values())
    return figures


# --- what is aimed at -------------------------------------------------------------------------------------------------


def _ten_times(sheet: Sheet) -> tuple[Budget, ...]:
    return _aim(sheet, "litellm", "ten times LiteLLM on tiny bodies", TIMES_LITELLM)


def _ahead(sheet: Sheet) -> tuple[Budget, ...]:
    return (
        *_aim(sheet, "ferrogw", "ahead of the Go gateway on pictures", 1.0),
        *_aim(sheet, "ferrogw-pass", "ahead of the Go gateway where it passes pictures through unread", 1.0),
    )


def _aim(sheet: Sheet, peer: str, promise: str, least: float) -> tuple[Budget, ...]:
    """Our rate is so many times the peer's, in each case; nothing when one of the two was not asked."""
    pairs = [(case, sheet.of("ours", case), sheet.of(peer, case)) for case in sheet.cases]
    times = {case: ratio_of(mine.per_s, theirs.per_s) for case, mine, theirs in pairs if mine and theirs}
    said = ", ".join(f"{_times(value)} at {_title(case)}" for case, value in times.items())
    return (Budget(promise, said, min(times.values()) >= least),) if times else ()


def _times(value: float) -> str:
    return "all against none" if math.isinf(value) else f"{value:.2f}×"


def _flat(sheet: Sheet) -> tuple[Budget, ...]:
    ours = [result.peak_mb for result in sheet.results if result.gateway.key.startswith("ours")]
    return (Budget("under 150 MB at any size", f"{max(ours):.0f} MB", max(ours) < MOST_MB),) if ours else ()
