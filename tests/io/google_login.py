"""A login for Google Cloud that leads nowhere but to this machine: a service account and who gives it tokens."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.io.http.server import Heard, Server, whole

ACCOUNT = "painter@acme-project.iam.gserviceaccount.com"
PROJECT = "acme-project"
TOKEN = "ya29.the-token-that-must-not-be-seen"


@cache
def _private_key() -> str:
    """Made anew for each run: nobody else ever knew it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def service_account(path: Path, token_uri: str) -> Path:
    """The file of a service account, as the console of Google Cloud gives it."""
    facts = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "k1",
        "private_key": _private_key(),
        "client_email": ACCOUNT,
        "client_id": "1",
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(facts), encoding="utf-8")
    return path


class TokenOffice:
    """Gives tokens, numbered, that last ``lasts_s`` seconds; or what ``refusal`` says, as long as it says something."""

    def __init__(self, lasts_s: int = 3600) -> None:
        self.lasts_s = lasts_s
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.server = Server(self._answer)

    @property
    def given(self) -> int:
        """How often it was asked."""
        return len(self.server.heard)

    async def _answer(self, writer, heard: Heard) -> None:
        assert parse_qs(heard.body.decode())["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        status, told = self.refusal or (200, self._token())
        await whole(json.dumps(told).encode(), status)(writer, heard)

    def _token(self) -> dict[str, str | int]:
        return {"access_token": f"{TOKEN}-{self.given}", "expires_in": self.lasts_s, "token_type": "Bearer"}
