"""Sheet: the contact sheet, page by page, each held as a whole while it is made."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from ...model.call import GroundingNote, Source
from ...model.fault import Charged
from ...model.result import Failure, Outcome, Picture
from .compare import heads
from .markup import Html, element, escaped, fill, joined, script
from .summary import Summary, duration, money, plural

PER_PAGE = 500
"""Cards of a page: a browser lays them out at once."""
ALT_CHARS = 200
MIN_RATIO, MAX_RATIO = 0.5, 2.6
"""Of a card: beyond it, the picture is cropped on the sheet, not in the lightbox."""
NOTICES_SHOWN = 5
CHIP_HEAD = '<base target="_blank"><meta name="color-scheme" content="light dark"><style>body{margin:0}</style>'
SOURCES_SHOWN = 5
"""Below a picture; the details have all."""

_CHARGED = {Charged.YES: "billed", Charged.NO: "not billed", Charged.UNKNOWN: "possibly billed"}


def page_name(page: int) -> str:
    """``index.html``, ``index-2.html``, ..."""
    return "index.html" if page == 1 else f"index-{page}.html"


def page(number: int, pages: int, cards: list[str], summary: Summary) -> str:
    """A whole page."""
    nav = _pages(number, pages)
    code, code_hash = script()
    simulated = element("span", "Simulated: no provider was called, and these pictures show nothing")
    head = fill(
        "head",
        script_hash=code_hash,
        title=summary.facts.title or summary.facts.folder.name or "Cavendish",
        page_title=f" page {number} of {pages}" if pages > 1 else "",
        simulated=element("div", simulated, class_="simulated") if summary.facts.simulated else "",
        facts=joined(_facts(summary)),
        more=joined(element("p", line) for line in _more(summary)) if number == 1 else "",
        pages=nav,
    )
    tail = fill("tail", files=_files(summary), pages=nav, script=code)
    return "".join((head, *_framed(cards, summary), tail))


def _framed(cards: list[str], summary: Summary) -> Iterator[str]:
    """The cards as they stand one after another, or rounds of cards below the heads of their models."""
    compared = summary.facts.models
    yield fill("compare", models=len(compared), heads=heads(summary)) if compared else fill("sheet")
    yield from cards
    yield fill("compare_end" if compared else "sheet_end")


def card(outcome: Outcome, src: str = "", *, compared: bool = False) -> str:
    """One outcome. ``src`` is the picture or its thumb, below the folder; ``compared``, it stands below its model."""
    return _picture(outcome, src, compared=compared) if isinstance(outcome, Picture) else _failure(outcome)


def _picture(picture: Picture, src: str, *, compared: bool) -> str:
    slot, request = picture.slot, picture.slot.request
    ratio = picture.width / picture.height if picture.width and picture.height else 1.0
    return fill(
        "picture",
        ratio=f"{min(max(ratio, MIN_RATIO), MAX_RATIO):.4f}",
        href=quote(picture.blob.ref),
        src=quote(src),
        alt=request.prompt[:ALT_CHARS],
        width=picture.width,
        height=picture.height,
        mark=element("span", f"{picture.attempts} attempts", class_="mark") if picture.attempts > 1 else "",
        prompt=request.prompt,
        key=f"{slot.key} · {picture.blob.ref}",
        meta=joined(_meta(picture, compared=compared), " · "),
        sources=joined(_credits(picture.grounding)) if picture.grounding else "",
        heading=picture.blob.ref,
        details=joined(_details(picture)),
    )


def _meta(picture: Picture, *, compared: bool) -> Iterator[object]:
    size = f"{picture.width} × {picture.height}"
    if not compared:
        return iter((element("b", picture.slot.key), size, _price(picture)))
    took = (duration(picture.latency_s),) if picture.latency_s else ()
    return iter((element("b", _price(picture)), *took, size))


def _price(picture: Picture | Failure) -> str:
    return money(picture.cost_nusd) if picture.cost_known else f"{money(picture.cost_nusd)} or more"


def _details(picture: Picture) -> Iterator[Html]:
    if picture.text:
        yield element("p", picture.text, class_="said", dir="auto")
    asked = " ".join(filter(None, (picture.slot.request.size, picture.slot.request.aspect_ratio)))
    rows = {
        "Size": f"{picture.width} × {picture.height} pixels",
        "Asked for": asked,
        "Model": str(picture.route),
        "Cost": _price(picture),
        "Attempts": str(picture.attempts),
        "Took": duration(picture.latency_s) if picture.latency_s else "",
        "Key": picture.slot.key,
        **{str(name): str(value) for name, value in picture.slot.columns.items() if value is not None},
    }
    yield element("dl", joined(joined((element("dt", k), element("dd", v, dir="auto"))) for k, v in rows.items() if v))
    if picture.notices:
        yield element("ul", joined(element("li", notice.text) for notice in picture.notices))
    if picture.grounding:
        yield from _sources(picture.grounding)
    yield element("p", element("a", "Open the file", href=quote(picture.blob.ref)))
    if picture.sheet is not None:
        link = element("a", "the sheet as it came", href=quote(picture.sheet.ref))
        yield element("p", joined((f"Cell {picture.cell} of ", link)))


# --- what was searched for: who shows a grounded picture is obliged to show this with it ---


def _credits(note: GroundingNote) -> Iterator[Html]:
    """Below the picture: the pages behind it, and the provider's own search suggestions."""
    if note.sources:
        links = joined((_source(source) for source in note.sources[:SOURCES_SHOWN]), ", ")
        yield element("p", joined(("Sources: ", links)), class_="sources")
    if note.attribution:
        # HTML that was written elsewhere: it runs no script, sees nothing of this page, and its links open elsewhere.
        yield element(
            "iframe",
            "",
            class_="chip",
            sandbox="allow-popups allow-popups-to-escape-sandbox",
            title="Search suggestions",
            loading="lazy",
            srcdoc=CHIP_HEAD + note.attribution,
        )


