"""The simulator behind the engine's port, on a virtual clock, through the real dialect."""

import asyncio
from collections import Counter

import pytest

from cavendish.catalog.load import load
from cavendish.dialects.gemini import GeminiDialect
from cavendish.engine.ports import OutOfSpace
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.model.call import Done, Fetch, Open
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest
from cavendish.model.result import Slot
from cavendish.plan.estimate import PriceBook
from cavendish.sim.loop import VirtualClock, run_virtual
from cavendish.sim.provider import SimProvider
from cavendish.sim.shelves import MemoryShelf
from cavendish.sim.world import TRICKLE_S, WorldOptions, WorldProvider, open_world
from tests.sim.menus import menu, profile

K = FaultKind
WAYS = [WorldOptions(), WorldOptions(straight=True), WorldOptions(bytes_share=1.0)]


class World:
    def __init__(self, options=None, seed=0, room=1 << 40, **fields):
        self.blobs = MemoryBlobs(room)
        self.shelf = MemoryShelf()
        sim = SimProvider(profile(**fields), menu(), self.shelf, seed=seed, mode="tiny")
        self.provider = WorldProvider(sim, self.shelf, GeminiDialect(), VirtualClock(), self.blobs, options)

    async def ask(self, prompt="kite", attempt="a1", **fields):
        return await self.provider.call(Open(ImageRequest.of(prompt, "thinker", **fields)), attempt)


@pytest.mark.parametrize("options", WAYS)
def test_a_picture_arrives_and_is_on_record(options):
    world = World(options)

    async def main():
        answer = await world.ask()
        assert isinstance(answer.reply, Done)
        blob = answer.reply.pictures[0].blob
        assert blob
        assert (await world.blobs.recorded())["a1"] == answer.reply
        assert await world.blobs.dimensions(blob) == (64, 64)
        assert blob.media_type == "image/png"
        assert 1 < answer.latency_s == asyncio.get_running_loop().time()
        assert answer.request_id == "sim-1"

    run_virtual(main())
    assert len(world.shelf) == 0, "nothing stays on the shelf"


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize(
    "fault, kind, charged",
    [
        ("refused", K.CONNECT, Charged.NO),
        ("dropped", K.CUT, Charged.UNKNOWN),
        ("cut", K.CUT, Charged.UNKNOWN),
        ("reset", K.CUT, Charged.UNKNOWN),
        ("hang", K.TIMEOUT, Charged.UNKNOWN),
    ],
)
def test_bad_lines(options, fault, kind, charged):
    world = World(options)
    reply = run_virtual(world.ask(f"kite [sim:{fault}]")).reply
    assert isinstance(reply, Fault)
    assert (reply.kind, reply.charged) == (kind, charged)
    bills = world.provider.bills["a1"]
    assert len(bills) == (0 if fault == "refused" else 1)
    assert (world.provider.billed_nusd > 0) == (fault != "refused")
    assert world.blobs.files == {}


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize(
    "fault, kind",
    [
        ("no_image", K.NO_IMAGE),
        ("text_only", K.TEXT_ONLY),
        ("image_other", K.IMAGE_OTHER),
        ("image_safety", K.IMAGE_SAFETY),
        ("image_prohibited", K.PROHIBITED),
        ("image_recitation", K.PROHIBITED),
        ("prompt_blocked", K.PROMPT_BLOCKED),
        ("prompt_prohibited", K.PROMPT_BLOCKED),
        ("safety", K.PROHIBITED),
        ("recitation", K.PROHIBITED),
        ("prohibited", K.PROHIBITED),
        ("blocklist", K.PROHIBITED),
        ("max_tokens", K.MAX_TOKENS),
        ("server_error", K.SERVER_ERROR),
        ("overloaded", K.OVERLOADED),
        ("deadline", K.TIMEOUT),
        ("terse_429", K.RATE_LIMITED),
        ("forbidden", K.FORBIDDEN),
        ("no_credit", K.NO_CREDIT),
        ("html_502", K.SERVER_ERROR),
    ],
)
def test_every_fault_is_understood_as_what_it_is(options, fault, kind):
    reply = run_virtual(World(options).ask(f"kite [sim:{fault}]")).reply
    assert isinstance(reply, Fault)
    assert reply.kind is kind


@pytest.mark.parametrize("fault", ["empty_200", "not_json", "no_candidates"])
def test_nonsense_is_a_fault(fault):
    for options in WAYS:
        assert isinstance(run_virtual(World(options).ask(f"kite [sim:{fault}]")).reply, Fault)


@pytest.mark.parametrize("options", WAYS)
def test_drafts_thoughts_and_large_signatures_arrive(options):
    async def main():
        world = World(options)
        drafts = (await world.ask("kite [sim:drafts,pictures=3]", "a1")).reply
        assert isinstance(drafts, Done)
        assert [isinstance(p, Image) for p in drafts.parts] == [True] * 3
        assert len(drafts.pictures) == 1
        thoughts = (await world.ask("kite [sim:thoughts]", "a2")).reply
        assert isinstance(thoughts, Done)
        assert sum(p.thought for p in thoughts.parts) == 3
        signed = (await world.ask("kite [sim:big_signature]", "a3")).reply
        assert isinstance(signed, Done)
        signature = signed.pictures[0].signature
        assert not isinstance(signature, str)
        assert signature
        assert signature.size == 1 << 20

    run_virtual(main())


