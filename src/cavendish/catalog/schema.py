"""What a catalog file may say: each table's keys, and how their values are read.

A value that cannot be read is a ``ConfigError`` that names the file, the table and the key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any, Final, cast, get_args

from ..errors import ConfigError
from ..model.money import nusd
from ..model.request import Use
from .cards import Provenance, Several, Shape

NEVER: Final = "never"
"""Stands for a day that will not come: how an override takes a retirement back."""

MAX_COUNT: Final = 10**12
"""Larger than any limit, token count or number of pixels; keeps arithmetic on them small."""

BILLING_RULES: Final = ("google", "relay_tokens", "relay_per_request", "as_told")
AUTHS: Final = ("key", "google")
PLACES: Final = ("project", "location")
"""What an address may leave open."""

GROUNDINGS: Final = ("web", "image")
MODALITIES: Final = ("TEXT", "IMAGE")
IGNORABLE: Final = (
    "seed",
    "temperature",
    "thinking",
    "size",
    "aspect_ratio",
    "system",
    "include_thoughts",
    "output_format",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the file, the table and, once inside one, the key."""

    origin: str
    table: str = ""
    key: str = ""

    def inside(self, key: str) -> Place:
        """The place of one of its keys."""
        path = f"{self.table}.{_quoted(self.key)}" if self.table and self.key else self.key or self.table
        return Place(self.origin, path, key)

    def error(self, expected: str, *hints: str) -> ConfigError:
        """What is wrong here."""
        table = f" [{self.table}]" if self.table else ""
        key = f" {self.key}:" if self.key else ""
        return ConfigError(f"{self.origin}:{table}{key} {expected}", hints=hints)


Reader = Callable[[Any, Place], Any]


def _quoted(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'


# --- single values ----------------------------------------------------------------------------------------------------


def text(value: Any, place: Place) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise place.error(f"expected a text, got {value!r}")
    return value


def _any_text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.error(f"expected a text, got {value!r}")
    return value


def _flag(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.error(f"expected true or false, got {value!r}")
    return value


def _count(value: Any, place: Place) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise place.error(f"expected a whole number from 0, got {value!r}")
    return value


def _at_least_one(value: Any, place: Place) -> int:
    if _count(value, place) == 0:
        raise place.error("expected a whole number from 1, got 0")
    return cast("int", value)


def _number(value: Any, place: Place) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value) or value <= 0:
        raise place.error(f"expected a number above 0, got {value!r}")
    return float(value)


def _dollars(value: Any, place: Place) -> int:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value) or value < 0:
        raise place.error(f"expected dollars, such as 0.067, got {value!r}")
    return nusd(value)


def _day(value: Any, place: Place) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise place.error(f"expected a date, such as 2026-10-29, got {value!r}")
    return value


def _end(value: Any, place: Place) -> date | None:
    return None if value == NEVER else _day(value, place)


def _ratio(value: Any, place: Place) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9]\d{0,3}:[1-9]\d{0,3}", value):
        raise place.error(f"expected a ratio, such as 16:9, got {value!r}")
    return value


def _variable(value: Any, place: Place) -> str:
    # Not repeated in the error: who mistakes this for the place of the key itself must not find it in a log.
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII):
        raise place.error("expected names of environment variables, not what they hold")
    return value


def _address(value: Any, place: Place) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", value):
        raise place.error("expected an address such as https://host/path, without a key or a query in it")
    return value.rstrip("/")


def _json_table(value: Any, place: Place) -> dict[str, Any]:
    return dict(_table(value, place))


def _one_of(*words: str) -> Reader:
    def read(value: Any, place: Place) -> str:
        if value not in words:
            raise place.error(f"expected one of {', '.join(words)}; got {value!r}")
        return cast("str", value)

    return read


def _list_of(reader: Reader) -> Reader:
    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise place.error("expected a list")
        return tuple(reader(item, place) for item in cast("list[Any]", value))

    return read


def _pixels(value: Any, place: Place) -> tuple[int, int]:
    pair = _list_of(_at_least_one)(value, place)
    if len(pair) != 2:
        raise place.error(f"expected [width, height], got {value!r}")
    return pair


# --- tables -----------------------------------------------------------------------------------------------------------


def _table(value: Any, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise place.error("expected a table")
    return cast("Mapping[str, Any]", value)


def map_of(reader: Reader, key: Reader = text) -> Reader:
    """A table whose keys are names."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, item in _table(value, place).items():
            inner = place.inside(name)
            found[key(name, inner)] = reader(item, inner)
        return found

    return read


def table_of(**readers: Reader) -> Reader:
    """A table whose keys are known; an unknown one is an error."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, item in _table(value, place).items():
            if name not in readers:
                raise _unknown(place, name, tuple(readers))
            found[name] = readers[name](item, place.inside(name))
        return found

    return read


def _unknown(place: Place, name: str, known: tuple[str, ...]) -> ConfigError:
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(sorted(known))}"
    return place.inside(name).error("unknown key", hint)


