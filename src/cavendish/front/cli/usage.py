"""``cavendish usage``: what the gateway's keys had done for them, and what it cost."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as o
from . import voice
from .voice import Exit, say

if TYPE_CHECKING:
    from ...config import Settings
    from ...io.desk.use import Use, UseQuestion


def usage(
    by: Annotated[str, typer.Option("--by", help="key, model, day or endpoint; several divided by commas.")] = "key",
    of: Annotated[str, typer.Option("--of", help="The name of one key.")] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="One model, by its name in the catalog.")] = "",
    since: Annotated[str, typer.Option(help="First day: 2026-11-01.")] = "",
    until: Annotated[str, typer.Option(help="Last day.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="A table for spreadsheets.")] = False,
    as_json: o.Json = False,
) -> int:
    """Requests, pictures and cost by key, model and day, as the gateway's books have them.

    Makes no call. A request counts on the day it was begun, once it has ended.
    """
    from ..build import Setup
    from ..gateway.keys.asking import question_of
    from ..gateway.keys.shown import use_csv, use_object

    question = question_of({"by": by, "model": model, "since": since, "until": until}, "")
    lines, question, names = asyncio.run(_looked(Setup().settings, question, of))
    if as_csv:
        sys.stdout.write(use_csv(lines, question, names).replace("\r\n", "\n"))
    elif as_json:
        voice.data(use_object(lines, question, names))
    else:
        _tell(lines, question, names)
    return Exit.ALL


async def _looked(settings: Settings, question: UseQuestion, of: str) -> tuple[list[Use], UseQuestion, dict[str, str]]:
    from dataclasses import replace

    from ...io.desk.keys import KeyBooks
    from ...io.desk.use import used
    from ..gateway.keys.opening import opened_books
    from ..gateway.keys.shown import names_of_keys

    async with opened_books(settings) as books:
        keys = KeyBooks(books)
        asked = replace(question, key=(await keys.named(of)).id if of else "")
        return await books.read(lambda link: used(link, asked)), asked, names_of_keys(await keys.all())


def _tell(lines: list[Use], question: UseQuestion, names: dict[str, str]) -> None:
    from ...io.desk.use import total
    from ..folder.summary import money

    def cells(line: Use) -> tuple[str, ...]:
        amounts = (line.billed_nusd, line.unknown_nusd)
        return f"{line.requests:,}", f"{line.pictures:,}", f"{line.failed:,}", *map(money, amounts)

    def place(line: Use) -> tuple[str, ...]:
        return tuple(names.get(line.key, line.key) if by == "key" else getattr(line, by) for by in question.by)

    rows = [(*place(line), *cells(line)) for line in lines]
    whole = ("total", *("" for _ in question.by[1:]), *cells(total(lines)))
    voice.table((*question.by, "requests", "pictures", "failed", "billed", "unknown"), [*rows, whole])
    if not lines:
        say("nothing was asked of the gateway in that time")
