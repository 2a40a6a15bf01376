"""Client: the same as ``AsyncClient`` for programs without asyncio, and for notebooks, where a loop runs already.

A loop of its own runs in a thread of its own, so it does not matter whether the caller has one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, Self, TypeVar

from .client import AsyncClient
from .folder.summary import Summary
from .outcome import Picture, Result
from .session.session import Session
from .stream import PictureStream

T = TypeVar("T")


class Client:
    """Pictures for ordinary programs. Use it with ``with``, or close it at the end. Methods as in ``AsyncClient``."""

    def __init__(self, *, settings: Mapping[str, Any] | None = None, **options: Any) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._live, name="cavendish", daemon=True)
        self._thread.start()
        try:
            self._client = AsyncClient(settings=settings, **options)
            self._do(self._client.open())
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop new calls, wait for those in flight, and end the thread. Closing twice is no error."""
        if self._loop.is_closed():
            return
        try:
            self._do(self._client.close())
        finally:
            self._end()

    def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        output: str | os.PathLike[str] | None = None,
        references: Any = (),
        **fields: Any,
    ) -> Result:
        """N pictures of one prompt; see ``AsyncClient.generate``."""
        return self._do(self._client.generate(prompt, n=n, output=output, references=references, **fields))

    def stream(
        self,
        prompt: str,
        *,
        n: int = 1,
        output: str | os.PathLike[str] | None = None,
        references: Any = (),
        **fields: Any,
    ) -> SyncPictureStream:
        """An iterator that gives each picture as it arrives; see ``AsyncClient.stream``."""
        return SyncPictureStream(
            self._do,
            self._client.stream(prompt, n=n, output=output, references=references, **fields),
        )

    def batch(
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
        """All rows into a run folder; see ``AsyncClient.batch``.

        ``on_picture`` is called in another thread.
        """
        return self._do(
            self._client.batch(
                rows,
                output=output,
                n=n,
                references=references,
                template=template,
                grid=grid,
                skip_bad=skip_bad,
                on_picture=on_picture,
                **fields,
            )
        )

    def session(self, session: str | os.PathLike[str], **defaults: Any) -> Session:
        """A conversation, by its name or its folder; see ``AsyncClient.session``."""
        return Session(self._do, self._client.session(session, **defaults))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed() or threading.current_thread() is self._thread:
            work.close()
            why = "is closed" if self._loop.is_closed() else "cannot be called by its own on_picture"
            raise RuntimeError(f"the client {why}")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._interrupted(future)
            raise

    def _interrupted(self, future: Future[Any]) -> None:
        """Ctrl-C, or a notebook's stop button: what is in flight is finished and kept; the second time, given up."""
        self._loop.call_soon_threadsafe(self._client.stop)
        try:
            wait({future})
        except KeyboardInterrupt:
            future.cancel()
            # Until the folder is free again.
            asyncio.run_coroutine_threadsafe(self._client.idle(), self._loop).result()

    def _live(self) -> None:
        # Leaving the runner cancels what is left, and waits for it and for the threads of the loop.
        with self._runner:
            self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class SyncPictureStream(Iterator[Picture]):
    """Pictures as they arrive; ``result`` has all outcomes when the iteration has ended.

    Who leaves the iteration early should call ``close``, or use ``with``, as with ``PictureStream``.
    """

    def __init__(self, do: Callable[[Coroutine[Any, Any, Any]], Any], stream: PictureStream) -> None:
        self._do = do
        self._stream = stream

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Picture:
        try:
            return self._do(_next(self._stream))
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def result(self) -> Result:
        """All outcomes. Raises ``RuntimeError`` while pictures are still to come."""
        return self._stream.result

    def close(self) -> None:
        """Stop new calls and wait for what is in flight."""
        self._do(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _next(stream: PictureStream) -> Picture:
    return await stream.__anext__()