_PROVENANCE = {"source": text, "as_of": _day, "verified": _flag, "note": _any_text}


def _read_provenance(value: Any, place: Place) -> Provenance:
    found = table_of(**_PROVENANCE)(value, place)
    for name in ("source", "as_of"):
        if name not in found:
            raise place.inside(name).error("is missing: a fact has a source and a date")
    return Provenance(**found)


def sourced(**readers: Reader) -> Reader:
    """A table that holds its own source: ``source``, ``as_of``, ``verified`` and ``note`` become ``provenance``."""
    facts = table_of(**readers, **_PROVENANCE)

    def read(value: Any, place: Place) -> dict[str, Any]:
        found = facts(value, place)
        origin = {name: found.pop(name) for name in _PROVENANCE if name in found}
        if origin:
            found["provenance"] = _read_provenance(origin, place)
        return found

    return read


_TEXTS = _list_of(text)

_MODEL = table_of(
    name=text,
    aliases=_TEXTS,
    ids=map_of(table_of(released=_day, retires=_end, successor=_any_text)),
    sizes=map_of(
        table_of(output_tokens=_count, pixels=map_of(_pixels, key=_ratio), scale_of=text, scale=_number),
    ),
    default_size=_any_text,
    ratios=_list_of(_ratio),
    default_ratio=_ratio,
    references=table_of(
        total=_count,
        required=_flag,
        recommended=_count,
        **{f"{use.value}s": _count for use in Use},
        max_bytes=_count,
        media_types=_TEXTS,
    ),
    thinking=_TEXTS,
    default_thinking=_any_text,
    always_thinks=_flag,
    grounding=_list_of(_one_of(*GROUNDINGS)),
    modalities=_list_of(_one_of(*MODALITIES)),
    default_modalities=_list_of(_one_of(*MODALITIES)),
    output_types=_TEXTS,
    per_call=_at_least_one,
    sends_size=_flag,
    ignores=_list_of(_one_of(*IGNORABLE)),
    qualities=_TEXTS,
    max_input_tokens=_count,
    any_pixels=table_of(
        multiple=_at_least_one, shortest=_count, longest=_count, least=_count, most=_count, widest=_count
    ),
    tokens=table_of(reference=_count, text=_count, thoughts=map_of(_count)),
    provenance=map_of(_read_provenance),
)
_ENDPOINT = sourced(
    title=text,
    dialect=text,
    base_url=_address,
    auth_header=text,
    auth_prefix=_any_text,
    key_env=_list_of(_variable),
    base_url_env=_list_of(_variable),
    trusted_hosts=_TEXTS,
    options=_json_table,
    default_mode=text,
    default_tier=_any_text,
    billing=_one_of(*BILLING_RULES),
    day_zone=text,
    needs_key=_flag,
    auth=_one_of(*AUTHS),
    place_env=table_of(**dict.fromkeys(PLACES, _list_of(_variable))),
    place_default=table_of(**dict.fromkeys(PLACES, text)),
    base_url_at=map_of(_address),
    offers_of=text,
    rank=_count,
)
_PRICE = sourced(
    input=_dollars,
    input_image=_dollars,
    output_image=_dollars,
    output_text=_dollars,
    per_picture=map_of(_dollars),
    per_request=_dollars,
    per_search=_dollars,
    billing=_one_of(*BILLING_RULES),
    bills_refusals=_flag,
    free_searches=_list_of(_one_of(*GROUNDINGS)),
)
_TIER = sourced(
    requests_per_minute=_at_least_one,
    requests_per_day=_at_least_one,
    images_per_minute=_at_least_one,
    tokens_per_minute=_at_least_one,
    spend_usd_per_10_minutes=_dollars,
    in_flight=_at_least_one,
)
_OFFER = table_of(
    wire_id=text,
    serves=_TEXTS,
    prices=map_of(_PRICE),
    tiers=map_of(_TIER),
    latency=map_of(table_of(p50_s=_number, p90_s=_number)),
    timeout_s=_number,
    timeout_by_size=map_of(_number),
    keeps_retired=_flag,
    pictures_per_call=_at_least_one,
    several=_one_of(*get_args(Several)),
    pictures_and_references=_count,
    shape=_one_of(*get_args(Shape)),
    provenance=map_of(_read_provenance),
)


def _offer_name(value: Any, place: Place) -> str:
    endpoint, slash, model = str(value).partition("/")
    if not (endpoint and slash and model):
        raise place.error('expected the name of an offer, "endpoint/model"')
    return str(value)


_FILE = table_of(models=map_of(_MODEL), endpoints=map_of(_ENDPOINT), offers=map_of(_OFFER, key=_offer_name))


def read_tables(tables: Mapping[str, Any], origin: str) -> dict[str, dict[str, Any]]:
    """The tables of one file with their values read. Raises ``ConfigError``."""
    return _FILE(tables, Place(origin))
