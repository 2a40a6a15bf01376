"""``cavendish reconcile``: our books against a provider's bill, with a reason for each difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import FolderError, RequestError
from . import options as o
from .voice import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..build import Setup
    from ..reconcile.calls import OurCall
    from ..reconcile.difference import Account


def reconcile(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Run folders; without one, this and those right below it.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="An export of the provider's console.")] = None,
    via: Annotated[
        str | None, typer.Option(help="Whose bill it is: an endpoint. Without one: of all that were called.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="With --csv: which column is what, such as date=Day,amount=Cost,model=SKU,id=Request."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="With --csv: whose midnight ends its days; UTC, at Google America/Los_Angeles.")
    ] = None,
    encoding: o.Encoding = None,
    key_env: Annotated[
        str | None,
        typer.Option(help="With --via: the variable that holds the key to ask with, where usage is an admin's to see."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Settle calls of unknown fate in our books, as the bill says.")
    ] = False,
    as_json: o.Json = False,
) -> int:
    """Our books against a provider's bill, with a reason for each difference. Buys nothing.

    Calls are matched by the provider's own name for them where it is known, the rest by day and model. Exits with 0
    when every difference is explained, and with 1 when one is not, or nothing could be compared.
    """
    from ..build import Setup
    from . import voice

    setup = Setup()
    calls = _calls(folders or (), via)
    if csv is None:
        if columns or zone or encoding:
            hints = ("name it: --csv export.csv",)
            raise RequestError("--columns, --zone and --encoding are about an export", field="csv", hints=hints)
        accounts, notes = _asked(setup, calls, via, key_env)
    else:
        from ..reconcile.columns import read_columns
        from ..reconcile.export import ExportWish
        from ..reconcile.work import against_export

        wish = ExportWish(csv, (), zone or "", encoding or "", read_columns(columns))
        accounts, notes = (against_export(setup, calls, wish, via),), ()
    for note in notes:
        voice.say(f"note: {note}")
    _tell(accounts, as_json=as_json)
    _settle(setup, accounts, apply=apply)
    return _code(accounts)


def _calls(folders: Sequence[Path], via: str | None) -> Sequence[OurCall]:
    """The calls of the folders that are meant."""
    from ..reconcile.calls import read_books, run_folders
    from . import voice

    found = run_folders(folders)
    if not found and not via:
        hints = ("name one: cavendish reconcile out", "or read a meter before a run: cavendish reconcile --via bfl")
        raise FolderError("there is no run folder here, or right below", hints=hints)
    books = read_books(found)
    if books.under_way:
        voice.say(f"note: {books.under_way:,} calls have not ended, and are left out: cavendish resume ends them")
    return books.calls


def _asked(
    setup: Setup, calls: Sequence[OurCall], via: str | None, key_env: str | None
) -> tuple[Sequence[Account], Sequence[str]]:
    """What the providers say themselves."""
    from ..reconcile.work import against_providers, key_named

    if key_env and not via:
        raise RequestError("--key-env says which key to ask with", field="via", hints=("say whom: --via openai",))
    return against_providers(setup, calls, via, key_named(key_env) if key_env else None)


def _code(accounts: Sequence[Account]) -> Exit:
    from . import voice

    if not any(account.calls or account.theirs_nusd for account in accounts):
        voice.say("nothing could be compared")
        return Exit.NOTHING
    return Exit.ALL if all(account.is_explained for account in accounts) else Exit.NOTHING


def _tell(accounts: Sequence[Account], *, as_json: bool) -> None:
    """Say what was found."""
    from ..reconcile import told
    from . import voice

    if as_json:
        voice.data(told.to_json(accounts))
        return
    if found := told.sentences(accounts):
        voice.table(("WHY", "THEIRS LESS OURS", "WHAT"), found)
        print()
    if accounts:
        voice.table(told.HEAD, told.rows(accounts))
    for text in (text for account in accounts for text in account.left_out):
        voice.say(f"note: {text}")


def _settle(setup: Setup, accounts: Sequence[Account], *, apply: bool) -> None:
    """Settle in our books what can be, when that is wanted."""
    import asyncio

    from ..reconcile.settle import settle, verdicts_of
    from . import voice

    verdicts = verdicts_of(accounts)
    if not verdicts:
        return
    if not apply:
        voice.say("hint: the same with --apply settles what was of unknown fate in our books")
        return
    settled, notes = asyncio.run(settle(setup, verdicts))
    voice.say(f"settled in our books: {settled:,} of unknown fate")
    for note in notes:
        voice.say(f"note: {note}")
