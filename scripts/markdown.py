"""Markdown for the generated pages: tables, code, paragraphs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

from cavendish.catalog.cards import Provenance


def cell(text: object) -> str:
    """What may stand in a table."""
    return " ".join(str(text).split()).replace("|", "\\|") or "–"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    return ", ".join(map(code, texts))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"
    yield ""


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: its double backticks are single ones there."""
    return inspect.cleandoc(docstring or "").replace("``", "`").strip()


def words(text: str) -> Iterator[str]:
    """Paragraphs as they stand in a script, and a blank line."""
    yield from inspect.cleandoc(text).splitlines()
    yield ""


def html_safe(text: str) -> str:
    """Words from a help text: braces and angle brackets would otherwise be taken for tags."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


def origin(fact: Provenance) -> tuple[str, str]:
    """Its source, with what makes it doubtful, and its date."""
    doubts = "; ".join(filter(None, ("" if fact.verified else "*unverified*", fact.note)))
    return f"{fact.source}{f' ({doubts})' if doubts else ''}", str(fact.as_of)
