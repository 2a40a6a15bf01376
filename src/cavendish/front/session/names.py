"""Names: where a session lies, by its name or by its path."""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

from ...errors import RequestError

NAME_CHARS = 80
"""A third of what file systems take: room for endings."""

MOST_FORKS = 1000
"""Of one turn without names: who has more gives them names."""

_NAME = re.compile(rf"[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,{NAME_CHARS - 2}}}[A-Za-z0-9_-])?")
_TAKEN = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any ending."""
_STEPS = tuple(filter(None, (os.sep, os.altsep)))


def sessions_folder() -> Path:
    """Where sessions lie that were given a name and no path."""
    import platformdirs

    return Path(platformdirs.user_data_dir("cavendish", appauthor=False)) / "sessions"


def locate(session: str | os.PathLike[str]) -> Path:
    """The folder of a session. What holds a slash, or is a ``Path``, is a path; everything else is a name.

    Raises ``RequestError`` for what can be no name.
    """
    said = os.fspath(session)
    if isinstance(session, os.PathLike) or said in {".", ".."} or any(step in said for step in _STEPS):
        return Path(said).expanduser().absolute()
    if not _NAME.fullmatch(said) or _TAKEN.fullmatch(said):
        raise RequestError(
            f"{said!r} is no name for a session",
            field="session",
            hints=("letters, digits, - _ and . make a name; anything with a slash in it is taken for a path",),
        )
    return sessions_folder() / said


def fresh_name() -> str:
    """A name for a session that was given none."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def fork_folder(root: Path, turn: int, name: str | os.PathLike[str] | None) -> Path:
    """Where a fork lies: under its name, or beside the session under the session's name and the turn's number."""
    if name is not None:
        return locate(name)
    places = (
        root.with_name(f"{root.name}-{turn}{ending}") for ending in ("", *(f"-{n}" for n in range(2, MOST_FORKS)))
    )
    free = next((place for place in places if not place.exists()), None)
    if free is None:
        raise RequestError(f"{root.name} has too many forks of turn {turn}", field="as", hints=("name this one",))
    return free
