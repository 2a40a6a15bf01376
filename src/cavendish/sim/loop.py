"""An event loop on a virtual clock: time jumps to the next timer, so a day of waiting takes no time at all.

Deterministic: one thread, no sockets, timers in order; work that is sent to threads is done on the spot. When nothing
is ready and no timer is set the program can never go on, and the loop says who waits for what.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAX_TURNS_WITHOUT_TIME = 2_000_000
"""A loop that turns this often while time stands still is going round in circles."""
MAX_VIRTUAL_S = 400 * 86_400.0
"""Longer than any job is worth waiting for; a wait for ever shows up as this."""
RESOLUTION_S = 1e-7
WALL_START = 1_795_200_000.0
"""2026-11-20 18:40 UTC: the moment at which virtual days begin unless told otherwise."""


class Deadlock(RuntimeError):
    """Nothing is ready and nothing ever will be. The message lists the tasks and where each one waits."""


class Livelock(RuntimeError):
    """The loop turns without end while time stands still, or time ran past all reason."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs as fast as the processor allows; ``time()`` is virtual and begins at 0."""

    def __init__(self) -> None:
        self._timeline = _Timeline(self._waiting_tasks)
        super().__init__(self._timeline)
        # The loop asks whether a timer is due by now + resolution: far from 0, less than this is lost in rounding.
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._timeline.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Does the work at once: threads would bring their own order into it. No executor is asked."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's, through the future
            future.set_exception(error)
        return future

    def _waiting_tasks(self) -> str:
        return "\n".join(sorted(_describe(task) for task in asyncio.all_tasks(self))) or "no tasks at all"


class _Timeline(selectors.BaseSelector):
    """Stands where the loop would sleep on its sockets, and moves the time instead."""

    def __init__(self, waiting_tasks: Callable[[], str]) -> None:
        self.now = 0.0
        self._turns = 0
        self._waiting_tasks = waiting_tasks
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock(f"at {self.now:.3f} s nothing is ready and no timer is set\n{self._waiting_tasks()}")
        self._turns += 1
        if timeout > 0:
            # Far from 0 a short wait can be less than the distance to the next float.
            self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
        if self._turns > MAX_TURNS_WITHOUT_TIME or (timeout > 0 and self.now > MAX_VIRTUAL_S):
            self._turns = 0  # so that what is left can be cancelled
            raise Livelock(f"stopped at {self.now:.3f} s\n{self._waiting_tasks()}")
        if timeout > 0:
            self._turns = 0
        return []

    # The loop registers its own wake-up socket, which nothing will ever write to.

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, _number(fileobj), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


def _number(fileobj: int | socket.socket) -> int:
    return fileobj if isinstance(fileobj, int) else fileobj.fileno()


def _describe(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    place = f"{frames[-1].f_code.co_qualname}, line {frames[-1].f_lineno}" if frames else "not begun"
    return f"  {task.get_name()}: {place}"


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new virtual loop. Raises ``Deadlock`` or ``Livelock`` when it cannot end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class VirtualClock:
    """``engine.ports.Clock`` on the running loop's time.

    ``wall_start`` is the wall time at loop time 0, in epoch seconds; choose it near a midnight or a change to summer
    time to test those. ``jumps`` are corrections of the wall clock: ``(loop time in seconds, seconds added from then
    on)``.
    """

    def __init__(self, wall_start: float = WALL_START, jumps: Sequence[tuple[float, float]] = ()) -> None:
        self._wall_start = wall_start
        self._jumps = tuple(jumps)

    def now(self) -> float:
        """Seconds since the epoch."""
        at = self.monotonic()
        return self._wall_start + at + sum(step for when, step in self._jumps if when <= at)

    def monotonic(self) -> float:
        """Virtual seconds since the loop was made."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(max(0.0, seconds))
