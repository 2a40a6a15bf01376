"""Secrets that the replicas of a gateway share: made once, by whoever comes first."""

from __future__ import annotations

import secrets

from ..state.port import Link
from .port import Books

SHARED_SECRETS = "CREATE TABLE shared_secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"

BYTES = 32


async def shared_secret(books: Books, name: str) -> bytes:
    """The secret of that name."""
    fresh = secrets.token_hex(BYTES)

    def work(link: Link) -> str:
        sql = "INSERT INTO shared_secrets (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING"
        link.run(sql, name=name, value=fresh)
        return str(link.run("SELECT value FROM shared_secrets WHERE name = :name", name=name)[0][0])

    return bytes.fromhex(await books.read(work))
