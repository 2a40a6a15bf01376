"""The ledger's writer: an error belongs to those who wait for it, and to nobody else."""

import asyncio
import gc

import pytest

from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Slot


class Trouble(BaseException):
    """Not an ``Exception``, as the end of a process is not."""


def failure(ordinal: int) -> Failure:
    slot = Slot(f"form.{ordinal}", "1", 0, ordinal, ImageRequest.of("kite", "m"))
    return Failure(slot, Fault(FaultKind.NO_IMAGE), 1)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_after_an_unforeseen_error_the_next_entry_is_written(tmp_path, moment):
    troubles = [Trouble()]

    def trouble(now: str) -> None:
        if now == moment and troubles:
            raise troubles.pop()

    async with SqliteLedger(tmp_path / "l", on_commit=trouble) as ledger:
        with pytest.raises(Trouble):
            await ledger.conclude(failure(0))
        async with asyncio.timeout(10):
            await ledger.set_meta("name", "value")
        assert await ledger.get_meta("name") == "value"


async def test_nobody_complains_of_an_error_that_a_cancelled_caller_did_not_see(tmp_path):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    def trouble(_now: str) -> None:
        raise Trouble

    ledger = SqliteLedger(tmp_path / "l", on_commit=trouble)
    await ledger.open()
    task = asyncio.ensure_future(ledger.conclude(failure(0)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.close()
    del task, ledger
    gc.collect()
    assert complaints == []
