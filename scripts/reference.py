"""Writes docs/reference from the code: `make docs`. With `--check` it only tells whether that is current.

What is generated: every command and option, model, price, setting, error class and failure class, catalog field.
What the code cannot say of itself is in the tables of words below; a name without its words is an error.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from cavendish import config, errors
from cavendish.catalog import cards
from cavendish.catalog.cards import ModelCard
from cavendish.catalog.load import load
from cavendish.catalog.resolve import Catalog
from cavendish.catalog.shape import can
from cavendish.catalog.tables import PriceRow, price_rows
from cavendish.engine import policy
from cavendish.front.cli.app import app
from cavendish.front.cli.voice import Exit
from cavendish.front.routes import SIMULATOR
from cavendish.model.fault import FaultKind, blame_of
from cavendish.model.money import dollars

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script's own folder is on the path, its package is not
from scripts.markdown import code, codes, html_safe, origin, prose, table, words
from scripts.provider_pages import PROVIDERS, provider_page

OUT = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "<!-- Made by scripts/reference.py: change the code or the script, then `make docs`. -->"

EXITS = {
    Exit.ALL: "all pictures are there",
    Exit.NOTHING: "none is; or the command could not do its work",
    Exit.USAGE: "the command line, the settings or the input are wrong; nothing was spent",
    Exit.SOME: "some are there; the rest failed, was left or stood in rows that were skipped",
    Exit.STOPPED: "a budget or a quota stopped the run, which can be resumed",
    Exit.INTERRUPTED: "interrupted; can be resumed",
}

SETTINGS = {
    "model": "the model when none is named; else the newest Nano Banana that your endpoints offer",
    "endpoint": "the endpoint when none is named; else the first that you hold a key for",
    "size": "`512`, `1K`, `2K` or `4K`",
    "aspect_ratio": 'such as `"16:9"`',
    "timeout": "seconds for one call, start to end; an offer in the catalog may allow more",
    "concurrency": f"most calls in flight at once; {policy.Policy().concurrency} unless said",
    "max_cost": "dollars that one run folder may cost",
    "max_cost_per_day": "dollars that all runs together may cost in a day; under an endpoint, what it may cost",
    "max_cost_per_month": "the same for a calendar month",
    "state": "where what all runs share is kept: quotas, caps, spending. A folder, or `postgresql://USER@HOST/DATABASE`",
    "output": "where run folders go when `-o` names none; relative to the file it stands in",
    "ca_bundle": "certificates to trust, as a PEM file or a folder of them",
    "store": "where the gateway keeps pictures: a folder, or `s3://bucket/prefix?endpoint=https://…&region=…`",
    "store_access_key": "the key's id for a store of pictures at S3",
    "store_secret_key": "the key itself",
    "store_session_token": "what belongs to a key that ends by itself",
    "gateway_secret": "what the secrets of webhooks are enciphered under, the same for all gateways over one database",
    "no_color": "plain progress, without colour",
    "api_key": "the key, or several with commas between them: they share the work",
    "base_url": "where the endpoint is",
    "tier": "the key's tier, whose limits the catalog knows",
    "rpm": "requests a minute that the key may make, where you know better than the catalog",
    "project": "the project at Google Cloud that draws and pays; else the one that the login belongs to",
    "location": "where the pictures are drawn: `global`, `us`, `eu` or a region such as `europe-west4`",
}

SWITCHES = {
    "CAVENDISH_CONFIG": "path of your own configuration file",
    "CAVENDISH_TRUST_PROJECT": "`1`: `cavendish.toml` in the current folder may say where keys are sent",
}

KINDS = {
    FaultKind.INVALID_REQUEST: "the provider does not take this request",
    FaultKind.TOO_LARGE: "the request, its references above all, is larger than the provider takes",
    FaultKind.PROMPT_BLOCKED: "the prompt was refused before anything was drawn",
    FaultKind.PROHIBITED: "the picture would be against the provider's rules, or too close to an existing one",
    FaultKind.LOST_SIGNATURE: "a thought signature of an earlier turn is missing or was changed",
    FaultKind.BAD_KEY: "the key is wrong, expired or was taken back",
    FaultKind.FORBIDDEN: "the key is good, but may not do this",
    FaultKind.NO_CREDIT: "the account's money is spent",
    FaultKind.NO_QUOTA: "the account's plan has no quota for this model at all",
    FaultKind.MODEL_NOT_FOUND: "the endpoint knows no such model; the message names the successor when there is one",
    FaultKind.RATE_LIMITED: "too many requests, pictures or tokens in a minute",
    FaultKind.DAY_QUOTA: "the day's quota is used up",
    FaultKind.SPEND_LIMIT: "the provider's own limit of spending is reached",
    FaultKind.OVERLOADED: "the provider has more to do than it can",
    FaultKind.SERVER_ERROR: "the provider broke down over this call",
    FaultKind.TIMEOUT: "no answer in time",
    FaultKind.CONNECT: "no connection: nothing was sent",
    FaultKind.CUT: "the line was cut while the answer came, or before it",
    FaultKind.IMAGE_SAFETY: "the picture was drawn and withheld by the safety filter",
    FaultKind.IMAGE_OTHER: "the picture was not made, for a reason that the provider does not give",
    FaultKind.NO_IMAGE: "a good answer with neither picture nor words",
    FaultKind.TEXT_ONLY: "the model talked instead of drawing",
    FaultKind.MAX_TOKENS: "the answer ended at its token limit, before the picture did",
    FaultKind.DUPLICATE: "byte for byte a picture that this request has already",
    FaultKind.NOT_AN_IMAGE: "what was sent as a picture is none, or is incomplete",
    FaultKind.MALFORMED: "the answer cannot be read",
    FaultKind.JOB_FAILED: "a job that the provider had taken ended without a picture",
    FaultKind.JOB_EXPIRED: "a job's answer was not fetched in time",
    FaultKind.CANCELLED: "you stopped the run",
    FaultKind.BUDGET: "`--max-cost` is reached",
    FaultKind.UNREADABLE: "a reference picture on this machine cannot be read; a resumed run tries again",
    FaultKind.DISK_FULL: "there is no room for the picture; nothing that arrived is lost",
}

NOTICES = {
    "asides_left_out": "thoughts and drafts of earlier turns of a session are not shown to another model",
    "columns_carried": "columns of the batch file that are no field of a request; they go into the metadata",
    "config_readable": "a configuration file with a key in it can be read by other users",
    "conversation_cut": "the wire format knows no conversations: the latest picture and the latest words are sent",
    "field_ignored": "the model takes no notice of this field",
    "reference_converted": "the model does not read references of this type: they were written anew as PNG or JPEG",
    "reference_turned": "a reference lies on its side by its own EXIF orientation: it was written anew, upright",
    "format_left_out": "gateway: the model draws no pictures of this type; those that it draws are named",
    "format_normalised": "the output format was spelled otherwise",
    "grounding_left_out": "gateway: the model does not search, and draws without",
    "many_references": "more references than the model follows well",
    "masks_left_out": "masks of earlier turns of a session are not sent again",
    "model_chosen": "gateway: no model was named, or one that draws nothing: another draws, and is named",
    "model_retired": "the id is past its date and may not answer; the successor is named",
    "model_retiring": "the id ends within a month; the successor is named",
    "model_unknown": "the catalog does not know this id: it is sent as it is, and its price is unknown",
    "not_passed_on": "gateway: a member of the request that changes nothing about the picture",
    "no_book": "the shared state cannot be used: what this run spends is in its own folder alone",
    "picture_gone": "gateway: a picture that a conversation speaks of is not kept any more",
    "pictures_moved": "a picture of an earlier turn that the model did not sign goes with the words that follow it",
    "quality_nearest": "gateway: the quality was said in another model's words",
    "quota_begun_anew": "what was known of a quota could not be read, so it is counted anew",
    "quota_not_shared": "the shared state cannot be used: this process keeps to the quota by itself",
    "ratio_nearest": "gateway: the model does not draw this shape: the nearest that it draws",
    "ratio_normalised": "the aspect ratio was spelled otherwise",
    "row_skipped": "a broken row of a batch file was left out, as `--skip-bad` says; where it is broken is named",
    "sheet": "the pictures are drawn on a contact sheet and cut from it: how large they are, and what each costs",
    "sheet_alone": "these pictures are drawn one by one, for no sheet can be drawn of them; why is said",
    "sheet_cell": "this picture was cut from a contact sheet: it holds no content credentials of its own",
    "sheet_risk": "what may go wrong with contact sheets, and what becomes of it",
    "sheet_uncut": "a mark on a recorded answer: a contact sheet that is still to be cut; nobody is told",
    "signature_lost": "gateway: a picture came back in a conversation without the signature that its model needs",
    "signatures_left_out": "thought signatures of a session are of use only to the model and format that gave them",
    "size_nearest": "gateway: the model does not draw this very size: the nearest that it draws",
    "size_normalised": "the size was spelled otherwise: `2k`, `0.5K`, `2048x2048`",
    "standard_price": "gateway: no batch API is at hand for a line's model: single calls draw it, at their price",
    "tools_left_out": "gateway: tools beside the drawing of pictures are not called",
    "thinking_left_out": "gateway: the model has no levels of thinking",
    "thinking_nearest": "gateway: the model does not have this level of thinking: the nearest that it has",
    "thinking_normalised": "the thinking level was spelled otherwise",
    "unknown_variable": "a `CAVENDISH_` variable that is no setting",
    "unsupported": "the wire format has no words for this field, so it is left out",
    "variation_as_edit": "gateway: a variation is made as an edit of the picture",
    "words_left_out": "gateway: the model says nothing beside its pictures",
}

PAGES: dict[str, Callable[[], Iterable[str]]] = {}


def page(name: str) -> Callable[[Callable[[], Iterable[str]]], Callable[[], Iterable[str]]]:
    def keep(write: Callable[[], Iterable[str]]) -> Callable[[], Iterable[str]]:
        PAGES[name] = write
        return write

    return keep


# --- the command line ------------------------------------------------------------------------------------------------


@page("cli.md")
def cli() -> Iterator[str]:
    yield from words("""
        # Command line

        Data goes to stdout, everything else to stderr. `--json` prints JSON on stdout.
    """)
    for path, command in commands():
        yield from of_command(path, command)
    yield "## Exit codes"
    yield ""
    yield from table(("Code", "Meaning"), ((int(exit_code), EXITS[exit_code]) for exit_code in Exit))
    yield "`plan`, `models`, `price`, `status` and `config show` end with 0 whenever they could tell what was asked."


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its words: ``config show``."""
    yield from within("", typer.main.get_command(app))


