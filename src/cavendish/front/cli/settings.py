"""``cavendish config show``: every setting, its value and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

import typer

from ...secret import Secret
from . import options as o
from . import voice
from .voice import Exit

config = typer.Typer(name="config", help="The settings.", no_args_is_help=True, rich_markup_mode=None)


@config.callback()
def _root() -> None:
    """The settings."""


@config.command()
def show(
    every: Annotated[bool, typer.Option("--all", help="Those without a value, too.")] = False, as_json: o.Json = False
) -> int:
    """Every setting with its value and where it came from. Keys are never shown."""
    from ...config import read_sources, user_file
    from ..build import Setup

    settings = Setup().settings
    entries = [{"name": s.name, "value": _shown(s.value), "origin": s.origin} for s in settings]
    if as_json:
        voice.data(entries)
        return Exit.ALL
    said = [entry for entry in entries if every or entry["value"] is not None]
    voice.table(("SETTING", "VALUE", "FROM"), [(e["name"], _word(e["value"]), e["origin"]) for e in said])
    voice.notices(settings.notices)
    voice.say(f"hint: your own file is {user_file(read_sources().environ)}")
    return Exit.ALL


def _shown(value: Any) -> Any:
    """A value as JSON can hold it; of keys only that they are there."""
    if isinstance(value, tuple):
        return [_shown(item) for item in cast("tuple[Any, ...]", value)] or None
    if isinstance(value, Secret):
        return repr(value)
    if isinstance(value, Mapping):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _word(value: Any) -> str:
    return ", ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