def _sources(note: GroundingNote) -> Iterator[Html]:
    """In the details: all pages, the pictures on them, and what was searched for."""
    queries = (*note.web_queries, *note.image_queries)
    if queries:
        yield element("p", joined(("Searched for ", joined((element("q", query) for query in queries), ", "))))
    if note.sources:
        yield element("ul", joined(element("li", joined(_found(source), ", ")) for source in note.sources))


def _found(source: Source) -> Iterator[Html]:
    yield _source(source)
    if source.picture:
        yield _link(source.picture, "picture")


def _source(source: Source) -> Html:
    return _link(source.page, source.title or source.domain or source.page or "a page")


def _link(address: str, title: str) -> Html:
    # Anything else than a web address stays plain text.
    if urlsplit(address).scheme not in {"http", "https"}:
        return escaped(title)
    return element("a", title, href=address, rel="noopener noreferrer", target="_blank")


def _failure(failure: Failure) -> str:
    fault, slot = failure.fault, failure.slot
    reason = fault.kind.value.replace("_", " ")
    paid = f"cost {_price(failure)}" if failure.cost_nusd else _CHARGED[fault.charged]
    return fill(
        "failure",
        label=f"failed: {reason}",
        reason=reason[:1].upper() + reason[1:],
        word=fault.reason,
        message=fault.text or fault.message,
        paid=f"{plural(failure.attempts, 'attempt')}, {paid}",
        prompt=slot.request.prompt,
        key=slot.key,
        meta=joined((element("b", slot.key), str(failure.route or slot.request.model)), " · "),
    )


# --- above and below -------------------------------------------------------------------------------------------------


def _facts(summary: Summary) -> Iterator[Html]:
    yield _fact(f"{summary.delivered:,}", "picture" if summary.delivered == 1 else "pictures")
    if summary.failed:
        yield _fact(f"{summary.failed:,}", "failed", "bad")
    if summary.facts.left:
        yield _fact(f"{summary.facts.left:,}", "left")
    if summary.facts.skipped:
        yield _fact(f"{summary.facts.skipped:,}", "rows skipped", "bad")
    yield _fact(money(summary.billed_nusd), "would have been billed" if summary.facts.simulated else "billed")
    if summary.unknown_nusd:
        yield _fact(money(summary.unknown_nusd), "perhaps billed besides")
    if summary.saved_nusd:
        yield _fact(money(summary.saved_nusd), "less than the list price")
    if summary.facts.duration_s:
        yield _fact(duration(summary.facts.duration_s), "taken")
    if (rate := summary.pictures_per_minute) is not None:
        yield _fact(f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}", "a minute")


def _fact(value: str, name: str, kind: str = "fact") -> Html:
    return element("div", joined((element("dt", name), element("dd", value))), class_=kind)


def _more(summary: Summary) -> Iterator[Html | str]:
    if len(summary.routes) == 1:
        yield next(iter(summary.routes))
    several = len(summary.routes) > 1 and not summary.facts.models
    for name, route in summary.routes.items() if several else ():
        yield f"{name}: {plural(route.pictures, 'picture')}, {money(route.cost_nusd)}"
    if summary.failures:
        counts = ", ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in summary.failures.items())
        yield f"Failed: {counts}"
    for text, count in list(summary.notices.items())[:NOTICES_SHOWN]:
        yield f"{text} ({count:,} times)" if count > 1 else text
    if summary.resume:
        yield joined(("To complete it: ", element("code", summary.resume)))


def _files(summary: Summary) -> Html:
    names = ["metadata.jsonl", *(["failures.jsonl"] if summary.failed else [])]
    return joined(("Data: ", joined((element("a", name, href=name) for name in names), ", ")))


def _pages(number: int, pages: int) -> Html:
    if pages == 1:
        return Html()
    parts: list[Html] = []
    if number > 1:
        parts.append(element("a", "← Previous", href=page_name(number - 1), rel="prev"))
    parts.append(element("span", f"{number:,} of {pages:,}"))
    if number < pages:
        parts.append(element("a", "Next →", href=page_name(number + 1), rel="next"))
    return element("nav", joined(parts), class_="pages", aria_label="Pages")
