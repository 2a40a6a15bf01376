"""The engine's parts, scripted: a provider that answers from a list, a quota that always grants, a flat price."""

import asyncio
import hashlib
import itertools
import zlib
from dataclasses import dataclass, field

from cavendish.engine.flight import Parts
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Answer, Grant, Lane
from cavendish.engine.run import Engine
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.model.blob import Blob
from cavendish.model.call import Done, Fetch, Later, Open, Poll
from cavendish.model.fault import Charged, Fault
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.result import Failure, Picture, Route
from cavendish.model.usage import Usage
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots
from cavendish.plan.split import ALONE
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock

PRICE = 67_000_000


def tiny_png(width, height, note) -> bytes:
    """A whole PNG of one colour; the note makes its bytes its own."""

    def chunk(kind, payload):
        return len(payload).to_bytes(4, "big") + kind + payload + zlib.crc32(kind + payload).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    text = chunk(b"tEXt", b"note\0" + note)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@dataclass
class FlatPrice:
    """Every picture costs the same; a fault costs what it says of itself."""

    price: int | None = PRICE

    def estimate(self, slot):
        return self.price

    def cost(self, slot, usage, reply, pictures=1):
        if usage.cost_nusd is not None:
            return usage.cost_nusd
        if isinstance(reply, Fault):
            billed = self.price and self.price * pictures
            return {Charged.NO: 0, Charged.YES: billed, Charged.UNKNOWN: None}[reply.charged]
        return self.price and self.price * max(1, usage.images)

    def bound(self, slot):
        return self.price

    def charged(self, fault):
        return fault


@dataclass
class OpenQuota:
    """Grants everything, and remembers what it was told."""

    settled: list = field(default_factory=list)
    cancelled: int = 0
    answers: list = field(default_factory=list)
    counter: itertools.count = field(default_factory=itertools.count)

    async def reserve(self, cost, wanted=1):
        if self.answers:
            return self.answers.pop(0)
        return Grant(str(next(self.counter)))

    async def settle(self, grant, fault, latency_s, spent_nusd):
        self.settled.append((fault.kind if fault else None, spent_nusd))

    async def cancel(self, grant):
        self.cancelled += 1


class ScriptedProvider:
    """Answers each call from a list: a ``Fault``, ``Later``, an exception to raise, or ``PICTURE`` for a new picture.

    ``by_prompt`` has lists of their own for some prompts.
    """

    def __init__(self, blobs, script=(), latency_s=1.0):
        self.blobs = blobs
        self.script = list(script)
        self.by_prompt = {}
        self.latency_s = latency_s
        self.calls = []
        self.in_flight = self.most_in_flight = 0
        self.drawn = itertools.count()
        self.asked_for = Gives(1)

    async def call(self, call, attempt_id):
        self.calls.append(call)
        if isinstance(call, Open):
            self.asked_for = Gives(call.request.n)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.in_flight -= 1
        script = self.by_prompt.get(call.request.prompt, self.script) if isinstance(call, Open) else self.script
        item = script.pop(0) if script else PICTURE
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Fault | Later):
            return Answer(item, self.latency_s)
        gives = item if isinstance(item, Gives) else self.plain(call)
        reply = await self.reply(gives, attempt_id, item if isinstance(item, bytes) else None)
        await self.blobs.record(attempt_id, reply, call.url if isinstance(call, Fetch) else "")
        return Answer(reply, self.latency_s)

    def plain(self, call):
        """As many as were asked for; of a job as many as the last call that was opened."""
        if isinstance(call, Poll):
            return self.asked_for
        return Gives(call.request.n if isinstance(call, Open) else 1)

    async def reply(self, gives, attempt_id, data):
        parts = []
        for number in range(gives.pictures + gives.more):
            drawn = data or gives.same or tiny_png(8, 8, f"{next(self.drawn)}".encode())
            uri = gives.uri and f"{gives.uri}{number}"
            parts += [Text(f"words {number}")] * gives.words
            parts.append(Image(uri=uri) if uri else Image(blob=await store(self.blobs, attempt_id, drawn)))
        finals = tuple(i for i, part in enumerate(parts) if isinstance(part, Image))
        finals = finals if gives.all_final else finals[: gives.pictures]
        return Done(tuple(parts), finals, Usage(images=len(finals), cost_nusd=gives.cost), shortfall=gives.shortfall)


@dataclass
class Gives:
    """A reply: so many pictures (``same``: each with these bytes), and more than asked for; why others are missing."""

    pictures: int
    shortfall: tuple = ()
    more: int = 0
    same: bytes = b""
    words: int = 0
    cost: int | None = None
    uri: str = ""
    all_final: bool = False


PICTURE = object()


async def store(blobs, attempt_id, data) -> Blob:
    writer = blobs.new_blob(attempt_id)
    writer.write(data)
    blob = writer.finish("image/png")
    assert blob.sha256 == hashlib.sha256(data).hexdigest()
    return blob


@dataclass
class Watcher:
    """Remembers what the run showed."""

    ended: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    left: list = field(default_factory=list)
    waits: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    started: int = 0

    def slot_started(self, slot, attempt):
        self.started += 1

    def attempt_ended(self, slot, attempt): ...

    def slot_ended(self, outcome):
        self.ended.append(outcome)

    def slot_kept(self, outcome):
        self.kept.append(outcome)

    def key_lost(self, closing):
        self.lost.append(closing)

    def slot_left(self, slot, fault):
        self.left.append((slot, fault))

    def waiting(self, why, seconds):
        self.waits.append((why, seconds))

    @property
    def pictures(self):
        return [o for o in self.ended if isinstance(o, Picture)]

    @property
    def failures(self):
        return [o for o in self.ended if isinstance(o, Failure)]


class Rig:
    """One run with scripted parts; run it again to see a resumed one."""

    def __init__(
        self, *scripts, n=1, prompts=("a",), policy=None, max_cost_nusd=None, latency_s=1.0, price=PRICE, several=ALONE
    ):
        self.ledger = MemoryLedger()
        self.blobs = MemoryBlobs()
        self.clock = VirtualClock()
        self.dice = SeededDice(1)
        self.policy = policy or Policy()
        self.max_cost_nusd = max_cost_nusd
        self.providers = [ScriptedProvider(self.blobs, s, latency_s) for s in (scripts or ((),))]
        self.quotas = [OpenQuota() for _ in self.providers]
        self.pricing = FlatPrice(price)
        self.several = several
        self.n, self.prompts = n, prompts
        self.watcher = Watcher()
        self.lanes = [self._lane(i) for i in range(len(self.providers))]

    def _lane(self, index):
        return Lane(
            route=Route(f"e{index}", "m", "wire-m"),
            provider=self.providers[index],
            quota=self.quotas[index],
            pricing=self.pricing,
            make_call=lambda slot, attempt: Open(for_slot(slot, "wire-m", attempt)),
            notices=lambda _slot: (),
            input_tokens=lambda _slot: 0,
            several=self.several,
        )

    def slots(self):
        wishes = [Wish(i, str(i), ImageRequest.of(p, "m", n=self.n)) for i, p in enumerate(self.prompts)]
        return slots(wishes, Ordinals())

    def engine(self):
        self.watcher = Watcher()
        parts = Parts(self.ledger, self.blobs, self.clock, self.dice, self.watcher)
        return Engine(parts, lambda _slot: self.lanes, self.policy, self.max_cost_nusd)

    async def run(self):
        return await self.engine().run(self.slots())

    @property
    def provider(self):
        return self.providers[0]
