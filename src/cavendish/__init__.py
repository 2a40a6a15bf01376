"""Cavendish: ask for N images, get N images.

::

    from cavendish import Client

    with Client() as client:
        for picture in client.stream("a red kite", n=4):
            picture.save("kites/")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        BatchInputError,
        CavendishError,
        ConfigError,
        FolderError,
        InputError,
        ProviderError,
        RequestError,
        RunStopped,
        ShortfallError,
    )
    from .front.client import AsyncClient
    from .front.folder.summary import Summary
    from .front.outcome import Failure, Picture, Result
    from .front.references import Reference
    from .front.session.session import AsyncSession, Session
    from .front.session.turn import SessionTurn
    from .front.stream import PictureStream
    from .front.sync import Client

_PLACES = {
    "AsyncClient": "front.client",
    "AsyncSession": "front.session.session",
    "PictureStream": "front.stream",
    "Client": "front.sync",
    "Session": "front.session.session",
    "SessionTurn": "front.session.turn",
    "Failure": "front.outcome",
    "Picture": "front.outcome",
    "Reference": "front.references",
    "Result": "front.outcome",
    "Summary": "front.folder.summary",
    "BatchInputError": "errors",
    "CavendishError": "errors",
    "ConfigError": "errors",
    "FolderError": "errors",
    "InputError": "errors",
    "ProviderError": "errors",
    "RequestError": "errors",
    "RunStopped": "errors",
    "ShortfallError": "errors",
}

__all__ = [
    "AsyncClient",
    "AsyncSession",
    "BatchInputError",
    "CavendishError",
    "Client",
    "ConfigError",
    "Failure",
    "FolderError",
    "InputError",
    "Picture",
    "PictureStream",
    "ProviderError",
    "Reference",
    "RequestError",
    "Result",
    "RunStopped",
    "Session",
    "SessionTurn",
    "ShortfallError",
    "Summary",
]


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first used: importing Cavendish itself costs next to nothing."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *_PLACES]