def test_full_quota_is_told_with_its_wait():
    world = World(quota={"requests_per_minute": 1})

    async def main():
        await world.ask()
        return (await world.ask()).reply, asyncio.get_running_loop().time()

    fault, now = run_virtual(main())
    assert isinstance(fault, Fault)
    assert fault.kind is K.RATE_LIMITED
    assert fault.retry_after_s == pytest.approx(60 - now, abs=0.1)
    assert (fault.limit, fault.limit_value) == ("GenerateRequestsPerMinutePerProjectPerModel", 1)


def test_a_trickle_is_slow_and_whole():
    quick = run_virtual(World().ask("kite [sim:latency=1]"))
    slow = run_virtual(World().ask("kite [sim:trickle,latency=1]"))
    assert slow.latency_s - quick.latency_s == TRICKLE_S
    assert isinstance(slow.reply, Done)
    assert isinstance(run_virtual(World(WorldOptions(timeout_s=20.0)).ask("[sim:trickle,latency=1]")).reply, Fault)


def test_a_url_is_fetched():
    world = World()

    async def main():
        reply = (await world.ask("kite [sim:url]")).reply
        assert isinstance(reply, Done)
        url = reply.pictures[0].uri
        assert url
        fetched = (await world.provider.call(Fetch(url), "a1")).reply
        assert isinstance(fetched, Done)
        assert fetched.pictures[0].blob
        return await world.blobs.dimensions(fetched.pictures[0].blob)

    assert run_virtual(main()) == (64, 64)


def test_a_fetched_picture_joins_the_reply_that_named_it():
    """After a crash it is adopted with its usage: the bill is for the call that was asked first."""
    world = World()

    async def main():
        asked = (await world.ask("kite [sim:url]")).reply
        assert isinstance(asked, Done)
        await world.provider.call(Fetch(asked.pictures[0].uri or ""), "a1")
        recorded = (await world.blobs.recorded())["a1"]
        assert isinstance(recorded, Done)
        assert recorded.usage == asked.usage
        assert recorded.pictures[0].blob

    run_virtual(main())


def test_who_hangs_up_is_billed_all_the_same():
    world = World()

    async def main():
        task = asyncio.create_task(world.ask())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())
    assert world.provider.billed_nusd > 0
    assert len(world.shelf) == 0
    assert world.provider.sim.books.in_flight == 0


def test_a_full_store_is_told():
    with pytest.raises(OutOfSpace):
        run_virtual(World(room=10).ask())


@pytest.mark.parametrize("seed", range(8))
def test_a_crowd_with_all_troubles(seed):
    """Every call ends, the bill agrees with the simulator's books, and the same seed plays the same."""
    faults = dict.fromkeys(
        ["no_image", "image_safety", "drafts", "cut", "dropped", "hang", "refused", "html_502", "trickle"], 0.05
    )

    def play():
        world = World(
            WorldOptions(bytes_share=0.3),
            seed,
            faults=faults,
            quirks={"network_s": 0.5},
            quota={"requests_per_minute": 30},
        )

        async def main():
            answers = await asyncio.gather(*(world.ask(f"kite {i % 7}", f"a{i}") for i in range(60)))
            return [(getattr(a.reply, "kind", "ok"), round(a.latency_s, 6)) for a in answers]

        seen = run_virtual(main())
        assert world.provider.billed_nusd == world.provider.sim.books.billed_nusd
        assert len(world.shelf) == 0
        assert world.provider.sim.books.in_flight == 0
        return seen

    seen = play()
    assert seen == play()
    assert Counter(kind for kind, _ in seen)["rate_limited"] >= 20


def test_the_catalog_s_own_models():
    load()
    provider = open_world("google-tier1", GeminiDialect(), VirtualClock(), MemoryBlobs(), seed=3)
    call = Open(ImageRequest.of("kite [sim:none]", "gemini-nano-banana-2.1", size="2K", aspect_ratio="16:9"))
    answer = run_virtual(provider.call(call, "a1"))
    assert isinstance(answer.reply, Done)
    assert answer.reply.usage.output_image_tokens == 1680
    assert provider.billed_nusd > 50_000_000


@pytest.mark.parametrize("offer", load().offers_at("google"), ids=lambda offer: offer.model)
def test_what_is_billed_is_on_average_no_more_than_was_expected(offer):
    """Caps and forecasts go by the estimate, and a call of unknown fate counts as one."""
    catalog = load()
    card = catalog.models[offer.model]
    provider = open_world("fast", GeminiDialect(), VirtualClock(), MemoryBlobs(), seed=1)
    request = ImageRequest.of("a red kite over a green hill [sim:none]", card.id)
    expected = PriceBook(card, offer.prices["standard"]).estimate(Slot("a.0", "1", 0, 0, request))
    call = Open(request.having(model=offer.wire_id))

    async def main():
        for number in range(100):
            await provider.call(call, f"a{number}")

    run_virtual(main())
    assert expected
    assert 0.85 * expected <= provider.billed_nusd / 100 <= expected


@pytest.mark.parametrize(
    "key, model, prompt, kind",
    [
        ("bad", "thinker", "kite", K.BAD_KEY),
        ("noquota", "thinker", "kite", K.NO_CREDIT),
        ("good", "unheard-of", "kite", K.MODEL_NOT_FOUND),
        ("good", "thinker", "[sim:overloaded]", K.OVERLOADED),
        ("good", "thinker", "[sim:terse_429]", K.RATE_LIMITED),
        ("good", "thinker", "[sim:server_error]", K.SERVER_ERROR),
    ],
)
def test_a_relay_s_errors_are_understood(key, model, prompt, kind):
    world = World(WorldOptions(key=key, bytes_share=1.0), family="relay")
    call = Open(ImageRequest.of(prompt, model))
    reply = run_virtual(world.provider.call(call, "a1")).reply
    assert isinstance(reply, Fault)
    assert reply.kind is kind
