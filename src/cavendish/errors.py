"""What Cavendish raises at its edges.

::

    CavendishError
    ├── InputError            the caller can mend it; raised before any money is spent
    │   ├── RequestError      a field of a request: prompt, n, size, ratio, references, ...
    │   ├── BatchInputError   a row of a batch file, named by its line
    │   ├── ConfigError       a setting, a key, a configuration file
    │   └── FolderError       a run folder that cannot be used
    ├── ProviderError         a call failed for good; ``.fault`` says why
    ├── ShortfallError        fewer pictures than asked for; ``.result`` holds those that came
    └── RunStopped            the run ended early, and can be resumed: budget, quota, full disk, interrupt

Inside the core faults are values (``model.fault``); only front ends raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .model.fault import Fault


class CavendishError(Exception):
    """The root of all errors here. ``hints`` say what to do, one line each."""

    def __init__(self, message: str, *, hints: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hints = tuple(hints)


class InputError(CavendishError):
    """The caller can mend it; nothing was spent."""


class RequestError(InputError):
    """A field of a request cannot be honoured. ``allowed`` lists what can."""

    def __init__(
        self, message: str, *, field: str = "", allowed: Sequence[str] = (), hints: Sequence[str] = ()
    ) -> None:
        super().__init__(message, hints=hints)
        self.field = field
        self.allowed = tuple(allowed)


class BatchInputError(InputError):
    """A row of a batch file is broken. ``line`` counts from 1, as editors do."""

    def __init__(self, message: str, *, path: str = "", line: int | None = None, hints: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.path = path
        self.line = line


class ConfigError(InputError):
    """A setting, a key or a configuration file is wrong."""


class FolderError(InputError):
    """A run folder cannot be used: it belongs to another run, is read-only, or is no run folder."""


class ProviderError(CavendishError):
    """A call failed for good."""

    def __init__(self, message: str, fault: Fault, *, hints: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.fault = fault


class ShortfallError(CavendishError):
    """Fewer pictures than asked for; ``result`` holds all outcomes, the delivered pictures among them."""

    def __init__(self, message: str, result: Any, *, hints: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.result = result


class RunStopped(CavendishError):
    """The run ended before its end and can be resumed. ``fault`` says what stopped it."""

    def __init__(self, message: str, fault: Fault, *, hints: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.fault = fault
