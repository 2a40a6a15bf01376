"""Laws: what must hold after every life of a world, and at its end."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from cavendish.engine.policy import FINAL
from cavendish.engine.recover import LOST
from cavendish.engine.twins import form_of
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.fault import Charged
from cavendish.model.result import Failure, Picture
from cavendish.plan.expand import Ordinals, slots
from tests.worlds.tollgate import promise

if TYPE_CHECKING:
    from tests.worlds.world import World


async def after_a_life(world: World) -> None:
    """Safety: nothing lost, nothing bought twice, the books true, whatever the life's end was."""
    _every_slot_has_one_end(world)
    _what_was_reported_stays(world)
    _the_books_are_true(world)
    await _the_sums_are_true(world)
    _the_pictures_are_there(world)
    _the_mark_is_true(world)
    if world.fate.alive:
        _nothing_is_held_back(world)


def at_the_end(world: World) -> None:
    """Liveness: every slot has its picture, or a refusal that no further try would change; and nothing is left over."""
    outcomes = world.ledger._outcomes
    wanted = [slot.id for slot in slots(world.layout.wishes(), Ordinals())]
    promise(set(outcomes) == set(wanted), f"{len(outcomes)} outcomes for {len(wanted)} slots")
    for slot_id, outcome in outcomes.items():
        final = isinstance(outcome, Picture) or outcome.fault.kind in FINAL
        promise(final, f"{slot_id} ended as {outcome}")
        tries = [world.ledger._attempts[i] for i in world.ledger._of_slot[slot_id]]
        bought = [a.id for a in tries if a.state is AttemptState.SETTLED and a.fault is None]
        # What a hedge brought beside the picture was bought too, and is kept.
        most = 1 + any(attempt.hedge for attempt in tries)
        delivered = isinstance(outcome, Picture)
        promise(delivered <= len(bought) <= most * delivered, f"{slot_id} was bought as {bought}")
        if delivered and len(bought) > 1:
            promise(len(outcome.extras) >= len(bought) - 1, f"{slot_id} has not kept what a hedge brought")
    promise(not world.ledger._live, f"open attempts: {world.ledger._live}")
    promise(not world.store._records, f"replies that nobody settled: {world.store._records}")
    placed = Counter(o.blob.ref for o in outcomes.values() if isinstance(o, Picture))
    loose = [ref for ref in world.store.files if ref not in placed and not ref.startswith("extras/")]
    promise(not loose, f"files that belong to no picture: {loose}")
    promise(world.sim.jobs or len(world.shelf) == 0, "the simulator kept something")
    lost = sum(attempt.fault == LOST for attempt in world.ledger._attempts.values())
    broken_off = sum(life.ending != "whole" for life in world.layout.lives)
    allowed = world.policy.concurrency * world.layout.spoken.several.most * broken_off
    # The slower of two calls is given up at the end.
    allowed += sum(attempt.hedge for attempt in world.ledger._attempts.values())
    promise(lost <= allowed, f"{lost} attempts of unknown fate, {allowed} can have been in flight")


def _every_slot_has_one_end(world: World) -> None:
    watcher = world.watcher
    ended = [outcome.slot.id for outcome in (*watcher.ended, *watcher.kept)]
    ends = Counter([*ended, *(slot.id for slot, _ in watcher.left)])
    twice = [slot_id for slot_id, count in ends.items() if count > 1]
    promise(not twice, f"slots with two ends: {twice}")
    promise(len(ends) <= world.layout.slots, "more ends than slots")
    for row, (_, n, _, _) in enumerate(world.layout.rows):
        pictures = sum(o.slot.row == row for o in (*watcher.ended, *watcher.kept) if isinstance(o, Picture))
        promise(pictures <= n, f"row {row} wants {n} and has {pictures}")


def _what_was_reported_stays(world: World) -> None:
    """A picture that was shown, or a refusal that is final, is the slot's end for ever."""
    for outcome in world.watcher.ended:
        if isinstance(outcome, Picture) or outcome.fault.kind in FINAL:
            before = world.reported.setdefault(outcome.slot.id, _face(outcome))
            promise(before == _face(outcome), f"{outcome.slot.id} was reported as {before} before")
    for slot_id, face in world.reported.items():
        promise(_face(world.ledger._outcomes[slot_id]) == face, f"{slot_id} is {face} no more")


def _face(outcome: Picture | Failure) -> object:
    return (outcome.blob.sha256, outcome.blob.ref) if isinstance(outcome, Picture) else outcome.fault.kind


