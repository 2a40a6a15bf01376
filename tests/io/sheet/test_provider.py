"""The port of a sheet: cut on arrival, by address and from jobs; refused when it is not worth its price; given up."""

import asyncio
import hashlib
import math
from dataclasses import replace

import pytest

from cavendish.engine.ports import Answer, Cost, Grant, OutOfSpace, Shut, WaitUntil
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.sheet.marks import UNCUT, MarkingInbox, marked, uncut
from cavendish.io.sheet.press import Press
from cavendish.io.sheet.provider import FETCH_TRIES, SheetProvider
from cavendish.io.sheet.trial import GIVEN_UP, SheetQuota, Trial
from cavendish.model.blob import Blob
from cavendish.model.call import Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.plain import from_plain, to_plain
from cavendish.model.request import Image, ImageRequest, Notice, Text
from cavendish.model.usage import Usage
from cavendish.plan.sheet import Grid
from tests.engine.doubles import OpenQuota
from tests.io.sheet.grids import Drawing

GRID = Grid(2, 2)
SHEET = Drawing(2, 2, empty=(3,)).png()
USED = Usage(output_image_tokens=2000)
ID = "attempt-1"


def written(inbox, data, attempt_id=ID) -> Blob:
    writer = inbox.new_blob(attempt_id)
    writer.write(data)
    return writer.finish("image/png")


class Endpoint:
    """Answers calls from a script, into the inbox that real ones write to."""

    def __init__(self, inbox, *script):
        self.inbox = inbox
        self.script = list(script)
        self.calls = []

    async def call(self, call, attempt_id):
        self.calls.append(call)
        item = self.script.pop(0)
        if isinstance(item, bytes):
            item = Done((Text("so be it"), Image(blob=written(self.inbox, item, attempt_id))), (1,), USED)
        if isinstance(item, Done):
            await self.inbox.record(attempt_id, item, call.url if isinstance(call, Fetch) else "")
        return Answer(item, 1.0, "request-1")


class Desk:
    """A lane's port for four slots over a store in memory."""

    def __init__(self, *script, store=None):
        self.store = store or MemoryBlobs()
        self.inbox = MarkingInbox(self.store)
        self.press = Press(self.store)
        self.trial = Trial(3)
        self.endpoint = Endpoint(self.inbox, *script)
        self.port = SheetProvider(self.endpoint, self.inbox, self.press, self.trial).of(GRID, 4)

    async def ask(self, n=4):
        return (await self.port.call(Open(ImageRequest.of("a kite", "m", n=n)), ID)).reply

    async def poll(self, ticket):
        return (await self.port.call(Poll(ticket), ID)).reply


@pytest.fixture
def desk_of():
    """Makes desks, and lets their threads go."""
    made = []

    def make(*script, store=None):
        made.append(Desk(*script, store=store))
        return made[-1]

    yield make
    for one in made:
        one.press.close()


async def test_a_sheet_becomes_its_good_cells_with_the_sheet_before_each(desk_of):
    desk = desk_of(SHEET)
    done = await desk.ask()
    assert [image.cell for image in done.pictures] == [1, 2, 4]
    assert [(f.kind, f.reason, f.charged, f.message) for f in done.shortfall] == [
        (FaultKind.NOT_AN_IMAGE, "empty_cell", Charged.YES, "cell 3 is empty")
    ]
    sheets = [done.parts[place - 1] for place in done.finals]
    assert {desk.store.files[sheet.blob.ref] for sheet in sheets} == {SHEET}
    assert (done.text, done.usage, [notice.code for notice in done.notices]) == ("so be it", USED, ["sheet_cell"])
    assert desk.endpoint.calls[0].request.n == 1
    assert (await desk.store.recorded())[ID] == done
    assert (desk.trial.good, desk.trial.bad_in_a_row) == (1, 0)


