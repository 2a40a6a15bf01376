"""Rounds: each gateway is asked the same things in turn, several times, so that a busy machine is busy for all."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..measure import PeerMissing, scratch
from .load import Found, Loader, loader, percentile
from .memory import NOTHING, Watch
from .peers import GATEWAYS, MOST_MB, Gateway, Server, serving
from .standin import Running, stand_in

SIZES = {"tiny": "tiny", "2.4": "2.4 MB", "20": "20 MB"}
"""What they are called on the command line, and everywhere else."""


@dataclass(frozen=True)
class Case:
    """Pictures of one size, and how many clients ask for them.

    ``alone``: no two gateways are there at once, for all together would need more memory than the machine has.
    """

    size: str
    clients: tuple[int, ...]
    rounds: int
    seconds: float
    alone: bool = False


@dataclass(frozen=True)
class Plan:
    """``patience_s``: for those who are not done at the end of a round; ``slow_s``: a gateway whose round took so long
    has no further one in this case.
    """

    cases: tuple[Case, ...]
    warm_up_s: float = 1.0
    patience_s: float = 45.0
    slow_s: float = 8.0


FULL = Plan(
    (
        Case("tiny", (1, 16, 64), 3, 1.5),
        Case("2.4 MB", (8, 64), 3, 2.0),
        Case("20 MB", (8, 64), 2, 2.0, alone=True),
    )
)
QUICK = Plan(
    (
        Case("tiny", (1, 16, 64), 1, 1.0),
        Case("2.4 MB", (8,), 1, 1.0),
        Case("20 MB", (8,), 1, 1.0, alone=True),
    ),
    warm_up_s=0.3,
    patience_s=30.0,
)


@dataclass(frozen=True)
class Turn:
    """What one gateway did in one round."""

    found: Found
    peak_mb: float
    rest_mb: float
    cpu_s: float
    calls: int
    """Pictures that were asked of the upstream meanwhile."""


@dataclass(frozen=True)
class Result:
    """All rounds of one gateway in one case; of each figure the median, of memory and faults all."""

    gateway: Gateway
    size: str
    clients: int
    turns: Sequence[Turn]

    @property
    def per_s(self) -> float:
        return median(turn.found.done / turn.found.took_s if turn.found.done else 0.0 for turn in self.turns)

    @property
    def cpu_ms(self) -> float:
        """Of the gateway's processes, for each right answer; 0 for the upstream itself, and when there was none."""
        return median(turn.cpu_s * 1000 / turn.found.done if turn.found.done else 0.0 for turn in self.turns)

    @property
    def peak_mb(self) -> float:
        return max(turn.peak_mb for turn in self.turns)

    @property
    def rest_mb(self) -> float:
        """Before it was asked for anything like this."""
        return self.turns[0].rest_mb

    @property
    def faults(self) -> dict[str, int]:
        kinds = {kind for turn in self.turns for kind in turn.found.faults}
        return {kind: sum(turn.found.faults.get(kind, 0) for turn in self.turns) for kind in sorted(kinds)}

    @property
    def bought_twice(self) -> int:
        """Calls to the upstream that no request asked for."""
        return sum(max(0, turn.calls - turn.found.done - turn.found.failed) for turn in self.turns)

    def latency_ms(self, share: float) -> float:
        return median(percentile(turn.found.latencies_ms, share) for turn in self.turns)


Turns = dict[tuple[Gateway, int], list[Turn]]
"""By gateway and number of clients."""


class Field:
    """All gateways in one case, before one upstream."""

    def __init__(self, case: Case, plan: Plan, load: Loader, upstream: Running, folder: Path) -> None:
        self._case, self._plan, self._load, self._upstream, self._folder = case, plan, load, upstream, folder
        self.turns: Turns = {}

    def side_by_side(self, gateways: Sequence[Gateway]) -> None:
        """All are there all the time, and take turns."""
        with ExitStack() as stack:
            servers = [self._start(gateway, stack) for gateway in gateways]
            for clients in self._case.clients:
                for number in range(self._case.rounds):
                    first = number % len(servers)
                    for server in [*servers[first:], *servers[:first]]:
                        self._turn(server, clients)

    def one_by_one(self, gateways: Sequence[Gateway]) -> None:
        """Each is started for its turn, and ended."""
        for _ in range(self._case.rounds):
            for gateway in gateways:
                if all(self._is_slow(gateway, clients) for clients in self._case.clients):
                    continue
                with ExitStack() as stack:
                    server = self._start(gateway, stack)
                    for clients in self._case.clients:
                        self._turn(server, clients)

    def _is_slow(self, gateway: Gateway, clients: int) -> bool:
        mine = self.turns.get((gateway, clients))
        return bool(mine) and mine[-1].found.took_s > self._plan.slow_s

    def _start(self, gateway: Gateway, stack: ExitStack) -> Server:
        server = stack.enter_context(serving(gateway, self._upstream.url, self._folder / gateway.key))
        self._ask(server, 2, self._plan.warm_up_s)
        return server

    def _ask(self, server: Server, clients: int, seconds: float) -> Found:
        return self._load.run(server.target, self._upstream.letters, clients, seconds, self._plan.patience_s)

    def _turn(self, server: Server, clients: int) -> None:
        """Unless it has shown already that it takes long."""
        if self._is_slow(server.gateway, clients):
            return
        before = self._upstream.calls()
        with Watch(server.pid, MOST_MB) if server.pid else nullcontext(NOTHING) as watch:
            found = self._ask(server, clients, self._case.seconds)
        if watch.killed:
            found.faults = {f"ended at {MOST_MB / 1000:.0f} GB": found.failed}
        if found.faults:
            print(f"  {server.gateway.name}, {self._case.size}, {clients} clients: {found.faults}", file=sys.stderr)
        mine = self.turns.setdefault((server.gateway, clients), [])
        mine.append(Turn(found, watch.peak_mb, watch.begin_mb, watch.cpu_s, self._upstream.calls() - before))


def measure(plan: Plan, only: Collection[str]) -> list[Result]:
    """All cases; those who are not installed are left out, and it is said why."""
    sizes = {SIZES[word] for word in only if word in SIZES} or set(SIZES.values())
    keys = {word for word in only if word not in SIZES}
    wanted = [gateway for gateway in GATEWAYS if not keys or gateway.key in {*keys, "direct"}]
    gateways = [gateway for gateway in wanted if _is_installed(gateway)]
    with loader() as load:
        return [result for case in plan.cases if case.size in sizes for result in _results(case, plan, gateways, load)]


def _is_installed(gateway: Gateway) -> bool:
    with scratch() as folder:
        try:
            if gateway.start:
                gateway.start("", 0, folder)
        except PeerMissing as missing:
            print(f"  {gateway.name}: left out, {missing}", file=sys.stderr)
            return False
    return True


def _results(case: Case, plan: Plan, gateways: Sequence[Gateway], load: Loader) -> list[Result]:
    with scratch() as folder, stand_in(case.size, folder) as upstream:
        field = Field(case, plan, load, upstream, folder)
        if case.alone:
            field.one_by_one(gateways)
        else:
            field.side_by_side(gateways)
        return [Result(gateway, case.size, clients, turns) for (gateway, clients), turns in field.turns.items()]
