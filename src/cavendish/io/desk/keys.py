"""Keys: who may use a gateway, and how much. Only hashes of keys are written down.

A key is a name with rules; what its holder sends is one of its secrets, 256 random bits. A new secret may take the
place of an old one while the name, its budget and its use stay the same.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from ...errors import InputError
from ...secret import Secret
from ..state.port import Link
from .period import Per
from .port import Books

PREFIX: Final = "cvd_"
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SECRET_LETTERS: Final = 43
"""Of 62 letters: 256 bits, so that a plain hash of it leads nobody back."""
MARK_LETTERS: Final = 6
ID_LETTERS: Final = 10
MAX_NAME: Final = 100


class Role(StrEnum):
    """What a key's holder may do beside asking for pictures: an admin sees all use and makes keys."""

    USER = "user"
    ADMIN = "admin"


class KeyProblem(InputError):
    """What was wanted of a key cannot be: there is none of that name, or there is one already."""


class NoSuchKey(KeyProblem):
    """There is none of that name."""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What a key may do; ``None`` and empty mean no limit. Money in nano-dollars.

    ``models`` are patterns over names of models, ``routes`` names of endpoints, ``max_price_nusd`` is for one picture.
    """

    budget_nusd: int | None = None
    per: Per = Per.TOTAL
    rpm: int | None = None
    ipm: int | None = None
    models: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    max_price_nusd: int | None = None
    max_n: int | None = None


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as the books know it. Times are seconds since the epoch; ``shown`` is how its newest secret begins."""

    id: str
    name: str
    role: Role = Role.USER
    rules: KeyRules = field(default_factory=KeyRules)
    created_at: float = 0.0
    expires_at: float | None = None
    revoked_at: float | None = None
    shown: str = ""

    def is_live(self, now: float) -> bool:
        """Whether it may be used at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def state(self, now: float) -> str:
        """In a word."""
        if self.revoked_at is not None:
            return "revoked"
        return "live" if self.is_live(now) else "expired"


def fresh_secret() -> Secret:
    """What a key's holder is given, once: ``cvd_``, a mark by which people tell it from others, and the secret."""
    return Secret(f"{PREFIX}{_letters(MARK_LETTERS)}_{_letters(SECRET_LETTERS)}")


def digest_of(key: str) -> str:
    """What is written down of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def fresh_id() -> str:
    """The name of a key in the books; it is no secret."""
    return f"key_{_letters(ID_LETTERS)}"


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def _shown(secret: Secret) -> str:
    return secret.reveal()[: len(PREFIX) + MARK_LETTERS]


class KeyBooks:
    """The keys of a gateway, shared by its replicas."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def any(self) -> bool:
        """Whether a key was ever made: from then on the gateway asks for one."""
        return bool(await self._books.read(lambda link: link.run("SELECT id FROM keys LIMIT 1")))

    async def any_live(self, now: float) -> bool:
        """Whether somebody could come in."""
        return any(entry.is_live(now) for entry in await self.all())

    async def all(self) -> list[KeyEntry]:
        """Every key there is, the oldest first; revoked ones, too."""
        rows = await self._books.read(lambda link: link.run(f"{_KEYS} ORDER BY created_at, id"))
        return [_entry(row) for row in rows]

    async def named(self, name: str) -> KeyEntry:
        """A key by its name or id; of several of that name the one that is not revoked. Raises ``KeyProblem``."""
        return await self._books.read(lambda link: _named(link, name))

    async def of_secret(self, key: str, now: float) -> KeyEntry | None:
        """Whose key this is; ``None`` when it is nobody's, or was replaced by another."""
        digest = digest_of(key)
        sql = "SELECT digest, holder, ends_at FROM key_secrets WHERE digest = :digest"
        rows = await self._books.read(lambda link: link.run(sql, digest=digest))
        for written, holder, ends_at in rows:
            if hmac.compare_digest(str(written), digest) and (ends_at is None or now < ends_at):
                return await self.named(holder)
        return None

    async def create(self, entry: KeyEntry) -> Secret:
        """Write a key down. Returns what its holder is to be given, which nobody can be told again."""
        if not entry.name.strip() or len(entry.name) > MAX_NAME or not entry.name.isprintable():
            raise KeyProblem(f"a key's name has 1 to {MAX_NAME} characters")
        secret = fresh_secret()

        def put(link: Link) -> None:
            if _found(link, entry.name):
                hints = (f"cavendish keys rotate {entry.name} gives it a new secret",)
                raise KeyProblem(f"there is a key named {entry.name!r} already", hints=hints)
            link.run(_PUT_KEY, **_values(entry))
            _put_secret(link, entry.id, secret, entry.created_at)

        await self._books.write(put)
        return secret

    async def revoke(self, name: str, now: float) -> KeyEntry:
        """From now on the key opens nothing."""

        def put(link: Link) -> None:
            found.append(_named(link, name))
            link.run(
                "UPDATE keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL", now=now, id=found[-1].id
            )

        found: list[KeyEntry] = []
        await self._books.write(put)
        return found[-1]

    async def rotate(self, name: str, now: float, grace_s: float = 0.0) -> tuple[KeyEntry, Secret]:
        """A new secret for a key; those before it may be used for so long yet."""
        secret, found = fresh_secret(), list[KeyEntry]()

        def put(link: Link) -> None:
            found.append(entry := _named(link, name))
            if entry.revoked_at is not None:
                raise KeyProblem(f"the key {entry.name!r} is revoked")
            sql = (
                "UPDATE key_secrets SET ends_at = :ends WHERE holder = :holder AND (ends_at IS NULL OR ends_at > :ends)"
            )
            link.run(sql, ends=now + grace_s, holder=entry.id)
            _put_secret(link, entry.id, secret, now)

        await self._books.write(put)
        return found[-1], secret


