"""AsyncClient: ask for N pictures from Python, get N outcomes.

::

    async with AsyncClient() as client:
        result = await client.generate("a red kite", n=4, size="2K")
        async for picture in client.stream("a red kite", n=4):
            picture.save("kites/")
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import RequestError
from ..model import result as model
from ..model.attempt import Attempt
from ..model.fault import Fault, FaultKind
from ..model.money import nusd
from ..model.result import Slot
from .asking import asked
from .build import Setup, Workshop
from .folder.summary import Summary
from .job import Job
from .keeping import REFERENCES
from .order import Order
from .orders import order_batch, order_prompts
from .outcome import Failure, Outcome, Picture, Result
from .recipes import BatchWish, RunWish
from .references import read_references
from .routes import Routes, RouteWish
from .rows.options import RowDefaults, RowOptions


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for all calls of a client unless a call says otherwise; every field is optional.

    ``via`` names endpoints in the order of preference; ``max_cost`` is in dollars for one run, ``timeout`` in seconds
    for one call to a provider.
    """

    model: str | None = None
    via: str | Sequence[str] | None = None
    tier: str | None = None
    rpm: int | None = None
    concurrency: int | None = None
    max_cost: float | str | None = None
    timeout: float | None = None
    strict: bool = False


class AsyncClient:
    """Pictures for asyncio programs. Usable as it is or with ``async with``; close it at the end.

    ``settings`` are laid over the environment and the configuration files, by their dotted names:
    ``AsyncClient(settings={"endpoints.google.api_key": key})``. Without any key the simulator answers, and every result
    says ``simulated``.
    """

    def __init__(self, *, settings: Mapping[str, Any] | None = None, **options: Any) -> None:
        try:
            self._options = Options(**options)
        except TypeError as error:
            raise RequestError(str(error).replace("Options.__init__()", "the client")) from None
        self._settings = settings
        self._workshop: Workshop | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._workshop is not None:
            workshop, self._workshop = self._workshop, None
            await workshop.__aexit__(None, None, None)

    async def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        output: str | os.PathLike[str] | None = None,
        references: Sequence[Any] = (),
        **fields: Any,
    ) -> Result:
        """N pictures of one prompt: all outcomes, in order. Never fewer than ``n`` of them.

        Args:
            prompt: sent as it is; whatever it says about a count is left alone.
            n: how many pictures.
            output: the run folder. The same call again with the same folder buys nothing twice and completes what is
                missing. Without one, a new folder is made below the user's data folder.
            references: paths, addresses, data URIs, bytes or Pillow images; a name may end in a role
                (``look.png:style``).
            fields: ``model``, ``size``, ``aspect_ratio``, ``thinking``, ``include_thoughts``, ``modalities``,
                ``grounding``, ``seed``, ``temperature``, ``system``; and any field of ``Options`` for this call alone.

        Raises:
            InputError: something that the caller can mend, before any money is spent.
        """
        stream = self.stream(prompt, n=n, output=output, references=references, **fields)
        async for _ in stream:
            pass
        return stream.result

    def stream(
        self,
        prompt: str,
        *,
        n: int = 1,
        output: str | os.PathLike[str] | None = None,
        references: Sequence[Any] = (),
        **fields: Any,
    ) -> PictureStream:
        """Like ``generate``, but an iterator that gives each picture as it arrives; at its end ``.result`` has all."""
        options, wanted = self._split(fields)
        folder = Path(output) if output is not None else _new_folder()

        def start(setup: Setup) -> tuple[Routes, Order]:
            routes = setup.routes(_route_wish(options))
            images = read_references(tuple(references), folder / REFERENCES)
            request = asked(routes, prompt, {**wanted, "model": options.model, "n": n}, images)
            return routes, order_prompts(setup, routes, (request,), _run_wish(folder, options, title=prompt))

        return PictureStream(self, folder, start)

    async def batch(
        self,
        rows: str | os.PathLike[str],
        *,
        output: str | os.PathLike[str],
        n: int = 1,
        template: str | None = None,
        grid: Mapping[str, Sequence[str]] | None = None,
        skip_bad: bool = False,
        on_picture: Callable[[Picture], None] | None = None,
        **fields: Any,
    ) -> Summary:
        """All rows of a CSV, TSV, JSONL, text or Parquet file into a run folder. The same call again completes it.

        Returns the sums; the pictures are in the folder, with ``metadata.jsonl``. ``on_picture`` is called with each as
        it arrives. ``template`` makes prompts out of columns (``"a {animal} in {style}"``), ``grid`` adds columns of
        which every combination is taken. The other arguments are as in ``generate``.
        """
        options, wanted = self._split(fields)
        folder = Path(output)
        workshop = await self.open()

        def prepare() -> tuple[Routes, Order]:
            setup = workshop.setup
            routes = setup.routes(_route_wish(options))
            defaults = asked(routes, "", {**wanted, "model": options.model, "n": n})
            chosen = RowOptions(
                template=template, grid={k: tuple(v) for k, v in (grid or {}).items()}, skip_bad=skip_bad
            )
            run = _run_wish(folder, options, title=str(rows))
            return routes, order_batch(setup, routes, BatchWish(rows, RowDefaults(defaults), chosen), run)

        routes, order = await asyncio.to_thread(prepare)
        watch = _Collector(folder, lambda outcome: _tell(on_picture, outcome))
        return await Job(workshop, routes, order, watch).run()

    async def open(self) -> Workshop:
        """Read the settings and open the connections, unless that was done: the first call does it by itself.

        Raises ``ConfigError`` for settings that cannot be.
        """
        async with self._opening:
            if self._workshop is None:
                # In a thread, since settings are files.
                setup = await asyncio.to_thread(Setup, self._settings)
                self._workshop = await Workshop(setup).__aenter__()
            return self._workshop

    def _split(self, fields: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
        """The options of this call, and the fields of its request."""
        known = set(Options.__dataclass_fields__)
        given = {name: getattr(self._options, name) for name in known}
        given |= {name: value for name, value in fields.items() if name in known}
        return Options(**given), {name: value for name, value in fields.items() if name not in known}


Start = Callable[[Setup], tuple[Routes, Order]]
"""Reads and checks what was asked for; blocks, so it is called in a thread."""


class PictureStream(AsyncIterator[Picture]):
    """Pictures as they arrive. ``result`` is there when the iteration has ended.

    Leaving the iteration early and calling ``aclose`` stops new calls; what is in flight is finished and kept.
    """

    def __init__(self, client: AsyncClient, folder: Path, start: Start) -> None:
        self._client = client
        self._folder = folder
        self._start = start
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._task: asyncio.Task[Result] | None = None
        self._job: Job | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Picture:
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        while (outcome := await self._queue.get()) is not None:
            if isinstance(outcome, Picture):
                return outcome
        self._queue.put_nowait(None)
        await self._task
        raise StopAsyncIteration

    @property
    def result(self) -> Result:
        """All outcomes. Raises ``RuntimeError`` while pictures are still to come."""
        if self._task is None or not self._task.done():
            raise RuntimeError("the result is there when all pictures have been taken from the stream")
        return self._task.result()

    async def aclose(self) -> None:
        """Stop new calls and wait for what is in flight."""
        if self._job is not None:
            self._job.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> Result:
        try:
            workshop = await self._client.open()
            routes, order = await asyncio.to_thread(self._start, workshop.setup)
            watch = _Collector(self._folder, self._queue.put_nowait)
            self._job = Job(workshop, routes, order, watch)
            summary = await self._job.run()
            return watch.result(order, routes, summary)
        except asyncio.CancelledError:
            if self._job is not None:
                self._job.abort()
            raise
        finally:
            self._queue.put_nowait(None)


class _Collector:
    """A progress that keeps outcomes by slot and tells of each."""

    def __init__(self, folder: Path, tell: Callable[[Outcome], object]) -> None:
        self._folder = folder
        self._tell = tell
        self._ended: dict[str, tuple[Slot, Outcome]] = {}

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """Nothing to collect."""

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """Nothing to collect."""

    def slot_ended(self, outcome: model.Outcome) -> None:
        """Collect it."""
        self._add(outcome)

    def slot_kept(self, outcome: model.Outcome) -> None:
        """Collect it too."""
        self._add(outcome)

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """A slot that stays open is a failure of this call."""
        self._add(model.Failure(slot, fault, 0))

    def waiting(self, why: str, seconds: float) -> None:
        """Nothing to collect."""

    def _add(self, outcome: model.Outcome) -> None:
        shown = _shown(outcome, self._folder)
        self._ended[outcome.slot.id] = (outcome.slot, shown)
        self._tell(shown)

    def result(self, order: Order, routes: Routes, summary: Summary) -> Result:
        """All outcomes of the order in the order of its slots; those never begun are failures too."""
        from ..plan.expand import Ordinals, slots

        stop = summary.facts.stopped or Fault(FaultKind.CANCELLED, "the run ended early")
        outcomes: list[Outcome] = []
        for slot in slots(order.wishes(0), Ordinals()):
            known = self._ended.get(slot.id)
            outcomes.append(known[1] if known else Failure.of(model.Failure(slot, stop, 0)))
        return Result(
            folder=self._folder,
            outcomes=tuple(outcomes),
            notices=tuple(routes.notices.values()),
            billed_nusd=summary.billed_nusd,
            unknown_nusd=summary.unknown_nusd,
            stopped=summary.facts.stopped,
            simulated=routes.simulated,
        )


def _shown(outcome: model.Outcome, folder: Path) -> Outcome:
    if isinstance(outcome, model.Picture):
        return Picture(folder / outcome.blob.ref, outcome)
    return Failure.of(outcome)


def _tell(on_picture: Callable[[Picture], None] | None, outcome: Outcome) -> None:
    if on_picture is not None and isinstance(outcome, Picture):
        on_picture(outcome)


def _route_wish(options: Options) -> RouteWish:
    via = (options.via,) if isinstance(options.via, str) else tuple(options.via or ())
    return RouteWish(via, options.tier, options.rpm, strict=options.strict)


def _run_wish(folder: Path, options: Options, title: str) -> RunWish:
    cap = None if options.max_cost is None else nusd(options.max_cost)
    return RunWish(folder, options.concurrency, cap, options.timeout, title=title)


def _new_folder() -> Path:
    import platformdirs

    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    return Path(platformdirs.user_data_dir("cavendish", appauthor=False)) / "runs" / name
