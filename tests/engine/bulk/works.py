"""A provider of jobs in memory, on the virtual clock, with every misfortune at hand."""

import asyncio
from collections import Counter
from dataclasses import replace

from cavendish.engine.bulk.ports import BulkLane, BulkPolicy
from cavendish.engine.bulk.run import BulkEngine, Places
from cavendish.engine.flight import Parts
from cavendish.engine.run import Engine
from cavendish.model.call import Done
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.job import Job, JobResult, JobState
from cavendish.model.request import Image
from cavendish.model.result import Route
from tests.engine.doubles import Rig, Watcher, store, tiny_png

LOST = Fault(FaultKind.TIMEOUT, "no answer", Charged.UNKNOWN)
NO_JOB = Fault(FaultKind.MODEL_NOT_FOUND, "no such job")
REFUSED = Fault(FaultKind.IMAGE_SAFETY, "not this one", Charged.YES)


class Works:
    """What the provider keeps: jobs by id, each with its lines, and what each line was bought for.

    ``takes_s`` is how long a job takes, ``submit_s`` to ask for one, ``listed_after_s`` until it is in the list, and
    ``first`` tells that there is one; ``ends`` how the next jobs end; ``answers`` has faults for the next creations,
    after which the job was made all the same when ``lost`` says so. ``faults`` are per prompt, used up in order.
    ``slower`` has seconds more by the id of a job.
    """

    def __init__(self, takes_s=3600.0):
        self.takes_s = takes_s
        self.jobs, self.made_at = {}, {}
        self.answers, self.ends, self.faults = [], [], {}
        self.cancelled = set()
        self.bought = Counter()
        self.lists = 0
        self.result_faults = []
        self.missing, self.slower = set(), {}
        self.submit_s, self.listed_after_s = 1.0, 0.0
        self.first = asyncio.Event()


class FakeJobs:
    """Implements ``engine.bulk.ports.Jobs``."""

    def __init__(self, works, blobs, key="key-1"):
        self.works, self.blobs, self.key = works, blobs, key

    def _now(self):
        return asyncio.get_running_loop().time()

    async def submit(self, name, lines):
        works = self.works
        await asyncio.sleep(works.submit_s)
        fault, made = works.answers.pop(0) if works.answers else (None, True)
        if made:
            job = Job(f"batches/{len(works.jobs) + 1}", name, JobState.PENDING)
            works.jobs[job.id] = job, list(lines), works.ends.pop(0) if works.ends else JobState.SUCCEEDED
            works.made_at[job.id] = self._now()
            works.first.set()
            await asyncio.sleep(0.5)
        return fault or job

    async def find(self, name):
        works = self.works
        works.lists += 1
        await asyncio.sleep(1)
        listed = {i for i, at in works.made_at.items() if self._now() - at >= works.listed_after_s}
        return next((job for job, _, _ in works.jobs.values() if job.name == name and job.id in listed), None)

    async def look(self, job_id):
        await asyncio.sleep(1)
        if job_id not in self.works.jobs:
            return NO_JOB
        job, _, end = self.works.jobs[job_id]
        if job_id in self.works.cancelled:
            return replace(job, state=JobState.CANCELLED)
        takes_s = self.works.takes_s + self.works.slower.get(job_id, 0.0)
        over = self._now() - self.works.made_at[job_id] >= takes_s
        return replace(job, state=end if over else JobState.RUNNING)

    async def cancel(self, job_id):
        self.works.cancelled.add(job_id)

    async def results(self, job, wanted):
        works = self.works
        for line in works.jobs[job.id][1]:
            if job.state is not JobState.SUCCEEDED or line.request.prompt in works.missing:
                continue
            if works.result_faults and works.result_faults[0][0] == line.request.prompt:
                yield works.result_faults.pop(0)[1]
                return
            if wanted(line.key):
                yield JobResult(line.key, await self._made(line))

    async def _made(self, line):
        script = self.works.faults.get(line.request.prompt)
        if script:
            return script.pop(0)
        self.works.bought[line.request.prompt] += 1
        data = tiny_png(8, 8, f"{line.key}".encode())
        reply = Done(parts=(Image(blob=await store(self.blobs, line.key, data)),), finals=(0,))
        await self.blobs.record(line.key, reply)
        return reply


class BulkRig(Rig):
    """A rig whose slots go as jobs; ``online`` is its ordinary lane, for the rest."""

    def __init__(self, *, works=None, bounds=None, key="key-1", **options):
        super().__init__(**options)
        self.works = works or Works()
        self.bounds = bounds or BulkPolicy(rows=3)
        self.online = self.lanes[0]
        route = Route("e0", "m", "wire-m", "batch")
        self.place = BulkLane(replace(self.online, route=route), FakeJobs(self.works, self.blobs, key))

    def bulk(self, run_id="run"):
        self.watcher = Watcher()
        self.parts = Parts(self.ledger, self.blobs, self.clock, self.dice, self.watcher)
        places = Places(lambda _: (self.place,), lambda _: (self.place.lane, self.online))
        return BulkEngine(self.parts, places, run_id, self.policy, self.bounds, self.max_cost_nusd)

    async def run(self):
        end = await self.bulk().run(self.slots())
        if end.rest is not None:
            online = await Engine(self.parts, lambda _: (self.online,), self.policy).run(end.rest)
            assert online.stop is None
        return end