# --- rows ------------------------------------------------------------------------------------------------------------

_KEYS = (
    "SELECT id, name, role, rules, created_at, expires_at, revoked_at,"
    " (SELECT shown FROM key_secrets WHERE holder = keys.id ORDER BY made_at DESC LIMIT 1) FROM keys"
)
_PUT_KEY = (
    "INSERT INTO keys (id, name, role, rules, created_at, expires_at, revoked_at)"
    " VALUES (:id, :name, :role, :rules, :created_at, :expires_at, :revoked_at)"
)


def key_in(link: Link, key_id: str) -> KeyEntry | None:
    """A key by its id, inside of a transaction."""
    rows = link.run(f"{_KEYS} WHERE id = :id", id=key_id)
    return _entry(rows[0]) if rows else None


def _found(link: Link, name: str) -> list[KeyEntry]:
    """Keys of a name that are not revoked; any key by its id."""
    sql = f"{_KEYS} WHERE (name = :name AND revoked_at IS NULL) OR id = :name"
    return [_entry(row) for row in link.run(sql, name=name)]


def _named(link: Link, name: str) -> KeyEntry:
    found = _found(link, name) if name.isprintable() else []
    if not found and name.isprintable():
        found = [_entry(row) for row in link.run(f"{_KEYS} WHERE name = :name ORDER BY created_at", name=name)]
    if not found:
        raise NoSuchKey(f"there is no key named {name!r}", hints=("cavendish keys list shows them",))
    return found[-1]


def _put_secret(link: Link, holder: str, secret: Secret, now: float) -> None:
    sql = "INSERT INTO key_secrets (digest, holder, shown, made_at) VALUES (:digest, :holder, :shown, :made_at)"
    link.run(sql, digest=digest_of(secret.reveal()), holder=holder, shown=_shown(secret), made_at=now)


def _values(entry: KeyEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "role": entry.role.value,
        "rules": orjson.dumps(asdict(entry.rules)).decode(),
        "created_at": entry.created_at,
        "expires_at": entry.expires_at,
        "revoked_at": entry.revoked_at,
    }


def _entry(row: Sequence[Any]) -> KeyEntry:
    said: dict[str, Any] = orjson.loads(row[3])
    said |= {"per": Per(said["per"]), "models": tuple(said["models"]), "routes": tuple(said["routes"])}
    return KeyEntry(row[0], row[1], Role(row[2]), KeyRules(**said), row[4], row[5], row[6], row[7] or "")
