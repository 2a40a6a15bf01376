"""Settings, each with its origin. The only module that reads the environment.

Later wins: built in < the user's ``config.toml`` < ``cavendish.toml`` in the current folder < environment < flags.

A folder that somebody else made must not send this user's keys elsewhere, so what decides where a key goes (addresses,
catalog entries, certificates) is refused in ``cavendish.toml`` unless ``CAVENDISH_TRUST_PROJECT=1``.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from .catalog.cards import EndpointCard
from .catalog.schema import PLACES
from .errors import ConfigError
from .model.fault import FaultKind
from .model.money import nusd
from .model.request import Notice
from .secret import Secret

BUILT_IN = "built in"
PROJECT_FILE = "cavendish.toml"
PREFIX = "CAVENDISH_"
DEFAULT_TIMEOUT_S = 300.0
"""A 4K picture with thinking takes minutes; proxies that cut earlier are the gateway's business."""
MAX_TIMEOUT_S = 86_400.0
MAX_CONCURRENCY = 10_000
MAX_RPM = 1_000_000
MAX_REFILLS = 1_000
MAX_KEYS = 1_000
MAX_CONFIG_BYTES = 4 * 1024 * 1024
SHARED_MODE_BITS = 0o077

T = TypeVar("T", covariant=True)  # noqa: PLC0105 - `T` is what `Setting[T]` reads as


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and where it came from: ``built in``, a file, ``$VARIABLE`` or ``--flag``."""

    name: str
    value: T
    origin: str = BUILT_IN


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What the user set for one endpoint. An empty ``keys`` means that there is no key for it."""

    keys: Setting[tuple[Secret, ...]]
    base_url: Setting[str | None]
    tier: Setting[str | None]
    rpm: Setting[int | None]
    project: Setting[str | None] = Setting("project", None)
    location: Setting[str | None] = Setting("location", None)


