"""What every ledger promises: one list of cases for SQLite and for memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cavendish.engine.ports import Ledger, Standing, Tally
from cavendish.io.ledger.entries import IllegalEntry
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.blob import Blob
from cavendish.model.call import GroundingNote, Source, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.plain import to_plain
from cavendish.model.request import Image, ImageRequest, Notice, Text, Use
from cavendish.model.result import Failure, Route
from cavendish.model.usage import Usage
from tests.io.ledger.entries import PRICE, failure, intent, lost, picture, receipt, slot, waiting

KITE = slot()
USAGE = Usage(120, 100, 3, 1290, 7, 300, 1, 2, cost_nusd=5)


@pytest.fixture(params=["sqlite", "memory"])
async def ledger(request, tmp_path):
    if request.param == "memory":
        yield MemoryLedger()
        return
    async with SqliteLedger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


async def delivered(ledger, wanted, attempt_id="a1", **fields):
    attempt = intent(attempt_id, wanted)
    await ledger.intend(attempt, wanted)
    await ledger.settle(receipt(attempt), picture(wanted, **fields))


async def attempts_of(ledger, slot_id):
    standing = await ledger.standing(slot_id)
    return standing.attempts


async def test_it_is_a_port(ledger):
    port: Ledger = ledger
    assert await port.tally() == Tally()
    assert await port.open_attempts() == []
    assert await port.standing("f0.0") is None


# --- attempts ---------------------------------------------------------------------------------------------------------


async def test_an_intent_is_on_the_books_with_its_slot(ledger):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    assert await ledger.standing(KITE.id) == Standing(KITE.id, None, (attempt,), KITE)
    assert await ledger.open_attempts() == [(attempt, KITE)]


async def test_a_ticket_is_kept(ledger):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    await ledger.waiting(waiting(attempt))
    assert await ledger.open_attempts() == [(waiting(attempt), KITE)]
    other = waiting(attempt, Ticket("job-2"))
    await ledger.waiting(other)
    assert await attempts_of(ledger, KITE.id) == (other,)


@pytest.mark.parametrize("settled", [receipt, lost])
async def test_a_receipt_without_an_outcome_leaves_the_slot_open(ledger, settled):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    await ledger.settle(settled(attempt), None)
    assert await ledger.open_attempts() == []
    assert await ledger.standing(KITE.id) == Standing(KITE.id, None, (settled(attempt),), KITE)


async def test_a_slot_can_be_tried_again_after_a_receipt(ledger):
    first, second = intent("b", KITE, number=1), intent("a", KITE, number=2)
    await ledger.intend(first, KITE)
    await ledger.settle(receipt(first), None)
    await ledger.intend(second, KITE)
    assert await attempts_of(ledger, KITE.id) == (receipt(first), second)
    assert await ledger.open_attempts() == [(second, KITE)]


async def test_open_attempts_come_in_the_order_of_their_ids(ledger):
    wanted = [slot(ordinal=n) for n in range(4)]
    for attempt_id, one in zip("cadb", wanted, strict=True):
        await ledger.intend(intent(attempt_id, one), one)
    await ledger.settle(receipt(intent("d", wanted[2])), None)
    assert [(a.id, s) for a, s in await ledger.open_attempts()] == [
        ("a", wanted[1]),
        ("b", wanted[3]),
        ("c", wanted[0]),
    ]


async def test_a_slot_has_one_live_attempt(ledger):
    await ledger.intend(intent("a1", KITE), KITE)
    with pytest.raises(IllegalEntry):
        await ledger.intend(intent("a2", KITE, number=2), replace(KITE, row=9))
    assert await ledger.open_attempts() == [(intent("a1", KITE), KITE)]
    assert await attempts_of(ledger, KITE.id) == (intent("a1", KITE),)


async def test_a_hedge_may_stand_beside_it_and_no_second_one(ledger):
    first, hedge = intent("a1", KITE), intent("a2", KITE, number=2, hedge=True)
    await ledger.intend(first, KITE)
    await ledger.intend(hedge, KITE)
    for another in (intent("a3", KITE), intent("a3", KITE, hedge=True)):
        with pytest.raises(IllegalEntry):
            await ledger.intend(another, KITE)
    assert await ledger.open_attempts() == [(first, KITE), (hedge, KITE)]
    await ledger.settle(receipt(hedge), picture(KITE))
    assert await ledger.open_attempts() == [(first, KITE)]
    late = picture(KITE, extras=(Text("of the other call"),))
    await ledger.settle(receipt(first), late)
    assert await ledger.standing(KITE.id) == Standing(KITE.id, late, (receipt(first), receipt(hedge)), KITE)
    assert (await ledger.tally()).delivered == 1


async def test_an_attempt_is_intended_once(ledger):
    await delivered(ledger, KITE, "a1")
    for wanted in (KITE, slot(ordinal=1)):
        with pytest.raises(IllegalEntry):
            await ledger.intend(intent("a1", wanted), wanted)
    assert await attempts_of(ledger, KITE.id) == (receipt(intent("a1", KITE)),)
    assert await ledger.standing("f0.1") is None


async def test_what_was_never_intended_has_no_ticket_and_no_receipt(ledger):
    stranger = intent("a1", KITE)
    with pytest.raises(IllegalEntry):
        await ledger.waiting(waiting(stranger))
    with pytest.raises(IllegalEntry):
        await ledger.settle(receipt(stranger), picture(KITE))
    assert await ledger.standing(KITE.id) is None
    assert await ledger.tally() == Tally()


async def test_a_receipt_is_final(ledger):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    await ledger.settle(receipt(attempt), None)
    with pytest.raises(IllegalEntry):
        await ledger.settle(receipt(attempt, Charged.NO, 0), picture(KITE))
    with pytest.raises(IllegalEntry):
        await ledger.waiting(waiting(attempt))
    assert await ledger.standing(KITE.id) == Standing(KITE.id, None, (receipt(attempt),), KITE)


async def test_what_was_written_before_the_call_left_stays(ledger):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    other = replace(attempt, number=5, route=Route("apiyi", "pro", "pro"), estimate_nusd=1, intent_at=1.0)
    other = replace(other, key="another", hedge=True)
    await ledger.waiting(waiting(other))
    assert await attempts_of(ledger, KITE.id) == (waiting(attempt),)
    await ledger.settle(receipt(other), None)
    assert await attempts_of(ledger, KITE.id) == (receipt(attempt),)


async def test_what_the_provider_calls_it_is_known_once_it_answered(ledger):
    attempt = intent("a1", KITE, key="c0ffee")
    await ledger.intend(attempt, KITE)
    named = replace(attempt, request_id="req-1")
    await ledger.waiting(waiting(named))
    assert await attempts_of(ledger, KITE.id) == (waiting(named),)
    await ledger.settle(receipt(replace(named, request_id="req-2")), None)
    assert await attempts_of(ledger, KITE.id) == (replace(receipt(waiting(named)), ticket=None, request_id="req-2"),)


# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [picture, failure])
async def test_a_receipt_and_its_outcome_go_together(ledger, ended):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    await ledger.settle(receipt(attempt), ended(KITE))
    assert await ledger.standing(KITE.id) == Standing(KITE.id, ended(KITE), (receipt(attempt),), KITE)


async def test_two_slots_never_have_one_file_and_nothing_of_such_an_entry_is_written(ledger):
    await delivered(ledger, KITE, "a1", file="kite.png")
    other = slot(ordinal=1)
    await ledger.intend(intent("a2", other), other)
    with pytest.raises(IllegalEntry):
        await ledger.settle(receipt(intent("a2", other)), picture(other, file="kite.png"))
    assert await ledger.standing(other.id) == Standing(other.id, None, (intent("a2", other),), other)
    await ledger.settle(receipt(intent("a2", other)), picture(other, file="kite-2.png"))
    assert (await ledger.tally()).delivered == 2


async def test_a_file_is_free_again_when_its_slot_ends_otherwise(ledger):
    await delivered(ledger, KITE, "a1", file="kite.png")
    await ledger.conclude(failure(KITE))
    other = slot(ordinal=1)
    await delivered(ledger, other, "a2", file="kite.png")
    assert (await ledger.standing(KITE.id)).outcome == failure(KITE)
    assert await ledger.hashes("f0") == ["sha-f0.1"]


async def test_a_failed_slot_may_get_its_picture_after_all(ledger):
    await ledger.conclude(failure(KITE))
    await delivered(ledger, KITE, "a1")
    assert (await ledger.standing(KITE.id)).outcome == picture(KITE)
    tally = await ledger.tally()
    assert (tally.delivered, tally.failed) == (1, 0)


async def test_a_slot_can_end_before_its_first_attempt(ledger):
    await ledger.conclude(failure(KITE))
    assert await ledger.standing(KITE.id) == Standing(KITE.id, failure(KITE), (), KITE)
    assert await ledger.tally() == Tally(failed=1)


async def test_a_slot_can_end_without_a_further_attempt(ledger):
    attempt = intent("a1", KITE)
    await ledger.intend(attempt, KITE)
    await ledger.settle(receipt(attempt), None)
    await ledger.conclude(failure(KITE))
    assert await ledger.standing(KITE.id) == Standing(KITE.id, failure(KITE), (receipt(attempt),), KITE)


# --- nothing is lost on the way ---------------------------------------------------------------------------------------

REFERENCE = Image(blob=Blob("c0ffee", 99, "image/png", ref="/pictures/cat.png"), use=Use.STYLE)
RICH = replace(
    slot(key="Żółw “7”", columns={"id": 2**70, "tags": ["a", None, 1.5], "note": "line\n\0end", "half": "\ud83d"}),
    request=ImageRequest.of("a kite\u2028", "m", (REFERENCE,), n=3, seed=7, extra={"deep": {"x": [1]}}),
)
FAULT = Fault(
    FaultKind.RATE_LIMITED, "half a pair: \udc00", Charged.NO, Scope.KEY, 12.5, "RESOURCE_EXHAUSTED", 429, "rpm", 10
)


async def test_all_that_an_attempt_says_comes_back(ledger):
    attempt = replace(intent("a1", RICH, estimate=None), route=Route("apiyi", "pro", "pro-4k", "per_request"))
    await ledger.intend(attempt, RICH)
    asked = waiting(attempt, Ticket("t", data={"big": 2**80, "half": "\ud83d"}))
    await ledger.waiting(asked)
    assert await attempts_of(ledger, RICH.id) == (asked,)
    settled = receipt(asked, Charged.NO, 0, fault=FAULT, usage=USAGE)
    await ledger.settle(settled, None)
    assert await attempts_of(ledger, RICH.id) == (settled,)


async def test_all_that_a_slot_says_comes_back(ledger):
    await ledger.intend(intent("a1", RICH), RICH)
    ((_, back),) = await ledger.open_attempts()
    assert to_plain(back) == to_plain(RICH)


@pytest.mark.parametrize(
    "outcome",
    [
        picture(
            RICH,
            cost_known=False,
            text="Here it is",
            usage=USAGE,
            extras=(Text("hm", thought=True), Image(blob=Blob("d", 5, "image/png", "extras/d.png"), thought=True)),
            signature=Blob("s", 9, "application/octet-stream", "extras/s"),
            grounding=GroundingNote(("kites",), (), (Source("https://kites.example"),), "<b>seen</b>"),
            notices=(Notice("size_normalised", "as 2K"),),
            latency_s=12.75,
            finish="STOP",
            answered_by="flash-2",
            response_id="r1",
        ),
        failure(RICH, FAULT),
        Failure(RICH, FAULT, 0, cost_known=False),
    ],
    ids=["picture", "failure", "failure without a route"],
)
async def test_all_that_an_outcome_says_comes_back(ledger, outcome):
    await ledger.intend(intent("a1", RICH), RICH)
    await ledger.settle(receipt(intent("a1", RICH)), outcome)
    assert to_plain((await ledger.standing(RICH.id)).outcome) == to_plain(outcome)


# --- places -----------------------------------------------------------------------------------------------------------

ELSEWHERE = replace(
    KITE, row=41, key="moved", columns={"a": 1}, request=ImageRequest.of("a red kite", "m", (REFERENCE,))
)


@pytest.mark.parametrize("how", ["keep", "intend", "conclude"])
async def test_a_slot_stands_where_it_was_met_last(ledger, how):
    first = intent("a1", KITE)
    await ledger.intend(first, KITE)
    await ledger.settle(receipt(first), None)
    if how == "keep":
        await ledger.keep(ELSEWHERE)
    elif how == "intend":
        await ledger.intend(intent("a2", KITE, number=2), ELSEWHERE)
    else:
        await ledger.conclude(failure(ELSEWHERE))
    standing = await ledger.standing(KITE.id)
    assert to_plain(standing.slot) == to_plain(ELSEWHERE)


async def test_keeping_what_was_never_begun_begins_nothing(ledger):
    await ledger.keep(KITE)
    assert await ledger.standing(KITE.id) is None


async def test_a_new_edition_counts_what_it_holds_and_nothing_else(ledger):
    kites = [slot(ordinal=n) for n in range(3)]
    for n, kite in enumerate(kites):
        await delivered(ledger, kite, f"a{n}")
    await ledger.new_edition()
    standing = await ledger.standing(kites[0].id)
    assert standing.slot is None
    assert standing.outcome == picture(kites[0])
    await ledger.keep(kites[0])
    await ledger.intend(intent("b", kites[1]), kites[1])
    assert [(await ledger.standing(kite.id)).slot for kite in kites] == [kites[0], kites[1], None]
    tally = await ledger.tally()
    assert (tally.delivered, tally.attempts, tally.billed_nusd) == (2, 4, 3 * PRICE)


# --- sums and marks ---------------------------------------------------------------------------------------------------


async def test_hashes_are_of_the_pictures_of_one_form(ledger):
    await delivered(ledger, slot("f1", 0), "a1", sha256="aa")
    await delivered(ledger, slot("f1", 1), "a2", sha256="bb")
    await delivered(ledger, slot("f1.1", 0), "a3", sha256="cc")
    await ledger.conclude(failure(slot("f1", 2)))
    await ledger.intend(intent("a4", slot("f1", 3)), slot("f1", 3))
    assert sorted(await ledger.hashes("f1")) == ["aa", "bb"]
    assert list(await ledger.hashes("f")) == []


async def test_the_sums(ledger):
    receipts = [
        receipt,  # billed
        lambda a: receipt(a, Charged.YES, None),  # billed, price unknown
        lambda a: receipt(a, Charged.NO, 0),
        lambda a: receipt(a, Charged.UNKNOWN, None),
        lost,
    ]
    for n, settled in enumerate(receipts):
        one = slot(ordinal=n)
        attempt = intent(f"a{n}", one, estimate=10**n)
        await ledger.intend(attempt, one)
        await ledger.settle(settled(attempt), picture(one) if n < 2 else failure(one) if n == 2 else None)
    live = [slot(ordinal=n) for n in (10, 11)]
    await ledger.intend(intent("b1", live[0], estimate=10**5), live[0])
    await ledger.intend(intent("b2", live[1], estimate=None), live[1])
    await ledger.waiting(waiting(intent("b2", live[1], estimate=None)))
    assert await ledger.tally() == Tally(
        delivered=2,
        failed=1,
        attempts=7,
        billed_attempts=2,
        unbilled_attempts=1,
        unknown_attempts=2,
        billed_nusd=PRICE,
        unknown_nusd=10**1 + 10**3 + 10**4 + 10**5,
        in_flight=2,
        unpriced_attempts=2,
    )


async def test_the_mark_of_settled_rows_only_rises(ledger):
    assert await ledger.settled_rows() == 0
    for rows, mark in ((7, 7), (3, 7), (0, 7), (1_000_000, 1_000_000), (999_999, 1_000_000)):
        await ledger.rows_settled(rows)
        assert await ledger.settled_rows() == mark
    await ledger.new_edition()
    assert await ledger.settled_rows() == 0
    await ledger.rows_settled(2)
    assert await ledger.settled_rows() == 2


# --- many at once -----------------------------------------------------------------------------------------------------


async def test_of_many_entries_at_once_only_the_illegal_ones_are_refused(ledger):
    slots = [slot(ordinal=n) for n in range(60)]
    await ledger.intend(intent("live", slots[7]), slots[7])
    results = await asyncio.gather(
        *(ledger.intend(intent(f"a{n:02}", one), one) for n, one in enumerate(slots)),
        ledger.settle(receipt(intent("nobody", KITE)), None),
        return_exceptions=True,
    )
    refused = [n for n, result in enumerate(results) if result is not None]
    assert refused == [7, 60]
    assert all(isinstance(results[n], IllegalEntry) for n in refused)
    assert len(await ledger.open_attempts()) == 60


async def test_who_is_cancelled_does_not_take_the_entry_out_of_the_books(ledger):
    task = asyncio.ensure_future(ledger.intend(intent("a1", KITE), KITE))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    other = slot(ordinal=1)
    await ledger.intend(intent("a2", other), other)
    assert [attempt.id for attempt, _ in await ledger.open_attempts()] == ["a1", "a2"]


# --- what only a file has ---------------------------------------------------------------------------------------------


async def test_a_text_that_is_no_unicode_harms_only_its_own_entry(tmp_path):
    async with SqliteLedger(tmp_path / "ledger.sqlite3") as ledger:
        broken, whole = slot(ordinal=0, key="\ud800"), slot(ordinal=1)
        results = await asyncio.gather(
            ledger.intend(intent("a0", broken), broken),
            ledger.intend(intent("a1", whole), whole),
            return_exceptions=True,
        )
        assert isinstance(results[0], IllegalEntry)
        assert results[1] is None
        assert await ledger.open_attempts() == [(intent("a1", whole), whole)]


async def test_entries_that_wait_for_each_other_share_a_commit(tmp_path):
    commits = []
    async with SqliteLedger(tmp_path / "ledger.sqlite3", on_commit=commits.append) as ledger:
        slots = [slot(ordinal=n) for n in range(500)]
        await asyncio.gather(*(ledger.intend(intent(one.id, one), one) for one in slots))
        assert (await ledger.tally()).in_flight == 500
    assert commits == ["before", "after"] * (len(commits) // 2)
    assert len(commits) <= 6


async def test_a_closed_ledger_holds_what_was_pending(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path)
    await ledger.open()
    pending = asyncio.ensure_future(ledger.intend(intent("a1", KITE), KITE))
    await asyncio.sleep(0)
    await ledger.close()
    await pending
    async with SqliteLedger(path) as again:
        assert await again.open_attempts() == [(intent("a1", KITE), KITE)]


async def test_notes_are_kept(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with SqliteLedger(path) as ledger:
        assert await ledger.get_meta("recipe") is None
        await ledger.set_meta("recipe", "{}")
        await ledger.set_meta("recipe", '{"n": 2}')
    async with SqliteLedger(path) as ledger:
        assert await ledger.get_meta("recipe") == '{"n": 2}'


async def test_the_settings_are_those_that_make_an_entry_last(tmp_path):
    async with SqliteLedger(tmp_path / "ledger.sqlite3") as ledger:

        def pragma(name):
            return ledger._db.execute(f"PRAGMA {name}").fetchone()[0]

        settings = await ledger._do(
            lambda: (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys"), pragma("integrity_check"))
        )
    assert settings == ("wal", 2, 1, "ok")


# --- calls for several ------------------------------------------------------------------------------------------------


def shared(count=3):
    """The slots of one call, and their intents."""
    wanted = [slot(ordinal=i) for i in range(count)]
    return wanted, [replace(intent(f"a{i}", one), shared="a0", place=i) for i, one in enumerate(wanted)]


async def test_all_slots_of_a_call_know_it_and_their_places(ledger):
    wanted, attempts = shared()
    await ledger.intend_all(list(zip(attempts, wanted, strict=True)))
    assert await ledger.open_attempts() == list(zip(attempts, wanted, strict=True))
    await ledger.waiting_all([waiting(attempt) for attempt in attempts])
    assert [attempt.call_id for attempt, _ in await ledger.open_attempts()] == ["a0"] * 3
    ends = [picture(wanted[0]), picture(wanted[1]), None]
    await ledger.settle_all([(receipt(a, cost=i), end) for i, (a, end) in enumerate(zip(attempts, ends, strict=True))])
    tally = await ledger.tally()
    assert (tally.delivered, tally.attempts, tally.billed_nusd, tally.in_flight) == (2, 3, 3, 0)
    (last,) = await attempts_of(ledger, wanted[2].id)
    assert (last.shared, last.place) == ("a0", 2)


async def test_a_call_is_begun_whole_or_not_at_all(ledger):
    wanted, attempts = shared()
    await ledger.intend(intent("other", wanted[2]), wanted[2])
    with pytest.raises(IllegalEntry):
        await ledger.intend_all(list(zip(attempts, wanted, strict=True)))
    assert [attempt.id for attempt, _ in await ledger.open_attempts()] == ["other"]


async def test_a_call_is_settled_whole_or_not_at_all(ledger):
    wanted, attempts = shared()
    await ledger.intend_all(list(zip(attempts, wanted, strict=True)))
    await ledger.settle(receipt(attempts[2]), None)
    with pytest.raises(IllegalEntry):
        await ledger.settle_all(
            [(receipt(attempt), picture(one)) for attempt, one in zip(attempts, wanted, strict=True)]
        )
    assert len(await ledger.open_attempts()) == 2
    assert (await ledger.tally()).delivered == 0
