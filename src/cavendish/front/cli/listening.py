"""Listening: a server that runs until Ctrl-C, and an address that it cannot have, told as such."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Generator

from ...errors import ConfigError

_CANNOT = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL})


@contextlib.contextmanager
def until_stopped(host: str, port: int) -> Generator[None]:
    """While a server is at this address. Raises ``ConfigError`` when it cannot listen there."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        reason = "is in use" if error.errno == errno.EADDRINUSE else "cannot be listened on"
        raise ConfigError(f"{host}:{port} {reason}", hints=("another one: --port 0 takes a free one",)) from error
