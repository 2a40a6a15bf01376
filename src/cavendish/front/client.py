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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from ..errors import RequestError
from . import said
from .asking import asked, each_with, models_named
from .build import Setup, Workshop
from .folder.summary import Summary
from .given import as_lines
from .keeping import GIVEN_NAME
from .order import Order
from .orders import model_before, order_batch, order_prompts
from .outcome import Picture, Result
from .recipes import BatchWish, RunWish, seconds_of
from .references import read_references
from .routes import Routes, RouteWish
from .rows.intake import STDIN
from .rows.options import RowDefaults, RowOptions
from .session.session import AsyncSession, Buyer
from .stream import PictureStream
from .work import Asking, Teller, Work, Working

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for all calls of a client unless a call says otherwise; every field is optional.

    ``model`` may name several, to be compared: each makes its n pictures. ``via`` names endpoints in the order of
    preference; ``max_cost`` is in dollars for one run, ``timeout`` in seconds for one call to a provider. ``tier`` and
    ``rpm`` speak of the key, so what is said of them first holds for as long as the client is open. ``mode`` is how the
    key is billed where there are several ways; ``"batch"`` has the pictures made as jobs at half price, within a day.
    ``batch_deadline`` (seconds, or words such as ``"6h"``) is how long those may take: then they are cancelled, and
    what is left goes online at the full price, or with ``batch_only`` stays open. ``sheet`` has up to so many pictures
    of a prompt drawn as one and cut from it, such as ``"4x4"``. ``hedge`` has a second call made for one that takes
    longer than a time (``"45s"``), or than most before it did (``"p95"``): rarely, and paid for too.
    """

    model: str | Sequence[str] | None = None
    via: str | Sequence[str] | None = None
    tier: str | None = None
    rpm: int | None = None
    concurrency: int | None = None
    max_cost: float | str | None = None
    timeout: float | None = None
    strict: bool = False
    mode: str | None = None
    batch_deadline: float | str | None = None
    batch_only: bool = False
    sheet: str | None = None
    hedge: str | None = None

    def __post_init__(self) -> None:
        """Raises ``RequestError`` for what cannot be."""
        _route_wish(self)
        _run_wish(Path(), self, "")


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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()
        self._at_work: dict[asyncio.Task[Any], Working[Any]] = {}

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop new calls, wait for those in flight, and close all connections."""
        self.stop()
        await self.idle()
        if self._workshop is not None:
            workshop, self._workshop = self._workshop, None
            await workshop.__aexit__(None, None, None)

    def stop(self) -> None:
        """No new calls; those in flight are finished and kept."""
        for work in list(self._at_work.values()):
            work.stop()

    async def idle(self) -> None:
        """Return when nothing is at work any more."""
        await asyncio.gather(*list(self._at_work), return_exceptions=True)

    async def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        output: str | os.PathLike[str] | None = None,
        references: Any = (),
        **fields: Any,
    ) -> Result:
        """N pictures of one prompt: all outcomes, in order. Never fewer than ``n`` of them.

        Args:
            prompt: sent as it is; whatever it says about a count is left alone.
            n: how many pictures.
            output: the run folder. The same call again with the same folder buys nothing twice and completes what is
                missing. Without one, a new folder is made below the user's data folder.
            references: one or several: paths, addresses, data URIs, bytes, Pillow images or pictures of earlier
                results; a name may end in a role (``look.png:style``), and ``Reference(image, "style")`` gives one.
            fields: ``model``, ``size``, ``aspect_ratio``, ``thinking``, ``include_thoughts``, ``modalities``,
                ``grounding``, ``seed``, ``temperature``, ``system``; and any field of ``Options`` for this call alone.

        Raises:
            InputError: something that the caller can mend, before any money is spent.
        """
        return await self._begin(self._asking(prompt, n, output, references, fields))

    def stream(
        self,
        prompt: str,
        *,
        n: int = 1,
        output: str | os.PathLike[str] | None = None,
        references: Any = (),
        **fields: Any,
    ) -> PictureStream:
        """Like ``generate``, but an iterator that gives each picture as it arrives; at its end ``.result`` has all."""
        return PictureStream(self._asking(prompt, n, output, references, fields), self._begin)

    async def batch(
        self,
        rows: str | os.PathLike[str] | Iterable[str | Mapping[str, Any]],
        *,
        output: str | os.PathLike[str],
        n: int = 1,
        references: Any = (),
        template: str | None = None,
        grid: Mapping[str, Sequence[str]] | None = None,
        skip_bad: bool = False,
        on_picture: Callable[[Picture], None] | None = None,
        **fields: Any,
    ) -> Summary:
        """All rows of a CSV, TSV, JSONL, text or Parquet file into a run folder. The same call again completes it.

        ``rows`` may also be prompts, or dicts of columns, instead of a file; ``references`` go along with every row.
        Returns the sums; the pictures are in the folder, with ``metadata.jsonl``. ``on_picture`` is called with each as
        it arrives. ``template`` makes prompts out of columns (``"a {animal} in {style}"``), ``grid`` adds columns of
        which every combination is taken. The other arguments are as in ``generate``.
        """
        options, wanted = self._split(fields)
        folder = Path(output)

        def start(setup: Setup) -> tuple[Routes, Order]:
            routes = setup.routes(_route_wish(options))
            images = read_references(references, folder)
            models = models_named(options.model)
            model = next(iter(models), None) or model_before(folder)
            defaults = RowDefaults(asked(routes, "", {**wanted, "model": model, "n": n}, images))
            columns = each_with(models, {name: tuple(values) for name, values in (grid or {}).items()})
            if isinstance(rows, str | os.PathLike):
                chosen = RowOptions(template=template, grid=columns, skip_bad=skip_bad)
                wish = BatchWish(rows, defaults, chosen)
            else:
                chosen = RowOptions("jsonl", template, columns, skip_bad)
                wish = BatchWish(STDIN, defaults, chosen, as_lines(rows))
            title = GIVEN_NAME if wish.given is not None else str(rows)
            return routes, order_batch(setup, routes, wish, _run_wish(folder, options, title=title))

        return await self._begin(Work(self.open, start, Teller(folder, on_picture)))

    def session(self, session: str | os.PathLike[str], **defaults: Any) -> AsyncSession:
        """A conversation, by its name or its folder; begun when there is none. Every turn of it is kept on disk.

        ``defaults`` hold for all its turns: ``model``, ``via``, ``size``, ``system`` and other fields of a request.
        """
        return AsyncSession(Buyer(self.open, self._begin, self._wishes), session, defaults)

    async def open(self) -> Workshop:
        """Read the settings and open the connections, unless that was done: the first call does it by itself.

        Raises ``ConfigError`` for settings that cannot be.
        """
        loop = asyncio.get_running_loop()
        if self._workshop is not None and self._loop is not loop:
            raise RuntimeError("this client was opened in another event loop; make one in each, or use Client")
        async with self._opening:
            if self._workshop is None:
                self._loop = loop
                # In a thread, since settings are files.
                setup = await asyncio.to_thread(Setup, self._settings)
                self._workshop = await Workshop(setup).__aenter__()
            return self._workshop

    def _begin(self, work: Working[T]) -> asyncio.Task[T]:
        """Start it as a task. Whoever awaits the task and is cancelled cancels what is in flight too."""
        task = asyncio.ensure_future(work.run())
        self._at_work[task] = work
        task.add_done_callback(self._at_work.pop)
        return task

    def _asking(
        self,
        prompt: str,
        n: int,
        output: str | os.PathLike[str] | None,
        references: Any,
        fields: Mapping[str, Any],
    ) -> Asking:
        options, wanted = self._split(fields)
        folder = Path(output) if output is not None else _new_folder()

        def start(setup: Setup) -> tuple[Routes, Order]:
            routes = setup.routes(_route_wish(options))
            images = read_references(references, folder)
            requests = [
                asked(routes, prompt, {**wanted, "model": model, "n": n}, images)
                for model in models_named(options.model) or (None,)
            ]
            return routes, order_prompts(setup, routes, requests, _run_wish(folder, options, title=prompt))

        return Asking(self.open, start, folder)

    def _wishes(self, fields: Mapping[str, Any]) -> tuple[RouteWish, Callable[[Path, str], RunWish], dict[str, Any]]:
        """Routes, the run in a folder under a title, and the fields of the request: what one call's fields come to."""
        mode = fields.get("mode")
        options, wanted = self._split({name: value for name, value in fields.items() if name != "mode"})
        wish = replace(_route_wish(options), mode=mode)
        return wish, lambda folder, title: _run_wish(folder, options, title), {**wanted, "model": options.model}

    def _split(self, fields: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
        """The options of this call, and the fields of its request."""
        known = set(Options.__dataclass_fields__)
        given = {name: getattr(self._options, name) for name in known}
        given |= {name: value for name, value in fields.items() if name in known}
        return Options(**given), {name: value for name, value in fields.items() if name not in known}


def _route_wish(options: Options) -> RouteWish:
    via = () if options.via is None else (options.via,) if isinstance(options.via, str) else options.via
    return RouteWish(said.words("via", via), options.tier, options.rpm, options.mode, strict=options.strict)


def _run_wish(folder: Path, options: Options, title: str) -> RunWish:
    cap = None if options.max_cost is None else said.money("max_cost", options.max_cost)
    deadline_s = seconds_of(options.batch_deadline)
    return RunWish(
        folder,
        options.concurrency,
        cap,
        options.timeout,
        title=title,
        batch_deadline_s=deadline_s,
        batch_only=options.batch_only,
        sheet=options.sheet,
        hedge=options.hedge,
    )


def _new_folder() -> Path:
    import platformdirs

    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    return Path(platformdirs.user_data_dir("cavendish", appauthor=False)) / "runs" / name
