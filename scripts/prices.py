"""Write the comparison of prices and times into README.md, out of the catalog; `--check` says whether it is there."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from cavendish.catalog.load import load
from cavendish.catalog.resolve import Life
from cavendish.front.comparison import AT_ONCE, USUAL_PROMPT, Ask, Time, Way, as_of, ways
from cavendish.model.money import NUSD_PER_USD

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- begin prices -->", "<!-- end prices -->"

QUALITY = "medium"
BATCH_OF, A_DAY, DAYS = 100, 1_000, 30
SIZES = ("1K", "4K")
SUBJECT = "gemini-3.1-flash-image"
SHOWN = (
    *((endpoint, SUBJECT) for endpoint in ("google", "apiyi", "fal", "openrouter")),
    *(("google", model) for model in ("gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image", "gemini-3-pro-image")),
    *(("apiyi", model) for model in ("gemini-3.1-flash-lite-image", "gemini-3-pro-image")),
    ("byteplus", "seedream-4.0"),
    ("byteplus", "seedream-5.0-lite"),
    ("openai", "gpt-image-2"),
    ("openai", "gpt-image-2.5-flare"),
    ("bfl", "flux-2-pro"),
    ("bfl", "flux-1.1-pro"),
)
"""Who sells the model that the comparison is about, and what else is bought instead of it."""
MODES = {"standard": "", "batch": "batch", "per_request": "by request", "tokens": "by token", "": ""}
MONTHLY_CAPS_USD = {("google", "tier1"): 250, ("google", "tier2"): 2_000}
"""What Google lets a key of a tier spend in a month. Source: ai.google.dev/gemini-api/docs/rate-limits, 2026-08-18."""
OTHERS_TIER = "tier1"
"""Of the other models, a key's first tier alone: the table is to be read."""
TITLES = {"google": "Google", "apiyi": "APIYI", "fal": "fal", "openrouter": "OpenRouter", "byteplus": "BytePlus"}
TITLES |= {"openai": "OpenAI", "bfl": "Black Forest Labs"}


@dataclass(frozen=True, slots=True)
class Row:
    """One way, and what it comes to: by size, 100 at once and the month's thousand a day."""

    way: Way

    @property
    def name(self) -> str:
        """Who sells it how, and with a key of which tier."""
        way = self.way
        parts = (TITLES[way.offer.endpoint], MODES[way.mode], _tier(way) if way.mode != "batch" else "")
        return " ".join(part for part in parts if part)

    def cost(self, size: str, n: int = BATCH_OF) -> int | None:
        """In nano-dollars."""
        return self.way.cost_nusd(Ask(n, size, QUALITY))

    def time(self, size: str) -> Time:
        """Of a hundred."""
        return self.way.time(Ask(BATCH_OF, size, QUALITY))

    def has(self, size: str) -> bool:
        """Whether the model draws this size."""
        return size in self.way.card.sizes


def _tier(way: Way) -> str:
    return way.tier.replace("tier", "tier ") if way.tier.startswith("tier") else ""


def rows() -> tuple[list[Row], list[Row]]:
    """The ways to the model that the comparison is about, and to others, the cheapest first in each."""
    catalog = load()
    found = [way for way in ways(catalog, as_of(catalog)) if (way.offer.endpoint, way.card.id) in SHOWN]
    own = [Row(way) for way in found if way.card.id == SUBJECT]
    others = [Row(way) for way in found if way.card.id != SUBJECT]
    tiers = [row for row in others if row.way.tier in {OTHERS_TIER, "standard", "new", ""}]
    return _once(own), _once(tiers)


def _once(found: Sequence[Row]) -> list[Row]:
    """The cheapest first, and of those the fastest; batch jobs have a quota of their own, so one row for all tiers."""
    unique = {(row.way.card.id, row.name): row for row in reversed(found)}
    return sorted(unique.values(), key=_rank)


def _rank(row: Row) -> tuple[bool, int, float, str]:
    cost = row.cost(SIZES[0]) or row.cost(SIZES[1])
    return cost is None, cost or 0, row.time(SIZES[0]).seconds or 0.0, row.name


# --- cells ------------------------------------------------------------------------------------------------------------


def dollars(nusd: int) -> str:
    """Cents below a hundred dollars, whole dollars above; always up."""
    cents = ceil(nusd * 100 / NUSD_PER_USD)
    return f"${cents / 100:,.2f}" if cents < 10_000 else f"${ceil(cents / 100):,}"