def _the_books_are_true(world: World) -> None:
    """Each attempt against what the simulator did with it."""
    attempts = world.ledger._attempts
    for attempt_id, bills in world.bills.items():
        promise(attempt_id in attempts, f"{attempt_id} was sent and is not on the books")
        promise(sum(bill.billed_nusd > 0 for bill in bills) <= 1, f"{attempt_id}: {bills}")
    calls = defaultdict[str, list[Attempt]](list)
    for attempt in attempts.values():
        calls[attempt.call_id].append(attempt)
        arrived = attempt.call_id in world.arrived
        promise(not (arrived and attempt.state is AttemptState.UNKNOWN), f"{attempt.id} arrived and was lost")
    for call_id, shared in calls.items():
        billed = sum(bill.billed_nusd for bill in world.bills.get(call_id, ()))
        if len(shared) == 1:
            _the_receipt_is_true(shared[0], billed)
        else:
            _the_receipts_are_true(shared, billed)


def _the_receipts_are_true(shared: list[Attempt], billed_nusd: int) -> None:
    """Of a call for several: what its slots were charged is what it was billed, to the last nano-dollar."""
    promise(len({attempt.state for attempt in shared}) == 1, f"a call that is half settled: {shared}")
    known = sum(attempt.cost_nusd or 0 for attempt in shared)
    if all(attempt.charged is not Charged.UNKNOWN for attempt in shared):
        promise(known == billed_nusd, f"{known} on the books, {billed_nusd} billed for {shared}")
    else:
        promise(known <= billed_nusd, f"{known} on the books, {billed_nusd} billed for {shared}")


def _the_receipt_is_true(attempt: Attempt, billed_nusd: int) -> None:
    if attempt.charged is Charged.YES:
        promise(attempt.cost_nusd == billed_nusd, f"{attempt} was billed {billed_nusd}")
    elif attempt.charged is Charged.NO:
        promise(billed_nusd == 0, f"{attempt} was billed {billed_nusd}")
        promise(attempt.cost_nusd == 0, f"{attempt} costs something")
    elif attempt.state is not AttemptState.INTENT:
        promise(attempt.cost_nusd is None, f"{attempt} has a cost that nobody can know")


async def _the_sums_are_true(world: World) -> None:
    tally = await world.ledger.tally()
    billed = world.sim.books.billed_nusd
    promise(tally.billed_nusd <= billed, f"{tally.billed_nusd} on the books, {billed} billed")
    if not world.layout.is_exact:
        return
    most = tally.billed_nusd + tally.unknown_nusd
    promise(billed <= most, f"{billed} billed, at most {most} on the books")
    if world.cap_nusd is not None:
        promise(billed <= world.cap_nusd, f"{billed} billed, the cap is {world.cap_nusd}")


def _the_pictures_are_there(world: World) -> None:
    """Each under a name of its own with the bytes that were delivered, and no request has the same bytes twice."""
    refs: set[str] = set()
    seen: dict[str, set[str]] = defaultdict(set)
    for slot_id, outcome in world.ledger._outcomes.items():
        if not isinstance(outcome, Picture):
            continue
        blob = outcome.blob
        data = world.store.files.get(blob.ref)
        promise(data is not None, f"{slot_id}: {blob.ref} is gone")
        promise(hashlib.sha256(data or b"").hexdigest() == blob.sha256, f"{blob.ref} has other bytes")
        promise(blob.ref not in refs, f"{blob.ref} was delivered twice")
        promise(blob.sha256 not in seen[form_of(slot_id)], f"{slot_id} has a picture of its request's again")
        refs.add(blob.ref)
        seen[form_of(slot_id)].add(blob.sha256)


def _the_mark_is_true(world: World) -> None:
    """Rows that are noted as settled are: a resumed run does not look at them again."""
    for slot in slots(world.layout.wishes(), Ordinals()):
        if slot.row < world.ledger._settled_rows:
            promise(slot.id in world.ledger._outcomes, f"row {slot.row} is marked as settled, {slot.id} is not")


def _nothing_is_held_back(world: World) -> None:
    """A process that ended in order gave back every grant and all money that it had set aside."""
    reserved = world.engine.budget.reserved_nusd
    promise(reserved == 0, f"{reserved} nano-dollars are still set aside")
    promise(not world.traffic.in_flight, f"still in flight: {world.traffic.in_flight}")
    governors = world.quotas._governors._models.values() if world.quotas else ()
    for governor in governors:
        promise(not governor._leases, f"grants that were not given back: {governor._leases}")
