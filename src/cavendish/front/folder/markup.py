"""Markup: values into HTML, escaped unless they are HTML already."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.resources
import re
from collections.abc import Iterable

SECTION = re.compile(r"^<!-- section: (\w+) -->\n", re.MULTILINE)
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
SPECIAL = re.compile(r"[&<>\"'\ud800-\udfff]")
BEYOND_UNICODE = re.compile(r"[\ud800-\udfff]")


class Html(str):
    """Text that is HTML and is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> Html:
    """The value as HTML text or as the value of a quoted attribute."""
    if isinstance(value, Html):
        return value
    text = str(value)
    if not SPECIAL.search(text):  # most are plain words, and a large run's sheets have tens of millions
        return Html(text)
    # Lone surrogates, which JSON can bring, have no UTF-8.
    return Html(html.escape(BEYOND_UNICODE.sub("\ufffd", text), quote=True))


def element(name: str, content: object, **attributes: str) -> Html:
    """``<name attribute="...">content</name>``. ``class_`` is ``class``, ``aria_label`` is ``aria-label``."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{escaped(content)}</{name}>")


def joined(parts: Iterable[object], between: str = "") -> Html:
    """All parts, one after another."""
    return Html(between.join(escaped(part) for part in parts))


@functools.cache
def sections() -> dict[str, str]:
    """The parts of ``sheet.html`` by name."""
    text = importlib.resources.files(__package__ or "").joinpath("sheet.html").read_text(encoding="utf-8")
    _, *found = SECTION.split(text)
    return dict(zip(found[::2], found[1::2], strict=True))


def fill(section: str, /, **values: object) -> str:
    """A section with its placeholders filled, in one pass: what a value contains is never taken for a placeholder."""
    return PLACEHOLDER.sub(lambda match: escaped(values[match[1]]), sections()[section])


@functools.cache
def script() -> tuple[Html, Html]:
    """The script, and its hash for the content security policy: no other script runs on the page."""
    text = sections()["script"]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Html(text), Html(f"'sha256-{digest}'")
