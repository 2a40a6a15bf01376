"""Named: a batch that its client gave a name to, by ``Idempotency-Key``, is made once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from ....io.desk.batches import TOKEN, BatchBooks, BatchEntry
from ....model.fault import Fault
from ....model.job import JobLine
from ....model.request import JsonValue
from ..jobs.repeated import REUSED

_HEADER: Final = "Idempotency-Key"
_LINES: Final = "lines_digest"


def name_of(headers: Mapping[str, str], lines: Iterable[JobLine] = ()) -> dict[str, JsonValue]:
    """What a batch is found again by, when its client gave it a name, and what its inline ``lines`` asked for."""
    token = headers.get(_HEADER)
    if not token:
        return {}
    said = "\n".join(f"{line.key}\t{line.request.n}\t{line.request.prompt}" for line in lines)
    return {TOKEN: _digest(token), _LINES: _digest(said)}


async def earlier(
    books: BatchBooks, caller: str, door: str, asked: Mapping[str, JsonValue]
) -> BatchEntry | Fault | None:
    """The batch that a client made under the same name; why not, when it asks for something else by now."""
    token = asked.get(TOKEN)
    found = await books.named(caller, door, str(token)) if token else None
    return REUSED if found is not None and dict(found.asked) != dict(asked) else found


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode(errors="surrogatepass")).hexdigest()