@dataclass(frozen=True, slots=True)
class CatalogPart:
    """Tables ``models``, ``endpoints`` and ``offers`` laid over the catalog, and the file they stand in."""

    origin: str
    tables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process. Money in nano-dollars, times in seconds; ``None``: decided where it is used."""

    model: Setting[str | None]
    endpoint: Setting[str | None]
    size: Setting[str | None]
    aspect_ratio: Setting[str | None]
    timeout_s: Setting[float]
    concurrency: Setting[int | None]
    max_cost_nusd: Setting[int | None]
    output: Setting[Path | None]
    ca_bundle: Setting[Path | None]
    no_color: Setting[bool]
    endpoints: Mapping[str, EndpointSettings]
    refills: Mapping[FaultKind, Setting[int]]
    catalog: tuple[CatalogPart, ...] = ()
    notices: tuple[Notice, ...] = ()

    def __iter__(self) -> Iterator[Setting[Any]]:
        """Every setting, for ``cavendish config show``."""
        for known in FIELDS:
            yield getattr(self, known.attribute)
        for name in sorted(self.endpoints):
            own = self.endpoints[name]
            yield from (own.keys, own.base_url, own.tier, own.rpm)
            # Few endpoints have such a place.
            yield from (place for place in (own.project, own.location) if place.value)
        yield from self.refills.values()


# --- how a raw value is read -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Raw:
    """A value as it stood in a source. Hidden from ``repr``, because it may be a key."""

    value: Any = field(repr=False)
    origin: str
    where: str
    base: Path


def _text(raw: _Raw) -> str:
    if not isinstance(raw.value, str) or not raw.value.strip():
        raise ValueError("some text")
    return raw.value.strip()


def _whole(most: int) -> Callable[[_Raw], int]:
    def read(raw: _Raw) -> int:
        value = raw.value
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"a whole number from 1 to {most}")
        return value

    return read


def _refill(raw: _Raw) -> int:
    if str(raw.value) == "0":
        return 0
    try:
        return _whole(MAX_REFILLS)(raw)
    except ValueError:
        raise ValueError(f"a whole number from 0 to {MAX_REFILLS}") from None


def _seconds(raw: _Raw) -> float:
    try:
        value = float("nan" if isinstance(raw.value, bool) else raw.value)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 < value <= MAX_TIMEOUT_S:
        raise ValueError(f"a number of seconds, above 0 and at most {MAX_TIMEOUT_S:.0f}")
    return value


def _money(raw: _Raw) -> int:
    try:
        amount = nusd(str(raw.value).strip().removeprefix("$"))
    except ValueError:
        amount = -1
    if amount < 0:
        raise ValueError("an amount of dollars, such as 5 or 0.50")
    return amount


def _ratio(raw: _Raw) -> str:
    if not isinstance(raw.value, str) or not re.fullmatch(r"\s*[1-9]\d{0,2}:[1-9]\d{0,2}\s*", raw.value):
        raise ValueError('a ratio such as "16:9"')
    return raw.value.strip()


def _folder(raw: _Raw) -> Path:
    return raw.base / Path(_text(raw)).expanduser()


def _file(raw: _Raw) -> Path:
    path = _folder(raw)
    if not path.exists():
        raise ValueError("a file that exists")
    return path


def _address(raw: _Raw) -> str:
    if not isinstance(raw.value, str) or not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", raw.value.strip()):
        raise ValueError("an address such as https://host/path, without a key, a user name or a query in it")
    return raw.value.strip().rstrip("/")


def _project(raw: _Raw) -> str:
    if not isinstance(raw.value, str) or not re.fullmatch(r"\s*[a-z0-9][a-z0-9.:-]{0,99}\s*", raw.value):
        raise ValueError("the id or number of a project")
    return raw.value.strip()


def _location(raw: _Raw) -> str:
    # It becomes part of the address that a token is sent to.
    if not isinstance(raw.value, str) or not re.fullmatch(r"\s*[a-z][a-z0-9-]{0,62}\s*", raw.value):
        raise ValueError("a location such as global, eu or europe-west4")
    return raw.value.strip()


def _keys(raw: _Raw) -> tuple[Secret, ...]:
    value = raw.value.split(",") if isinstance(raw.value, str) else raw.value
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise ValueError("a key, or several with commas between them")
    keys = dict.fromkeys(key.strip() for key in cast("list[str]", value) if key.strip())
    if not keys or len(keys) > MAX_KEYS:
        raise ValueError(f"a key, or several (at most {MAX_KEYS}) with commas between them")
    if any(not key.isascii() or not key.isprintable() or " " in key for key in keys):
        raise ValueError("a key of printable ASCII characters without spaces")
    return tuple(Secret(key) for key in keys)


def _present(raw: _Raw) -> bool:
    return raw.value if isinstance(raw.value, bool) else bool(raw.value)


class Field(NamedTuple):
    """One setting: its name in files and flags, the variables that may hold it (the winner first)."""

    name: str
    attribute: str
    read: Callable[[Any], Any]
    default: Any = None
    env: tuple[str, ...] = ()
    owner_only: bool = False


FIELDS = (
    Field("model", "model", _text, None, ("CAVENDISH_MODEL",)),
    Field("endpoint", "endpoint", _text, None, ("CAVENDISH_ENDPOINT",)),
    Field("size", "size", _text, None, ("CAVENDISH_SIZE",)),
    Field("aspect_ratio", "aspect_ratio", _ratio, None, ("CAVENDISH_ASPECT_RATIO",)),
    Field("timeout", "timeout_s", _seconds, DEFAULT_TIMEOUT_S, ("CAVENDISH_TIMEOUT",)),
    Field("concurrency", "concurrency", _whole(MAX_CONCURRENCY), None, ("CAVENDISH_CONCURRENCY",)),
    Field("max_cost", "max_cost_nusd", _money, None, ("CAVENDISH_MAX_COST",)),
    Field("output", "output", _folder, None, ("CAVENDISH_OUTPUT",)),
    Field("ca_bundle", "ca_bundle", _file, None, ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), owner_only=True),
    Field("no_color", "no_color", _present, default=False, env=("NO_COLOR",)),
)
ENDPOINT_FIELDS = (
    Field("api_key", "keys", _keys, ()),
    Field("base_url", "base_url", _address, owner_only=True),
    Field("tier", "tier", _text),
    Field("rpm", "rpm", _whole(MAX_RPM)),
    Field("project", "project", _project, owner_only=True),
    Field("location", "location", _location, owner_only=True),
)
CATALOG_TABLES = ("models", "endpoints", "offers")
SWITCHES = ("CAVENDISH_CONFIG", "CAVENDISH_TRUST_PROJECT")
_TOP_LEVEL = (*(known.name for known in FIELDS), "catalog", "refills", *CATALOG_TABLES)
_BY_NAME = {known.name: known for known in FIELDS}
_OF_ENDPOINT = {known.name: known for known in ENDPOINT_FIELDS}
_KINDS = tuple(kind.value for kind in FaultKind)


# --- files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sources:
    """What files and environment say, before the catalog is known that gives the variables their meaning."""

    files: tuple[Mapping[str, _Raw], ...]
    catalog: tuple[CatalogPart, ...]
    environ: Mapping[str, str] = field(repr=False)
    cwd: Path
    notices: tuple[Notice, ...] = ()


def read_sources(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Sources:
    """Read the configuration files. Raises ``ConfigError`` for what is broken or unknown in them.

    ``environ`` and ``cwd`` default to those of the process. ``catalog`` of the result is for the catalog's loader.
    """
    env = dict(os.environ if environ is None else environ)
    here = Path.cwd() if cwd is None else cwd
    trusted = env.get("CAVENDISH_TRUST_PROJECT", "") not in {"", "0"}
    files: list[Mapping[str, _Raw]] = []
    parts: list[CatalogPart] = []
    notices: list[Notice] = []
    for path, owned in _paths(env, here, trusted=trusted):
        reader = _FileReader(path, owned=owned)
        files.append(reader.values)
        parts.extend(reader.parts)
        notices.extend(reader.notices)
    return Sources(tuple(files), tuple(parts), env, here, tuple(notices))


def user_file(environ: Mapping[str, str]) -> Path:
    """The user's own configuration file, whether it exists or not."""
    if named := environ.get("CAVENDISH_CONFIG"):
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415 - not needed when the file is named

    return Path(platformdirs.user_config_dir("cavendish", appauthor=False)) / "config.toml"


