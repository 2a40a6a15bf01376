"""``detail``: errors as FastAPI words them, both ways: a sentence, or a list of ``{loc, msg, type}``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .reading import entries_of, items, mapping, member, text, text_of


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong: where, why, and in one word what."""

    message: str
    place: str = ""
    kind: str = ""


def read_details(body: Any) -> tuple[Detail, ...]:
    """What is wrong, by the member ``detail`` of a body, or else by its bare words. Never raises."""
    said = member(body, "detail")
    words = text_of(said) or ("" if said else text(body, "message") or text(body, "error"))
    if words:
        return (Detail(words),)
    return tuple(map(_read, entries_of(said) or ((said,) if mapping(body, "detail") else ())))


def _read(entry: object) -> Detail:
    place = ".".join(str(step) for step in items(entry, "loc") if isinstance(step, str | int) and step != "body")
    return Detail(text(entry, "msg") or text_of(entry), place, text(entry, "type"))


def sentence(details: Iterable[Detail]) -> str:
    """What is wrong, for people."""
    return "; ".join(f"{d.place}: {d.message}" if d.place else d.message for d in details)


def write_details(message: str, kind: str, place: str = "") -> list[dict[str, Any]]:
    """One thing that is wrong, as a list of one."""
    return [{"loc": ["body", *place.split(".")] if place else ["body"], "msg": message, "type": kind}]
