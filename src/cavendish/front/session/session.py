"""AsyncSession: a conversation from Python; ``Session`` is the same for programs without asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from ..build import Setup, Workshop
from ..recipes import RunWish
from ..routes import RouteWish
from . import store as stores
from .defaults import checked
from .names import fork_folder, locate
from .saying import Means, Said
from .store import SessionStore
from .talk import Talk, finished
from .tree import Tree
from .turn import SessionTurn

T = TypeVar("T")

MakeRun = Callable[[Path, str], RunWish]
"""The wish for a run in a folder, under a title."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """A client as far as its sessions need it.

    ``begin`` does some work that closing the client waits for; ``wishes`` are what the fields of a call come to:
    routes, the run, and the fields of its request.
    """

    open: Callable[[], Awaitable[Workshop]]
    begin: Callable[[Talk], Awaitable[Any]]
    wishes: Callable[[Mapping[str, Any]], tuple[RouteWish, MakeRun, dict[str, Any]]]


class AsyncSession:
    """One session of a client. ``async with`` opens it, and so does the first ``say``; a new one is begun then.

    Raises ``RequestError`` for a name that can be none, and for defaults that there are not.
    """

    def __init__(self, buyer: Buyer, session: str | os.PathLike[str], defaults: Mapping[str, Any]) -> None:
        self._buyer = buyer
        self._store = SessionStore(locate(session))
        self._defaults = checked(defaults)
        self._kept: Mapping[str, Any] = {}
        self._tree: Tree | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._store.root

    @property
    def name(self) -> str:
        """What it is called: as its folder."""
        return self._store.root.name

    @property
    def turns(self) -> tuple[SessionTurn, ...]:
        """All turns, in the order in which they were said. Raises ``RuntimeError`` before the session is open."""
        if self._tree is None:
            raise RuntimeError("the session is not open: use `async with`, or await its open()")
        return tuple(SessionTurn.of(self._store, record) for record in self._tree.records.values())

    async def open(self) -> Self:
        """Read the session, or begin it. Raises ``FolderError`` for a folder that holds something else."""
        await finished(self._open)
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do: each turn was written down when it ended."""

    async def say(
        self, prompt: str, *, references: Any = (), turn: int | SessionTurn | None = None, **fields: Any
    ) -> SessionTurn:
        """One more turn, after ``turn``: its number, or 0 for the beginning; else after the last that has a picture.

        ``references`` may be turns, too; the other arguments are as in ``generate``, without a count. A picture that
        could not be had is a turn with a ``failure``. Raises ``InputError`` before anything is spent, and
        ``RunStopped`` when the turn ended without an answer: the same words again go on with it, and buy nothing twice.
        """
        async with self._one_at_a_time:
            if self._tree is None:
                await self.open()
            wish, run, wanted = self._buyer.wishes({**self._kept, **self._defaults, **fields})

            def means(setup: Setup, scratch: Path) -> Means:
                return Means(setup, wish, lambda folder: run(folder, prompt), scratch)

            said = Said(prompt, _paths(references), turn.number if isinstance(turn, SessionTurn) else turn, wanted)
            try:
                record = await self._buyer.begin(Talk(self._buyer.open, self._store, said, means))
            finally:
                self._tree = await finished(self._store.load)
        return SessionTurn.of(self._store, record)

    async def fork(self, turn: int | SessionTurn, name: str | os.PathLike[str] | None = None) -> AsyncSession:
        """A new session that begins with a turn and those before it. Without a name it lies beside this one."""
        if self._tree is None:
            await self.open()
        number = turn.number if isinstance(turn, SessionTurn) else turn
        root = await finished(lambda: fork_folder(self.folder, number, name))
        await finished(lambda: self._store.fork(number, root))
        return await AsyncSession(self._buyer, root, self._defaults).open()

    def _open(self) -> None:
        if not self._store.exists:
            stores.begin(self._store.root, self._defaults)
        self._kept = self._store.card().defaults
        self._tree = self._store.load()


def _paths(references: Any) -> Any:
    """References, with turns of a session by their pictures."""
    several = cast("Sequence[Any]", references) if isinstance(references, list | tuple) else (references,)
    return tuple(one.path if isinstance(one, SessionTurn) else one for one in several)


class Session:
    """The same for programs without asyncio; made by ``Client.session``, and open from the start."""

    def __init__(self, do: Callable[[Coroutine[Any, Any, Any]], Any], session: AsyncSession) -> None:
        self._do = do
        self._session = session
        do(session.open())

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._session.folder

    @property
    def name(self) -> str:
        """What it is called: as its folder."""
        return self._session.name

    @property
    def turns(self) -> tuple[SessionTurn, ...]:
        """All turns, in the order in which they were said."""
        return self._session.turns

    def say(
        self, prompt: str, *, references: Any = (), turn: int | SessionTurn | None = None, **fields: Any
    ) -> SessionTurn:
        """One more turn; see ``AsyncSession.say``."""
        return self._do(self._session.say(prompt, references=references, turn=turn, **fields))

    def fork(self, turn: int | SessionTurn, name: str | os.PathLike[str] | None = None) -> Session:
        """A new session that begins with a turn and those before it; see ``AsyncSession.fork``."""
        return Session(self._do, self._do(self._session.fork(turn, name)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do: each turn was written down when it ended."""