def _paths(env: Mapping[str, str], cwd: Path, *, trusted: bool) -> Iterator[tuple[Path, bool]]:
    own = user_file(env)
    if own.is_file():
        yield own, True
    elif env.get("CAVENDISH_CONFIG"):
        raise ConfigError(f"$CAVENDISH_CONFIG names {own}, which is no file")
    project = cwd / PROJECT_FILE
    if project.is_file() and project.resolve() != own.resolve():
        yield project, trusted


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content. Raises ``ConfigError`` when it cannot be read, is huge or is broken."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES} bytes, so no configuration file")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error


class _FileReader:
    """One configuration file, sorted into settings and catalog tables."""

    def __init__(self, path: Path, *, owned: bool) -> None:
        self.path = path
        self.owned = owned
        self.values: dict[str, _Raw] = {}
        self.parts: list[CatalogPart] = []
        self.notices: list[Notice] = []
        self._tables: dict[str, Any] = {}
        for key, value in read_toml(path).items():
            self._top(key, value)
        if self._tables:
            self.parts.append(CatalogPart(str(path), self._tables))
        self._look_at_mode()

    def _top(self, key: str, value: Any) -> None:
        if key in _BY_NAME:
            self._guard(key, owner_only=_BY_NAME[key].owner_only)
            self.values[key] = self._raw(key, value)
        elif key == "catalog":
            self._guard(key, owner_only=True)
            self.parts.extend(self._catalog_file(name) for name in self._names(value))
        elif key == "refills":
            for kind, bound in self._table(key, value).items():
                _known(f"{self.path}: [refills]", kind, _KINDS)
                self.values[f"refills.{kind}"] = self._raw(f"[refills] {kind}", bound)
        elif key == "endpoints":
            for name, table in self._table(key, value).items():
                self._endpoint(name, self._table(f"endpoints.{name}", table))
        elif key in CATALOG_TABLES:
            # Prices and names decide what is spent, and where.
            self._guard(f"[{key}]", owner_only=True)
            self._tables[key] = self._table(key, value)
        else:
            _known(str(self.path), key, _TOP_LEVEL)

    def _endpoint(self, name: str, table: Mapping[str, Any]) -> None:
        card = {key: value for key, value in table.items() if key not in _OF_ENDPOINT}
        if card:
            self._guard(f"[endpoints.{name}] {next(iter(card))}", owner_only=True)
            # An address that stands among a card's other facts is the card's own.
            self._tables.setdefault("endpoints", {})[name] = {**card, **_only(table, "base_url")}
        for key in table.keys() - card.keys():
            label = f"[endpoints.{name}] {key}"
            self._guard(label, owner_only=_OF_ENDPOINT[key].owner_only)
            self.values[f"endpoints.{name}.{key}"] = self._raw(label, table[key])

    def _raw(self, label: str, value: Any) -> _Raw:
        return _Raw(value, str(self.path), f"{self.path}: {label}", self.path.parent)

    def _guard(self, label: str, *, owner_only: bool) -> None:
        if owner_only and not self.owned:
            raise ConfigError(
                f"{self.path}: {label}: a folder's own file may not say where keys are sent",
                hints=("put it into your own configuration file, or set CAVENDISH_TRUST_PROJECT=1 for this folder",),
            )

    def _table(self, label: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ConfigError(f"{self.path}: {label}: expected a table, [{label}]")
        return cast("dict[str, Any]", value)

    def _names(self, value: Any) -> Sequence[str]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in cast("list[Any]", names)):
            raise ConfigError(f'{self.path}: catalog: expected a list of files, such as ["my.toml"]')
        return cast("list[str]", names)

    def _catalog_file(self, name: str) -> CatalogPart:
        path = self.path.parent / Path(name).expanduser()
        tables = read_toml(path)
        for key in tables:
            _known(str(path), key, CATALOG_TABLES)
        return CatalogPart(str(path), tables)

    def _look_at_mode(self) -> None:
        holds_key = any(name.endswith(".api_key") for name in self.values)
        if holds_key and os.name == "posix" and self.path.stat().st_mode & SHARED_MODE_BITS:
            text = f"{self.path} holds a key and can be read by other users; chmod 600 mends that"
            self.notices.append(Notice("config_readable", text))