async def test_no_grid_is_a_fault_that_was_paid_for(desk_of):
    desk = desk_of(Drawing(3, 3).png(), Drawing(2, 2, twins=(1, 2)).png())
    fault = await desk.ask()
    assert (fault.kind, fault.charged, fault.reason, fault.usage) == (
        FaultKind.NOT_AN_IMAGE,
        Charged.YES,
        "not_a_grid",
        USED,
    )
    assert desk.trial.bad_in_a_row == 1
    twins = await desk.ask()
    assert [fault.kind for fault in twins.shortfall] == [FaultKind.DUPLICATE]
    assert desk.trial.bad_in_a_row == 0


async def test_a_sheet_for_fewer_slots_than_it_was_priced_for_does_not_leave(desk_of):
    desk = desk_of()
    fault = await desk.ask(n=3)
    assert (fault.kind, fault.charged, desk.endpoint.calls) == (FaultKind.NOT_AN_IMAGE, Charged.NO, [])


@pytest.mark.parametrize("kind", [FaultKind.INVALID_REQUEST, FaultKind.TOO_LARGE, FaultKind.IMAGE_SAFETY])
async def test_what_a_sheet_is_refused_for_says_nothing_of_one_picture(desk_of, kind):
    desk = desk_of(Fault(kind, "no", reason="WORD"))
    fault = await desk.ask()
    assert (fault.kind, fault.reason, desk.trial.bad_in_a_row) == (FaultKind.IMAGE_OTHER, "WORD", 1)


@pytest.mark.parametrize("kind", [FaultKind.OVERLOADED, FaultKind.RATE_LIMITED, FaultKind.PROMPT_BLOCKED])
async def test_other_faults_are_passed_on(desk_of, kind):
    desk = desk_of(Fault(kind))
    assert await desk.ask() == Fault(kind)
    assert desk.trial.bad_in_a_row == 0


async def test_a_job_knows_after_a_crash_which_grid_it_draws(desk_of):
    desk = desk_of(Later(Ticket("job-1", data={"own": 1}), 5.0))
    later = await desk.ask()
    ticket = from_plain(to_plain(later.ticket), Ticket)
    next_life = desk_of(SHEET)
    done = await next_life.poll(ticket)
    assert [image.cell for image in done.pictures] == [1, 2, 4]
    assert next_life.endpoint.calls == [Poll(Ticket("job-1", data={"own": 1}))]


async def test_a_job_for_a_picture_of_its_own_is_left_alone(desk_of):
    desk = desk_of(SHEET)
    done = await desk.poll(Ticket("job-1"))
    assert [image.cell for image in done.pictures] == [0]


ADDRESS = Done((Text("here"), Image(uri="https://pictures.example/1")), (1,), USED, response_id="r-1")


def by_address(desk):
    """What comes of fetching the sheet."""
    return Done((Image(blob=written(desk.inbox, SHEET)),), (0,))


async def test_a_sheet_by_its_address_is_fetched_as_a_job_of_its_own(desk_of):
    desk = desk_of(ADDRESS)
    later = await desk.ask()
    assert (await desk.store.recorded(), later.after_s) == ({}, 0.0)
    next_life = desk_of()
    next_life.endpoint.script.append(by_address(next_life))
    done = await next_life.poll(from_plain(to_plain(later.ticket), Ticket))
    assert next_life.endpoint.calls == [Fetch("https://pictures.example/1")]
    assert ([image.cell for image in done.pictures], done.usage, done.text) == ([1, 2, 4], USED, "here")
    assert (await next_life.store.recorded())[ID] == done


async def test_an_address_is_tried_again_and_in_the_end_the_sheet_was_paid_for_in_vain(desk_of):
    hitch = Fault(FaultKind.CONNECT, "no route")
    desk = desk_of(ADDRESS, *[hitch] * (FETCH_TRIES + 1))
    reply = await desk.ask()
    for _ in range(FETCH_TRIES + 1):
        assert isinstance(reply, Later)
        reply = await desk.poll(reply.ticket)
    assert (reply.kind, reply.charged, reply.usage) == (FaultKind.CONNECT, Charged.YES, USED)


