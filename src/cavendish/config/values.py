"""Values: how what stands in a file, a variable or a flag is read, and what it should have been."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..model.money import nusd
from ..secret import Secret

MAX_TIMEOUT_S = 86_400.0
MAX_KEYS = 1_000
MAX_REFILLS = 1_000


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as it stood in a source. Hidden from ``repr``, because it may be a key."""

    value: Any = field(repr=False)
    origin: str
    where: str
    base: Path


def text(raw: Raw) -> str:
    if not isinstance(raw.value, str) or not raw.value.strip():
        raise ValueError("some text")
    return raw.value.strip()


def whole(most: int) -> Callable[[Raw], int]:
    def read(raw: Raw) -> int:
        value = raw.value
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"a whole number from 1 to {most}")
        return value

    return read


def refill(raw: Raw) -> int:
    if str(raw.value) == "0":
        return 0
    try:
        return whole(MAX_REFILLS)(raw)
    except ValueError:
        raise ValueError(f"a whole number from 0 to {MAX_REFILLS}") from None


def seconds(raw: Raw) -> float:
    try:
        value = float("nan" if isinstance(raw.value, bool) else raw.value)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 < value <= MAX_TIMEOUT_S:
        raise ValueError(f"a number of seconds, above 0 and at most {MAX_TIMEOUT_S:.0f}")
    return value


def money(raw: Raw) -> int:
    try:
        amount = nusd(str(raw.value).strip().removeprefix("$"))
    except ValueError:
        amount = -1
    if amount < 0:
        raise ValueError("an amount of dollars, such as 5 or 0.50")
    return amount


def ratio(raw: Raw) -> str:
    if not isinstance(raw.value, str) or not re.fullmatch(r"\s*[1-9]\d{0,2}:[1-9]\d{0,2}\s*", raw.value):
        raise ValueError('a ratio such as "16:9"')
    return raw.value.strip()


def folder(raw: Raw) -> Path:
    return raw.base / Path(text(raw)).expanduser()


def file(raw: Raw) -> Path:
    path = folder(raw)
    if not path.exists():
        raise ValueError("a file that exists")
    return path


def address(raw: Raw) -> str:
    if not isinstance(raw.value, str) or not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", raw.value.strip()):
        raise ValueError("an address such as https://host/path, without a key, a user name or a query in it")
    return raw.value.strip().rstrip("/")


def store(raw: Raw) -> Path | Secret:
    """A folder, or the address of a PostgreSQL server: a secret, for it may hold a password."""
    if isinstance(raw.value, str) and "://" in raw.value:
        if not re.fullmatch(r"postgres(ql)?://\S+", raw.value.strip()):
            raise ValueError("a folder, or an address such as postgresql://user@host/database")
        return Secret(raw.value.strip())
    return folder(raw)


def pictures(raw: Raw) -> Path | str:
    """A folder, or the address of a store like Amazon S3. That holds no key: those have settings of their own."""
    if isinstance(raw.value, str) and "://" in raw.value:
        if not re.fullmatch(r"s3://[^\s@#]+", raw.value.strip()):
            raise ValueError("a folder, or an address such as s3://bucket/prefix, without a key in it")
        return raw.value.strip()
    return folder(raw)


def secret(raw: Raw) -> Secret:
    found = keys(raw)
    if len(found) != 1:
        raise ValueError("one key")
    return found[0]


def project(raw: Raw) -> str:
    if not isinstance(raw.value, str) or not re.fullmatch(r"\s*[a-z0-9][a-z0-9.:-]{0,99}\s*", raw.value):
        raise ValueError("the id or number of a project")
    return raw.value.strip()


def location(raw: Raw) -> str:
    # It becomes part of the address that a token is sent to.
    if not isinstance(raw.value, str) or not re.fullmatch(r"\s*[a-z][a-z0-9-]{0,62}\s*", raw.value):
        raise ValueError("a location such as global, eu or europe-west4")
    return raw.value.strip()


def keys(raw: Raw) -> tuple[Secret, ...]:
    value = raw.value.split(",") if isinstance(raw.value, str) else raw.value
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise ValueError("a key, or several with commas between them")
    keys = dict.fromkeys(key.strip() for key in cast("list[str]", value) if key.strip())
    if not keys or len(keys) > MAX_KEYS:
        raise ValueError(f"a key, or several (at most {MAX_KEYS}) with commas between them")
    if any(not key.isascii() or not key.isprintable() or " " in key for key in keys):
        raise ValueError("a key of printable ASCII characters without spaces")
    return tuple(Secret(key) for key in keys)


def present(raw: Raw) -> bool:
    return raw.value if isinstance(raw.value, bool) else bool(raw.value)