def _only(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: table[name] for name in names if name in table}


def _known(where: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names)}"
        raise ConfigError(f"{where}: unknown key {name!r}", hints=(hint,))


# --- environment and flags -------------------------------------------------------------------------------------------


def load(sources: Sources, endpoints: Mapping[str, EndpointCard], flags: Mapping[str, Any] | None = None) -> Settings:
    """All settings. ``endpoints`` are the catalog's, by name; ``flags`` those that were given, by their dotted names.

    A flag that is ``None`` was not given. Raises ``ConfigError`` naming the source and the key.
    """
    layers = {name: raw for layer in sources.files for name, raw in layer.items()}
    layers |= _from_environment(sources, endpoints)
    layers |= _from_flags(sources, flags or {})
    _check_names(layers, endpoints)
    known: dict[str, Any] = {item.attribute: _resolve(item, item.name, layers) for item in FIELDS}
    return Settings(
        **known,
        endpoints={name: _endpoint_settings(name, layers) for name in endpoints},
        refills=_refills(layers),
        catalog=sources.catalog,
        notices=(*sources.notices, *_strange_variables(sources, endpoints)),
    )


def _resolve(known: Field, name: str, layers: Mapping[str, _Raw]) -> Setting[Any]:
    raw = layers.get(name)
    if raw is None:
        return Setting(name, known.default)
    try:
        return Setting(name, known.read(raw), raw.origin)
    except ValueError as error:
        # What should have been an address may hold a key as well.
        got = "" if known.read in {_keys, _address} else f", got {raw.value!r}"
        raise ConfigError(f"{raw.where}: expected {error}{got}") from None


