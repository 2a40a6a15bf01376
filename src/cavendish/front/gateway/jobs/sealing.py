"""Sealing: words that the gateway must be able to say again, kept in its books so that no reader of those learns them.

A webhook's secret signs messages, so a hash of it will not do. It is enciphered under a key that is not in the books:
HMAC-SHA-512 of a number used once gives as many random bytes as a secret has, a second HMAC shows whether it was
changed since.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from ....config import Settings
from ....secret import Secret

PREFIX: Final = "sealed1."
KEY_FILE: Final = "gateway.key"
KEY_BYTES, NONCE_BYTES, MARK_BYTES, MOST_BYTES = 32, 16, 16, 4096
_BLOCK: Final = 64


class Seal:
    """Closes and opens words. Without a key they stay as they are."""

    def __init__(self, key: bytes | None) -> None:
        self._cipher = _derived(key, b"cipher") if key else b""
        self._mark = _derived(key, b"mark") if key else b""

    def close(self, words: str) -> str:
        """The words as they may be kept."""
        plain = words.encode()
        if not self._cipher or not plain or len(plain) > MOST_BYTES:
            return words
        nonce = secrets.token_bytes(NONCE_BYTES)
        hidden = nonce + self._crossed(nonce, plain)
        return PREFIX + base64.urlsafe_b64encode(hidden + self._marked(hidden)).decode()

    def open(self, words: str) -> str | None:
        """The words again; ``None`` when they were closed under another key."""
        if not words.startswith(PREFIX):
            return words
        with contextlib.suppress(binascii.Error, ValueError):
            whole = base64.b64decode(words.removeprefix(PREFIX), altchars=b"-_", validate=True)
            hidden, mark = whole[:-MARK_BYTES], whole[-MARK_BYTES:]
            if self._cipher and hmac.compare_digest(mark, self._marked(hidden)):
                return self._crossed(hidden[:NONCE_BYTES], hidden[NONCE_BYTES:]).decode()
        return None

    def _crossed(self, nonce: bytes, data: bytes) -> bytes:
        blocks = range(-(-len(data) // _BLOCK))
        pad = b"".join(hmac.digest(self._cipher, nonce + number.to_bytes(4), "sha512") for number in blocks)
        return bytes(one ^ other for one, other in zip(data, pad, strict=False))

    def _marked(self, hidden: bytes) -> bytes:
        return hmac.digest(self._mark, hidden, "sha256")[:MARK_BYTES]


def seal_of(settings: Settings) -> Seal:
    """The seal of a gateway with these settings: under the secret that was set, else one of the state folder. Blocks.

    Where the books are on a server, gateways on several machines read them, which have no folder in common: then
    nothing is sealed unless a secret is set.
    """
    given: Secret | None = settings.gateway_secret.value
    if given is not None:
        return Seal(hashlib.sha256(given.reveal().encode()).digest())
    return Seal(None if isinstance(settings.state_address, str) else own_key(settings.state_address))


def own_key(folder: Path) -> bytes:
    """The key in this folder, made when there is none; only its owner can read the file."""
    path = folder / KEY_FILE
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = folder / f"{KEY_FILE}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        # Of several gateways that begin at once one is the first.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return path.read_bytes()


def _derived(key: bytes, use: bytes) -> bytes:
    return hmac.digest(key, use, "sha256")