def within(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from within(f"{path} {name}".strip(), child)


def context_of(path: str, command: Any) -> Any:
    return command.context_class(command, info_name=f"cavendish {path}")


def options(path: str, command: Any) -> Iterator[tuple[str, str]]:
    """Arguments and options with what each means; --help apart, which all have."""
    context = context_of(path, command)
    for parameter in command.get_params(context):
        if parameter.name != "help":
            yield parameter.get_help_record(context)


def of_command(path: str, command: Any) -> Iterator[str]:
    yield f"## cavendish {path}"
    yield ""
    yield prose(html_safe(command.help))
    yield ""
    yield f"    cavendish {path} {' '.join(command.collect_usage_pieces(context_of(path, command)))}"
    yield ""
    yield from table(("Option", "Meaning"), ((code(name), html_safe(text)) for name, text in options(path, command)))


# --- models and prices -----------------------------------------------------------------------------------------------


@page("models.md")
def models() -> Iterator[str]:
    catalog = load()
    yield from words("""
        # Models

        What the catalog knows, with the source and the day it was read. *Unverified*: not seen at the source
        itself. `cavendish models` shows the same as of today, with your own entries.
    """)
    for card in catalog.models.values():
        yield from of_model(catalog, card)


def of_model(catalog: Catalog, card: ModelCard) -> Iterator[str]:
    yield f"## {card.name}"
    yield ""
    yield from table(("", ""), facts(catalog, card))
    yield from table(("Id", "Released", "May end", "Then"), ids(card))
    yield from table(("Aspect ratio", *card.sizes), pixels(card))
    yield from table(("Fact", "Source", "As of"), ((code(name), *origin(p)) for name, p in card.provenance.items()))


def facts(catalog: Catalog, card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "names", codes((card.id, *card.aliases))
    yield "at", codes(offer.endpoint for offer in catalog.offers_of(card.id))
    yield "sizes", codes(card.sizes) if card.sends_size else "one, which is not asked for"
    yield "default", f"`{card.default_size}`, `{card.default_ratio}`"
    yield "references", references(card)
    yield "thinking", "always" if card.always_thinks else codes(card.thinking)
    yield "search", codes(card.grounding)
    yield "takes no notice of", codes(card.ignores)
    if card.any_pixels:
        yield "or any pixels", can(card).partition(", or ")[2]
    yield "qualities", codes(card.qualities)
    yield "sends", codes(card.output_types)
    yield "pictures in one call", str(card.per_call)


def references(card: ModelCard) -> str:
    limits = card.references
    parts = [f"{limits.total} in all{', at least one' if limits.required else ''}"]
    for name in ("objects", "persons", "styles"):
        count = getattr(limits, name)
        if count is not None:
            parts.append(f"{count} {name}")
    if limits.masks:
        parts.append(f"{limits.masks} {'masks' if limits.masks > 1 else 'mask'} beside")
    if limits.recommended is not None:
        parts.append(f"{limits.recommended} recommended")
    return ", ".join(parts)


def ids(card: ModelCard) -> Iterator[tuple[str, ...]]:
    for known in card.ids:
        yield code(known.id), str(known.released or ""), str(known.retires or ""), code(known.successor)


def pixels(card: ModelCard) -> Iterator[tuple[str, ...]]:
    for ratio in card.ratios:
        sides = (size.pixels.get(ratio) for size in card.sizes.values())
        yield code(ratio), *(f"{pair[0]} × {pair[1]}" if pair else "" for pair in sides)


@page("prices.md")
def prices() -> Iterator[str]:
    catalog = load()
    yield from words("""
        # Prices and limits

        Dollars for one picture as the seller lists it. Where a price is *flat*, nothing is added; else prompt,
        words, thoughts and searches are, and `cavendish plan` estimates them. The bill goes by what the provider
        reports.
    """)
    for endpoint in catalog.endpoints.values():
        rows = price_rows(catalog, endpoint=endpoint.name)
        if endpoint.needs_key and rows:
            yield f"## {endpoint.title} (`{endpoint.name}`)"
            yield ""
            yield from table(("Model", "Mode", "Size", "Quality", "Price", "As of", "Source"), map(price, rows))
            yield from limits(catalog, endpoint.name)
    yield "The simulator has Google's prices, and bills nobody."


def price(row: PriceRow) -> tuple[str, ...]:
    amount = "unknown" if row.list_nusd is None else dollars(row.list_nusd, 4)
    doubt = "" if row.verified or not row.source else " (*unverified*)"
    return (
        row.name,
        code(row.mode),
        row.size,
        row.quality,
        f"{amount}{' flat' if row.flat else ''}",
        str(row.as_of or ""),
        (row.source + doubt),
    )


LIMITS = {
    "Requests/min": "requests_per_minute",
    "Requests/day": "requests_per_day",
    "Pictures/min": "images_per_minute",
    "Tokens/min": "tokens_per_minute",
    "At once": "in_flight",
}


def limits(catalog: Catalog, endpoint: str) -> Iterator[str]:
    """What a key may do, by tier, where anything is known of it."""
    found = [row for offer in catalog.offers_at(endpoint) for row in tiers(catalog, offer)]
    if not found:
        yield "No limits are published; they are found while a run goes on, or said with `--rpm`."
        yield ""
        return
    yield "Limits of a key by tier; what is empty is not known, and is found while a run goes on."
    yield ""
    yield from table(("Model", "Tier", *LIMITS, "$/10 min", "As of", "Source"), found)


def tiers(catalog: Catalog, offer: cards.Offer) -> Iterator[tuple[str, ...]]:
    for name, known in offer.tiers.items():
        spend = known.spend_per_10_minutes_nusd
        counts = (getattr(known, field) for field in LIMITS.values())
        source, day = origin(known.provenance) if known.provenance else ("", "")
        yield (
            catalog.models[offer.model].name,
            code(name),
            *("" if count is None else f"{count:,}" for count in counts),
            "" if spend is None else dollars(spend, 0).removeprefix("$"),
            day,
            source,
        )


# --- providers -------------------------------------------------------------------------------------------------------


def add_providers() -> None:
    """A page for each; an endpoint that is on none is an error."""
    catalog = load()
    told = {SIMULATOR, *(name for provider in PROVIDERS.values() for name in provider.endpoints)}
    if untold := catalog.endpoints.keys() - told:
        raise LookupError(f"on no provider's page: {', '.join(untold)}")
    for name in PROVIDERS:
        page(f"providers/{name}.md")(partial(provider_page, name, catalog))


add_providers()


# --- settings --------------------------------------------------------------------------------------------------------


@page("settings.md")
def settings() -> Iterator[str]:
    yield from words("""
        # Settings

        Later wins: built in, your `config.toml`, `cavendish.toml` in the current folder, environment, flag. Of
        several variables the first that is set wins; an empty one counts as none. How to use them: the
        [guide](../guides/settings.md); what holds where you are: `cavendish config show --all`.
    """)
    head = ("Setting", "Variables", "Default", "Meaning")
    yield from table(head, (setting(known, known.env) for known in config.FIELDS))
    for name, card in load().endpoints.items():
        yield f"## `[endpoints.{name}]`: {card.title}"
        yield ""
        variables = config.variables_of(name, card)
        fields = (known for known in config.ENDPOINT_FIELDS if known.name in variables)
        yield from table(head, (setting(known, variables[known.name], card.base_url) for known in fields))
    yield from other_settings()


def setting(known: config.Field, variables: Sequence[str], base_url: str = "") -> tuple[str, ...]:
    default = base_url if known.name == "base_url" else known.default
    shown = "" if default in {None, ()} else code(str(default).lower() if isinstance(default, bool) else str(default))
    own = "; not from a folder's own `cavendish.toml`" if known.owner_only else ""
    return code(known.name), codes(variables), shown, SETTINGS[known.name] + own


def other_settings() -> Iterator[str]:
    yield from words("""
        ## `[refills]`

        How many further tries a slot gets, by failure class: see [errors](errors.md).

        ## Catalog

        `catalog = ["my.toml"]` names files of your own entries; the tables `[models]`, `[endpoints]` and `[offers]`
        may also stand in a configuration file itself: see [catalog](catalog.md).

        ## Variables that are no settings
    """)
    yield from table(("Variable", "Meaning"), ((code(name), SWITCHES[name]) for name in config.SWITCHES))
    yield "`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` mean what they mean everywhere."


# --- errors ----------------------------------------------------------------------------------------------------------


@page("errors.md")
def faults() -> Iterator[str]:
    yield from words("""
        # Errors, failure classes, notices

        ## What Python raises
    """)
    yield from table(("Class", "Of", "Meaning"), map(error_class, error_classes()))
    yield from words("""
        A picture that could not be had is no exception but a `Failure` in the result; see
        [Python](../guides/python.md).

        ## Failure classes

        `failures.jsonl`, `Failure.kind` and `[refills]` use these words. *Further tries* is the default of a slot;
        *again* tells whether a resumed run tries it anew. Why so many: [refills](../concepts/refills.md).
    """)
    yield from table(("Class", "Meaning", "Whose", "Further tries", "Again"), map(failure_class, FaultKind))
    yield from words("""
        ## Notices

        What could not be honoured exactly; `--strict` makes errors of those about a request.
    """)
    yield from table(("Code", "Meaning"), ((code(name), meaning) for name, meaning in NOTICES.items()))


def error_classes() -> list[type[errors.CavendishError]]:
    found = (value for value in vars(errors).values() if isinstance(value, type))
    return [value for value in found if issubclass(value, errors.CavendishError)]


def error_class(known: type[Exception]) -> tuple[str, str, str]:
    return code(known.__name__), code(known.__mro__[1].__name__), prose(known.__doc__)


def failure_class(kind: FaultKind) -> tuple[str, ...]:
    again = "no" if kind in policy.FINAL else "yes"
    return code(kind.value), KINDS[kind], blame_of(kind).value, tries(kind), again


def tries(kind: FaultKind) -> str:
    if kind in policy.PACED:
        return "waits for the quota"
    if kind in policy.SHUTTING:
        return "the route is shut"
    if kind in policy.STOPPING:
        return "the run stops"
    return str(policy.DEFAULT_REFILLS.get(kind, 0))


# --- the catalog's files ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Table:
    """One table of a catalog file: the card it becomes, and where its keys differ from the card's fields.

    ``other`` are keys that the file alone has; ``hidden`` are fields that the table's name or place decides.
    """

    card: Any
    other: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


SOURCED = {
    "source": "where the facts of this table are from; goes with `as_of`",
    "as_of": "the day they were read",
    "verified": "`false`: not seen at the source itself",
    "note": "what else to know of them",
}
TABLES = {
    '[models."MODEL"]': Table(cards.ModelCard, hidden=frozenset({"id"})),
    '[models."MODEL".ids."ID"]': Table(
        cards.ModelId, {"retires": 'a day, or `"never"` to take one back'}, frozenset({"id", "retires"})
    ),
    '[models."MODEL".sizes.SIZE]': Table(
        cards.SizeCard,
        {"scale_of": "the size whose pixels these are, times `scale`", "scale": "a number; goes with `scale_of`"},
        frozenset({"word"}),
    ),
    '[models."MODEL".references]': Table(cards.ReferenceLimits),
    '[models."MODEL".any_pixels]': Table(cards.PixelRule),
    '[models."MODEL".tokens]': Table(cards.TokenCounts),
    '[models."MODEL".provenance.FIELD]': Table(cards.Provenance),
    "[endpoints.NAME]": Table(
        cards.EndpointCard,
        {
            "offers_of": "another endpoint, all of whose offers this one has too",
            "rank": "the order in which endpoints are preferred, lowest first",
            **SOURCED,
        },
        frozenset({"name", "provenance"}),
    ),
    '[offers."ENDPOINT/MODEL"]': Table(cards.Offer, hidden=frozenset({"model", "endpoint"})),
    '[offers."ENDPOINT/MODEL".prices.MODE]': Table(cards.PriceCard, SOURCED, frozenset({"mode", "provenance"})),
    '[offers."ENDPOINT/MODEL".tiers.TIER]': Table(
        cards.Limits,
        {"spend_usd_per_10_minutes": "dollars", **SOURCED},
        frozenset({"spend_per_10_minutes_nusd", "provenance"}),
    ),
    '[offers."ENDPOINT/MODEL".latency.SIZE]': Table(cards.Latency),
    '[offers."ENDPOINT/MODEL".provenance.FIELD]': Table(cards.Provenance),
}


@page("catalog.md")
def catalog_file() -> Iterator[str]:
    yield from words("""
        # Catalog files

        TOML tables that say what a model can do (`models`), where and how it is asked for (`endpoints`), and what
        it costs there (`offers`). Yours are laid over those that come with Cavendish, key by key; how to name them:
        [settings](../guides/settings.md#your-own-catalog-entries). **Amounts are in dollars in the files**, prices
        of tokens by the million. An unknown key is an error that says what was probably meant.
    """)
    for name, known in TABLES.items():
        yield f"## `{name}`"
        yield ""
        yield in_dollars(prose(known.card.__doc__))
        yield ""
        yield from table(("Key", "Value", "Default"), keys(known))


def keys(known: Table) -> Iterator[tuple[str, str, str]]:
    for field in dataclasses.fields(known.card):
        if field.name not in known.hidden:
            yield code(field.name), in_dollars(kind_of(field)), default_of(field)
    for name, meaning in known.other.items():
        yield code(name), meaning, ""


def in_dollars(text: str) -> str:
    """The cards count in nano-dollars, the files in dollars."""
    return re.sub(r"\bnano-dollars\b", "dollars", text)


KINDS_OF_VALUES = (
    (r"Mapping\[str, tuple\[int, int\]\]", 'table of `"W:H" = [width, height]`'),
    (r"Mapping\[.*", "table"),
    (r"tuple\[ModelId, \.\.\.\]", "table"),
    (r"tuple\[str, \.\.\.\]", "list of words"),
    (r"(ReferenceLimits|TokenCounts|Provenance|PixelRule).*", "table"),
    (r"Several", "`parallel` or `serial`"),
    (r"Shape", "`words`, `pixels` or `word_or_pixels`"),
    (r"bool.*", "`true` or `false`"),
    (r"date.*", "day, as `2026-10-29`"),
    (r"float.*", "number"),
    (r"int.*", "whole number"),
    (r"str.*", "text"),
)


def kind_of(field: dataclasses.Field[Any]) -> str:
    said = str(field.type)
    if said.startswith("int") and field.name in MONEY:
        return "dollars"
    return next(words for pattern, words in KINDS_OF_VALUES if re.fullmatch(pattern, said))


MONEY = frozenset({"input", "input_image", "output_image", "output_text", "per_request", "per_search"})


def default_of(field: dataclasses.Field[Any]) -> str:
    default = field.default
    if default in {None, dataclasses.MISSING} or default in {"", ()}:
        return ""
    if isinstance(default, bool):
        return code(str(default).lower())
    return code(str(list(default) if isinstance(default, tuple) else default).replace("'", '"'))


# --- writing ---------------------------------------------------------------------------------------------------------


def text_of(name: str) -> str:
    body = "\n".join(PAGES[name]()).rstrip("\n")
    return f"{MADE}\n\n{body}\n"


def stale() -> list[str]:
    """Pages that are not what the code says."""
    return [name for name in PAGES if not (OUT / name).is_file() or (OUT / name).read_text("utf-8") != text_of(name)]


def main(arguments: Sequence[str]) -> int:
    wrong = stale()
    if "--check" in arguments:
        for name in wrong:
            print(f"docs/reference/{name} is not current", file=sys.stderr)
        if wrong:
            print("\nhint: make docs", file=sys.stderr)
        return 1 if wrong else 0
    for name in wrong:
        (OUT / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / name).write_text(text_of(name), encoding="utf-8", newline="\n")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
