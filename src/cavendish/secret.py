"""Secret: a key that cannot be written by accident."""

from __future__ import annotations

import hashlib
from typing import NoReturn


class Secret:
    """A key. Shows itself only to who calls ``reveal``; everything else sees a fingerprint made from its hash."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the transport and nobody else."""
        return self._value

    @property
    def fingerprint(self) -> str:
        """``…`` and four hexadecimal digits of the key's SHA-256: tells keys apart and says nothing about them."""
        return "…" + hashlib.sha256(self._value.encode()).hexdigest()[:4]

    def __str__(self) -> str:
        return self.fingerprint

    def __repr__(self) -> str:
        return f"Secret({self.fingerprint})"

    def __format__(self, spec: str) -> str:
        return format(self.fingerprint, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")