def _endpoint_settings(name: str, layers: Mapping[str, _Raw]) -> EndpointSettings:
    found = {item.attribute: _resolve(item, f"endpoints.{name}.{item.name}", layers) for item in ENDPOINT_FIELDS}
    return EndpointSettings(**cast("Any", found))


def _refills(layers: Mapping[str, _Raw]) -> dict[FaultKind, Setting[int]]:
    bounds: dict[FaultKind, Setting[int]] = {}
    for kind in FaultKind:
        name = f"refills.{kind.value}"
        if name in layers:
            bounds[kind] = _resolve(Field(name, name, _refill), name, layers)
    return bounds


def variables_of(name: str, card: EndpointCard) -> dict[str, tuple[str, ...]]:
    """The environment variables of an endpoint by setting, the winner first."""
    stem = PREFIX + re.sub(r"\W", "_", name).upper()
    own: dict[str, tuple[str, ...]] = {item.name: (f"{stem}_{item.name.upper()}",) for item in ENDPOINT_FIELDS}
    own["api_key"] += card.key_env
    own["base_url"] += card.base_url_env
    for place in PLACES:
        own[place] = (*own[place], *card.place_env[place]) if place in card.place_env else ()
    return {name: variables for name, variables in own.items() if variables}


def _from_environment(sources: Sources, endpoints: Mapping[str, EndpointCard]) -> dict[str, _Raw]:
    wanted: dict[str, tuple[str, ...]] = {item.name: item.env for item in FIELDS}
    for name, card in endpoints.items():
        wanted |= {f"endpoints.{name}.{key}": names for key, names in variables_of(name, card).items()}
    found: dict[str, _Raw] = {}
    for setting, names in wanted.items():
        # An empty variable counts as none: that is how one is switched off for a single command.
        variable = next((name for name in names if sources.environ.get(name)), None)
        if variable:
            found[setting] = _Raw(sources.environ[variable], f"${variable}", f"${variable}", sources.cwd)
    return found


def _from_flags(sources: Sources, flags: Mapping[str, Any]) -> dict[str, _Raw]:
    given = {name: str(value) if isinstance(value, Path) else value for name, value in flags.items()}
    spelled = {name: "--" + name.rpartition(".")[2].replace("_", "-") for name in given}
    return {
        name: _Raw(value, spelled[name], spelled[name], sources.cwd)
        for name, value in given.items()
        if value is not None
    }


def _check_names(layers: Mapping[str, _Raw], endpoints: Collection[str]) -> None:
    for name, raw in layers.items():
        table, _, rest = name.partition(".")
        endpoint, _, key = rest.rpartition(".")
        if table == "endpoints":
            _known(raw.where, endpoint, endpoints)
            _known(raw.where, key, _OF_ENDPOINT)
        elif table == "refills":
            _known(raw.where, rest, _KINDS)
        else:
            _known(raw.where, name, _BY_NAME)


def _strange_variables(sources: Sources, endpoints: Mapping[str, EndpointCard]) -> Iterable[Notice]:
    known = {*SWITCHES, *(name for item in FIELDS for name in item.env)}
    for name, card in endpoints.items():
        known.update(*variables_of(name, card).values())
    for variable in sorted(sources.environ):
        if variable.startswith(PREFIX) and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield Notice("unknown_variable", f"${variable} is no setting, so it changes nothing{hint}", variable)