def span(seconds: float) -> str:
    """``45 s``, ``9 min 13 s``, ``3 h 5 min``: always up."""
    whole = ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(ceil(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def price_cell(row: Row, size: str, n: int = BATCH_OF) -> str:
    """What so many cost; `–` for a size that the model does not draw."""
    if not row.has(size):
        return "–"
    cost = row.cost(size, n)
    doubt = row.way.price is not None and not (row.way.price.provenance and row.way.price.provenance.verified)
    return "unknown" if cost is None else dollars(cost) + ("?" if doubt else "")


def time_cell(row: Row, size: str) -> str:
    """How long a hundred take."""
    if not row.has(size):
        return "–"
    time = row.time(size)
    if time.bound_by == "batch":
        return "within 24 h"
    if time.seconds is None:
        return "unknown"
    limits = row.way.limits.provenance
    doubt = row.way.knows_limits and limits is not None and not limits.verified
    more = " + a call" if time.at_least else " †" if time.assumed else ""
    known = "0 min" if not time.seconds else span(time.seconds)
    return known + more + ("?" if doubt else "")


def month_cell(row: Row, size: str) -> str:
    """What a thousand a day cost in a month, or why they cannot be had."""
    per_day = row.way.limits.requests_per_day
    if row.has(size) and row.way.mode != "batch" and per_day is not None and per_day < A_DAY:
        return f"{per_day:,} a day at most"
    cap = MONTHLY_CAPS_USD.get((row.way.offer.endpoint, row.way.tier)) if row.way.mode != "batch" else None
    cost = row.cost(size, A_DAY * DAYS) if row.has(size) else None
    if cap is not None and cost is not None and cost > cap * NUSD_PER_USD:
        return f"over its cap of ${cap:,} a month"
    return price_cell(row, size, A_DAY * DAYS)


# --- the block --------------------------------------------------------------------------------------------------------

HEAD = ("", "100 at 1K", "time", "100 at 4K", "time", "1,000 a day for 30 days, 1K", "4K")


def block() -> str:
    """What stands between the marks."""
    own, others = rows()
    return "\n".join(_block(own, others)).rstrip() + "\n"


def _block(own: Sequence[Row], others: Sequence[Row]) -> Iterator[str]:
    catalog = load()
    yield f"As of {as_of(catalog)}, out of the catalog (`make docs` writes it anew):"
    yield ""
    yield from _first(own, "Nano Banana 2", short)
    yield from _first([*own, *others], "Any model here", full)
    yield ""
    yield from _table("Nano Banana 2", own, short)
    yield from _table("Other models", others, full)
    yield from _notes()


def short(row: Row) -> str:
    """Who sells it, where the model is known."""
    return row.name


def full(row: Row) -> str:
    """The model, and who sells it."""
    return f"{row.way.card.name}, {row.name}"


def _first(found: Sequence[Row], title: str, name: Callable[[Row], str]) -> Iterator[str]:
    """Who is cheapest and who is fastest, in a line."""
    cheap = min((row for row in found if row.cost("1K") is not None), key=lambda row: row.cost("1K") or 0)
    fast = min((row for row in found if _is_timed(row)), key=lambda row: row.time("1K").seconds or 0.0)
    yield (
        f"- **{title}:** cheapest {name(cheap)}{_life(cheap)}, {price_cell(cheap, '1K')} for 100 at 1K; "
        f"fastest {name(fast)}{_life(fast)}, {time_cell(fast, '1K')}."
    )


def _is_timed(row: Row) -> bool:
    time = row.time("1K") if row.has("1K") else None
    return time is not None and time.seconds is not None and not time.at_least and time.bound_by != "batch"


def _table(title: str, found: Sequence[Row], name: Callable[[Row], str]) -> Iterator[str]:
    yield f"| {title} | {' | '.join(HEAD[1:])} |"
    yield f"|---|{'---:|' * (len(HEAD) - 1)}"
    best = {column: _best(found, *column) for column in ((kind, size) for kind in ("price", "time") for size in SIZES)}
    for row in found:
        cells = [name(row) + _life(row)]
        for size in SIZES:
            cells += [_bold(price_cell(row, size), best=row is best["price", size])]
            cells += [_bold(time_cell(row, size), best=row is best["time", size])]
        cells += [month_cell(row, size) for size in SIZES]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _best(found: Sequence[Row], kind: str, size: str) -> Row | None:
    """The cheapest or the fastest of a column."""
    if kind == "price":
        priced = [(cost, place) for place, row in enumerate(found) if (cost := row.cost(size)) is not None]
        return found[min(priced)[1]] if priced else None
    timed = [
        (time.seconds, place)
        for place, row in enumerate(found)
        if row.has(size) and (time := row.time(size)).seconds is not None and not time.at_least
    ]
    return found[min(timed)[1]] if timed else None


def _bold(cell: str, *, best: bool) -> str:
    return f"**{cell}**" if best else cell


def _life(row: Row) -> str:
    return " ‡" if row.way.life is Life.RETIRED else ""


def _notes() -> Iterator[str]:
    yield from _wrapped(
        f"A picture comes with a prompt of {len(USUAL_PROMPT)} letters, the words beside it and the usual thoughts, as "
        "`cavendish plan` reckons; GPT Image is asked for medium quality. Times are those that the limits of one key "
        "allow with calls of the median length; batch jobs are promised within a day and mostly take minutes."
    )
    yield ""
    yield from _wrapped(
        "`?`: a price or a limit that was not seen at its source. `unknown`: none is known, which is not nothing. "
        f"†: no limit is known; {AT_ONCE} calls at once are taken. + a call: the last one's own time is not known. "
        "‡: the provider's date for its end has passed; it may not answer. –: a size that it does not draw."
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_on_hyphens=False)


# --- the page ---------------------------------------------------------------------------------------------------------


def written(text: str) -> str:
    """The page with the block as it is now. Raises ``ValueError`` where the marks are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{block()}{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` say whether it is as it should be."""
    text = README.read_text(encoding="utf-8")
    now = written(text)
    if "--check" in arguments:
        return int(now != text)
    README.write_text(now, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