async def test_a_crash_before_the_cut_leaves_a_marked_sheet_that_is_cut_to_the_same_cells(desk_of, monkeypatch):
    whole = desk_of(SHEET)
    expected = await whole.ask()
    desk = desk_of(SHEET)
    with monkeypatch.context() as crash:

        async def killed(*_):
            raise KeyboardInterrupt

        crash.setattr(desk.press, "_cut", killed)
        with pytest.raises(KeyboardInterrupt):
            await desk.ask()
    (record,) = (await desk.store.recorded()).values()
    assert uncut(record)[1] == GRID
    await desk.press.finish({ID: record})
    (found,) = (await desk.store.recorded()).values()
    assert [image.blob.sha256 for image in found.pictures] == [image.blob.sha256 for image in expected.pictures]
    assert (found.shortfall, found.usage, found.notices) == (expected.shortfall, expected.usage, expected.notices)
    await desk.press.finish({ID: found})
    assert (await desk.store.recorded())[ID] == found


async def test_a_full_disk_loses_no_sheet(desk_of):
    # Room for the sheet, and not for its cells.
    desk = desk_of(SHEET, store=MemoryBlobs(room_bytes=2 * len(SHEET) + 100))
    with pytest.raises(OutOfSpace):
        await desk.ask()
    (record,) = (await desk.store.recorded()).values()
    assert uncut(record)[1] == GRID


async def test_in_a_folder_the_sheet_is_an_extra_and_cells_survive_the_process(desk_of, tmp_path):
    async with FolderBlobs(tmp_path, ballast_bytes=0) as store:
        done = await desk_of(SHEET, store=store).ask()
        kept = done.parts[done.finals[0] - 1].blob
        data = await asyncio.to_thread((tmp_path / kept.ref).read_bytes)
        assert (kept.ref.split("/")[1], hashlib.sha256(data).hexdigest()) == ("extras", kept.sha256)
    async with FolderBlobs(tmp_path, ballast_bytes=0) as store:
        found = (await store.recorded())[ID]
        assert [image.blob.sha256 for image in found.pictures] == [image.blob.sha256 for image in done.pictures]


def test_a_mark_is_put_on_and_taken_off():
    reply = Done((), (), notices=(Notice("other", "x"),))
    assert uncut(marked(reply, GRID)) == (reply, GRID)
    assert uncut(reply) == (reply, None)
    assert uncut(replace(reply, notices=(Notice(UNCUT, "of a later version"),)))[1] is None


# --- the trial --------------------------------------------------------------------------------------------------------


async def test_the_first_sheet_goes_alone_and_then_as_many_as_may():
    trial = Trial(3)
    quota = SheetQuota(OpenQuota(), trial)
    first = await quota.reserve(Cost(images=4))
    assert isinstance(first, Grant)
    assert await quota.reserve(Cost(images=4)) == WaitUntil(math.inf, "a sheet that is not back yet")
    trial.judged(good=True)
    await quota.settle(first, None, 1.0, 0)
    others = [await quota.reserve(Cost(images=4)) for _ in range(4)]
    assert [isinstance(answer, Grant) for answer in others] == [True, True, True, False]
    await quota.cancel(others[0])
    assert isinstance(await quota.reserve(Cost()), Grant)


async def test_two_bad_sheets_in_a_row_end_the_trial():
    trial = Trial(3)
    quota = SheetQuota(OpenQuota(), trial)
    for good in (False, True, False, False):
        grant = await quota.reserve(Cost())
        assert isinstance(grant, Grant)
        trial.judged(good=good)
        await quota.settle(grant, None, 1.0, 0)
    shut = await quota.reserve(Cost())
    assert isinstance(shut, Shut)
    assert shut.fault.reason == GIVEN_UP


async def test_a_sheet_is_one_picture_to_the_quota_and_a_refused_one_is_not_in_flight():
    inner = OpenQuota(answers=[WaitUntil(5.0, "later"), Shut(Fault(FaultKind.BAD_KEY))])
    asked = []
    inner_reserve = inner.reserve

    async def reserve(cost, *rest):
        asked.append(cost.images)
        return await inner_reserve(cost, *rest)

    inner.reserve = reserve
    trial = Trial(3)
    quota = SheetQuota(inner, trial)
    assert [type(await quota.reserve(Cost(images=4))) for _ in range(3)] == [WaitUntil, Shut, Grant]
    assert (asked, trial.in_flight) == ([1, 1, 1], 1)
