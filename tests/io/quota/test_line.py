"""Who asks a shared quota while a visit is under way goes to the next one together with all others who ask."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cavendish.engine.ports import Cost, Grant
from cavendish.govern.counter import Block, Served
from cavendish.govern.verdict import Wait
from cavendish.io.quota.line import Line, Means
from cavendish.io.quota.pulse import Pulse


class Office:
    """A quota far away: each visit waits until it is let through, and brings what was put ready."""

    def __init__(self) -> None:
        self.visits: list[tuple[int, Cost]] = []
        self.answers: list[Served | Exception | None] = []
        self.granted: list[str] = []
        self.returned: list[str] = []
        self.doors = asyncio.Semaphore(0)
        self._tasks: set[asyncio.Task[None]] = set()

    def line(self) -> Line:
        return Line(Means(self.visit, self.take, lambda grant: self.returned.append(grant.id), self.start))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def visit(self, cost: Cost, wanted: int) -> Served | None:
        self.visits.append((wanted, cost))
        await self.doors.acquire()
        answer = (
            self.answers.pop(0) if self.answers else Block(tuple(f"g{len(self.visits)}.{i}" for i in range(wanted)))
        )
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Block):
            self.granted += answer.ids
        return answer

    def take(self, cost: Cost) -> Grant | None:
        del cost
        return Grant(self.granted.pop(0)) if self.granted else None

    def open(self, visits: int = 1) -> None:
        for _ in range(visits):
            self.doors.release()


async def asking(line: Line, count: int, cost: Cost | None = None) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(line.ask(cost or Cost(), 1)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_who_asks_meanwhile_goes_to_the_next_visit() -> None:
    office = Office()
    line = office.line()
    first = await asking(line, 1)
    others = await asking(line, 9)
    office.open(2)
    assert len(set(await asyncio.gather(*first, *others))) == 10
    assert [wanted for wanted, _ in office.visits] == [1, 9]
    assert line.is_shared


async def test_those_for_whom_there_was_none_go_again() -> None:
    office = Office()
    office.answers = [Block(("a", "b"))]
    tasks = await asking(office.line(), 3)
    office.open(2)
    assert {grant.id for grant in await asyncio.gather(*tasks)} == {"a", "b", "g2.0"}
    assert [wanted for wanted, _ in office.visits] == [3, 1]


async def test_all_of_a_party_are_told_to_wait() -> None:
    office = Office()
    wait = Wait(5.0, "ten a minute")
    office.answers = [wait]
    tasks = await asking(office.line(), 3)
    office.open()
    assert await asyncio.gather(*tasks) == [wait] * 3


async def test_what_came_too_late_is_none() -> None:
    office = Office()
    office.answers = [Block(())]
    tasks = await asking(office.line(), 2)
    office.open()
    assert await asyncio.gather(*tasks) == [None, None]


async def test_calls_that_differ_much_do_not_share_a_visit() -> None:
    office = Office()
    line = office.line()
    small, large = await asking(line, 2, Cost(tokens=100)), await asking(line, 1, Cost(images=4, tokens=9000))
    office.open(2)
    await asyncio.gather(*small, *large)
    assert office.visits == [(2, Cost(tokens=100)), (1, Cost(images=4, tokens=9000))]


async def test_those_that_differ_a_little_ask_for_the_most_of_them() -> None:
    office = Office()
    line = office.line()
    tasks = [*await asking(line, 1, Cost(tokens=100, nusd=40))]
    tasks += [*await asking(line, 1, Cost(tokens=130, nusd=39)), *await asking(line, 1, Cost(tokens=120, nusd=41))]
    office.open(2)
    await asyncio.gather(*tasks)
    assert office.visits[1] == (2, Cost(tokens=130, nusd=41))


async def test_who_is_cancelled_takes_nothing_along() -> None:
    office = Office()
    stays, goes, late = await asking(office.line(), 3)
    goes.cancel()
    office.open()
    await stays
    late.cancel()
    await asyncio.gather(goes, late, return_exceptions=True)
    assert late.cancelled() or late.result() not in office.returned
    assert len(office.returned) + len(office.granted) + (not late.cancelled()) == 2


async def test_what_breaks_a_visit_is_told_and_the_line_goes_on() -> None:
    office = Office()
    line = office.line()
    office.answers = [RuntimeError("broken")]
    (first,) = await asking(line, 1)
    (second,) = await asking(line, 1)
    office.open(2)
    with pytest.raises(RuntimeError, match="broken"):
        await first
    assert isinstance(await second, Grant)


def test_a_pulse_counts_what_left_of_late() -> None:
    pulse = Pulse(1.0)
    for moment in (10.0, 10.5, 10.9):
        pulse.beat(moment)
    assert pulse.beats(10.95) == 3
    assert pulse.beats(11.34) == 1
    assert pulse.beats(12.0) == 0
    assert pulse.beats(50.0) == 0
