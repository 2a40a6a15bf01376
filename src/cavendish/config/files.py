"""Files: what the configuration files say, before the catalog is known that gives the variables their meaning."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigError
from ..model.request import Notice
from .fields import BY_NAME, CATALOG_TABLES, KINDS, OF_ENDPOINT, TOP_LEVEL
from .settings import CatalogPart
from .values import Raw

PROJECT_FILE = "cavendish.toml"
MAX_CONFIG_BYTES = 4 * 1024 * 1024
SHARED_MODE_BITS = 0o077


@dataclass(frozen=True, slots=True)
class Sources:
    """What files and environment say, before the catalog is known that gives the variables their meaning."""

    files: tuple[Mapping[str, Raw], ...]
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
    files: list[Mapping[str, Raw]] = []
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
        self.values: dict[str, Raw] = {}
        self.parts: list[CatalogPart] = []
        self.notices: list[Notice] = []
        self._tables: dict[str, Any] = {}
        for key, value in read_toml(path).items():
            self._top(key, value)
        if self._tables:
            self.parts.append(CatalogPart(str(path), self._tables))
        self._look_at_mode()

    def _top(self, key: str, value: Any) -> None:
        if key in BY_NAME:
            self._guard(key, owner_only=BY_NAME[key].owner_only)
            self.values[key] = self._raw(key, value)
        elif key == "catalog":
            self._guard(key, owner_only=True)
            self.parts.extend(self._catalog_file(name) for name in self._names(value))
        elif key == "refills":
            for kind, bound in self._table(key, value).items():
                known(f"{self.path}: [refills]", kind, KINDS)
                self.values[f"refills.{kind}"] = self._raw(f"[refills] {kind}", bound)
        elif key == "endpoints":
            for name, table in self._table(key, value).items():
                self._endpoint(name, self._table(f"endpoints.{name}", table))
        elif key in CATALOG_TABLES:
            # Prices and names decide what is spent, and where.
            self._guard(f"[{key}]", owner_only=True)
            self._tables[key] = self._table(key, value)
        else:
            known(str(self.path), key, TOP_LEVEL)

    def _endpoint(self, name: str, table: Mapping[str, Any]) -> None:
        card = {key: value for key, value in table.items() if key not in OF_ENDPOINT}
        if card:
            self._guard(f"[endpoints.{name}] {next(iter(card))}", owner_only=True)
            # An address that stands among a card's other facts is the card's own.
            self._tables.setdefault("endpoints", {})[name] = {**card, **_only(table, "base_url")}
        for key in table.keys() - card.keys():
            label = f"[endpoints.{name}] {key}"
            self._guard(label, owner_only=OF_ENDPOINT[key].owner_only)
            self.values[f"endpoints.{name}.{key}"] = self._raw(label, table[key])

    def _raw(self, label: str, value: Any) -> Raw:
        return Raw(value, str(self.path), f"{self.path}: {label}", self.path.parent)

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
            known(str(path), key, CATALOG_TABLES)
        return CatalogPart(str(path), tables)

    def _look_at_mode(self) -> None:
        holds_key = any(name.endswith(".api_key") for name in self.values)
        if holds_key and os.name == "posix" and self.path.stat().st_mode & SHARED_MODE_BITS:
            text = f"{self.path} holds a key and can be read by other users; chmod 600 mends that"
            self.notices.append(Notice("config_readable", text))


def _only(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: table[name] for name in names if name in table}


def known(where: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names)}"
        raise ConfigError(f"{where}: unknown key {name!r}", hints=(hint,))
