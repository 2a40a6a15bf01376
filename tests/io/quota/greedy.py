"""A process that takes all the leave it can get, and writes a line for each: ``greedy.py ADDRESS LIMITS HOW``.

``HOW`` is JSON: it stops after so many ``starts`` or ``seconds``, or when it is to wait for longer than ``patience``
seconds. A call takes ``latency`` seconds.
"""

import asyncio
import json
import math
import sys
import time

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant
from cavendish.govern.governors import Place
from cavendish.io.clock import SystemClock
from cavendish.io.dice import SystemDice
from cavendish.io.quota.shared import SharedQuotas
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import open_database

LOOK_S = 2.0


async def main(address, limits, how):
    clock, how = SystemClock(), json.loads(how)
    quotas = SharedQuotas(lambda: open_database(address, "quota", MIGRATIONS, clock), clock, SystemDice())
    quota = quotas.quota(Place("google", "f1", "flash"), Limits(**json.loads(limits)))
    ends_at, left = clock.monotonic() + how.get("seconds", math.inf), how.get("starts", math.inf)
    latency_s, flights = how.get("latency", 1000.0), set()

    async def fly(grant):
        await clock.sleep(latency_s)
        await quota.settle(grant, None, latency_s, 0)

    while clock.monotonic() < ends_at and left > 0:
        answer = await quota.reserve(Cost(), 20)
        if isinstance(answer, Grant):
            # One clock for all processes of a machine.
            sys.stdout.write(f"{time.monotonic()}\n")
            sys.stdout.flush()
            left -= 1
            flights.add(asyncio.ensure_future(fly(answer)))
        elif (wait_s := answer.at - clock.monotonic()) > how.get("patience", math.inf):
            break
        else:
            await clock.sleep(max(0.0, min(wait_s, LOOK_S, ends_at - clock.monotonic())))
    for flight in flights:
        flight.cancel()
    await quotas.close()
    assert not quotas.notices, quotas.notices


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
