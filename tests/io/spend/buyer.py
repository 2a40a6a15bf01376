"""A process that buys under the caps of a book, writes down each bill, and may be killed in the middle."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from cavendish.engine.ports import Shut, WaitUntil
from cavendish.io.clock import SystemClock
from cavendish.io.spend.account import Account
from cavendish.io.spend.book import RunEntry, SpendBook
from cavendish.io.spend.calendar import UTC_CALENDAR, Period
from cavendish.io.spend.caps import Cap
from cavendish.io.spend.schema import MIGRATIONS
from cavendish.io.spend.sums import Key, Sum
from cavendish.io.state.database import open_database
from cavendish.sim.loop import WALL_START
from tests.io.spend.books import intent, receipt

PRICE = 10
CAPS = (Cap(Period.DAY, 600),)


class OneDay(SystemClock):
    """The real time, on a day that does not end during a test."""

    def now(self):
        return WALL_START + time.monotonic() % 1000


def bills(till):
    return Path(till).stat().st_size // 2 if Path(till).exists() else 0


async def buy(address, name, till, dies_after):
    clock = OneDay()
    database = await open_database(address, "spend", MIGRATIONS, clock, durable=True)
    account = Account(SpendBook(database, UTC_CALENDAR, CAPS), RunEntry(name, till, "here", owner="me"), clock)
    before = bills(till)
    key = Key(UTC_CALENDAR.day(clock.now()), "google", "m", "standard")
    await account.open({key: Sum(before, before, before * PRICE)}, ())
    out = os.open(till, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    bought = 0
    while True:
        answer = await account.ask("google", PRICE, PRICE)
        if isinstance(answer, Shut):
            break
        if isinstance(answer, WaitUntil):
            await clock.sleep(min(0.1, max(0.0, answer.at - clock.monotonic())))
            continue
        os.write(out, b"x\n")
        bought += 1
        if bought == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        account.book(receipt(intent(clock.now()), PRICE), None)
        account.release("google", PRICE)
    os.close(out)
    await account.close(())
    await database.close()


if __name__ == "__main__":
    asyncio.run(buy(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
