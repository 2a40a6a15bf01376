"""``cavendish doctor``: what is configured, what each key can reach, what is wrong and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as o
from . import voice
from .voice import Exit

SIGNS = {True: "ok", False: "WRONG", None: "-"}


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Look at the settings only; make no call.")] = False,
    as_json: o.Json = False,
) -> int:
    """What is configured, what each key can reach, and what is wrong. Asks each endpoint for its list of models.

    That costs nothing. Exits with 1 when something is wrong.
    """
    import asyncio

    from ..build import Setup
    from ..checkup import examine

    findings = asyncio.run(examine(Setup(), offline=offline))
    if as_json:
        voice.data([{"what": f.what, "ok": f.ok, "text": f.text, "hints": list(f.hints)} for f in findings])
    else:
        voice.table(("WHAT", "", "FOUND"), [(f.what, SIGNS[f.ok], f.text) for f in findings])
        for hint in dict.fromkeys(hint for finding in findings for hint in finding.hints):
            voice.say(f"hint: {hint}")
    return Exit.NOTHING if any(finding.ok is False for finding in findings) else Exit.ALL
