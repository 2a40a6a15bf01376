"""Every system in memory, on the virtual clock: its own wire format there and back, half of the calls as bytes."""

import pytest

from cavendish.catalog.load import load
from cavendish.engine.ports import Answer
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.model.call import Done, Fetch, Later, Open, Poll
from cavendish.model.fault import Fault
from cavendish.model.request import ImageRequest
from cavendish.sim.loop import VirtualClock, run_virtual
from cavendish.sim.profile import load_profile
from cavendish.sim.systems import SYSTEMS, speaks
from cavendish.sim.world import WorldOptions, open_world

CATALOG = load()
CALLS = 12


async def followed(world, call: Open, attempt: str, clock) -> Answer:
    """A call to its end: polled while it goes on, and its picture fetched where it came as an address."""
    answer = await world.call(call, attempt)
    while isinstance(answer.reply, Later):
        await clock.sleep(answer.reply.after_s)
        answer = await world.call(Poll(answer.reply.ticket), attempt)
    if isinstance(answer.reply, Done) and (address := answer.reply.pictures[0].uri):
        answer = await world.call(Fetch(address), attempt)
    return answer


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.endpoint)
def test_calls_end_with_pictures_or_reasons_and_at_the_time_that_the_profile_says(system):
    endpoint = CATALOG.endpoints[system.endpoint]
    clock, blobs = VirtualClock(), MemoryBlobs()
    options = WorldOptions(bytes_share=0.5)
    profile = load_profile(system.endpoint)
    world = open_world(profile, speaks(endpoint), clock, blobs, seed=5, options=options, catalog=CATALOG)

    async def main() -> None:
        model = next((entry.id for entry in world.sim.menu.all(clock.now())), "any-model")
        began = clock.monotonic()
        ends = []
        for number in range(CALLS):
            call = Open(ImageRequest.of(f"kite {number}", model))
            ends.append((await followed(world, call, f"a{number}", clock)).reply)
            await clock.sleep(15.0)
        drawn = [end for end in ends if isinstance(end, Done)]
        assert len(drawn) >= CALLS // 2
        assert all(end.pictures[0].blob for end in drawn)
        assert all(isinstance(end, Done | Fault) for end in ends)
        assert clock.monotonic() - began > CALLS * 15.0
        stats = world.sim.stats(clock.monotonic(), clock.now())
        assert stats["requests"] == CALLS
        if system.endpoint != "local":
            assert world.billed_nusd > 0

    run_virtual(main())
