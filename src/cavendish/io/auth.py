"""GoogleTokens: access tokens by Application Default Credentials, for endpoints that take no key.

The google-auth library finds the credentials and renews the tokens. It blocks, so it works in threads, and it is an
extra that is imported when it is needed. Tokens are never written: they leave here as ``Secret``.
"""

from __future__ import annotations

import asyncio
import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from ..errors import ConfigError
from ..model.fault import Charged, Fault, FaultKind, Scope
from ..secret import Secret

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
HOW_TO_INSTALL: Final = 'install it with: pip install "cavendish[vertex]"'
HOW_TO_LOG_IN: Final = (
    "log in with: gcloud auth application-default login",
    "or let GOOGLE_APPLICATION_CREDENTIALS name the file of a service account",
)
MAX_WORDS_CHARS: Final = 300
"""Of what the library says went wrong: some of its errors repeat a whole answer."""


class GoogleTokens:
    """The login of this machine and its token, renewed before it ends (google-auth: 3:45 minutes before).

    It is looked for when it is first needed. ``project`` is then the one that it belongs to, empty when it names none.
    """

    def __init__(self, ca_bundle: Path | None = None) -> None:
        self._ca_bundle = ca_bundle
        self._credentials: Any = None
        self._request: Any = None
        self._one_by_one = asyncio.Lock()
        self.project = ""

    async def find(self) -> Self:
        """Look for the login. Raises ``ConfigError`` when there is none, or nothing to look for it with."""
        async with self._one_by_one:
            if self._credentials is None:
                await asyncio.to_thread(self._find)
        return self

    def _find(self) -> None:
        auth = _library("google.auth")
        session = _library("requests").Session()
        if self._ca_bundle is not None:
            session.verify = str(self._ca_bundle)
        self._request = request = _library("google.auth.transport.requests").Request(session)
        try:
            with warnings.catch_warnings():
                # About a missing quota project: the checkup tells it, where somebody reads it.
                warnings.simplefilter("ignore")
                credentials, project = auth.default(scopes=[SCOPE], request=request)
        except Exception as error:
            if not isinstance(error, _library("google.auth.exceptions").GoogleAuthError):
                raise
            raise ConfigError(f"no login for Google Cloud: {_words(error)}", hints=HOW_TO_LOG_IN) from None
        self.project = project or ""
        self._credentials = credentials

    def __repr__(self) -> str:
        return f"GoogleTokens({self.kind!r}, project={self.project!r})"

    @property
    def kind(self) -> str:
        """What the credentials are: of a service account and which, of a user, of this machine, ...; empty: unfound."""
        if self._credentials is None:
            return ""
        module = type(self._credentials).__module__.rpartition("google.")[2]
        email = getattr(self._credentials, "service_account_email", None)
        return f"{module} {email}" if isinstance(email, str) and "@" in email else module

    @property
    def quota_project(self) -> str:
        """The project whose quota is used, and which pays, where the credentials name one."""
        return getattr(self._credentials, "quota_project_id", None) or ""

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with every call beside the token."""
        return {"x-goog-user-project": self.quota_project} if self.quota_project else {}

    async def current(self) -> Secret | Fault:
        """A token that is good for the next minutes, or why there is none. Such a fault was never billed."""
        if self._credentials is None:
            try:
                await self.find()
            except ConfigError as error:
                words = "; ".join((str(error), *error.hints))
                return Fault(FaultKind.BAD_KEY, words, charged=Charged.NO, scope=Scope.KEY)
        if not self._is_fresh():
            async with self._one_by_one:
                if not self._is_fresh() and (fault := await self._renew()):
                    return fault
        credentials: Any = self._credentials
        return Secret(credentials.token)

    def refused(self, token: Secret) -> None:
        """The endpoint did not take this token: the next call fetches another."""
        if self._credentials.token == token.reveal():
            self._credentials.token = None

    def _is_fresh(self) -> bool:
        return self._credentials.token_state.name == "FRESH"

    async def _renew(self) -> Fault | None:
        errors = _library("google.auth.exceptions")
        try:
            await asyncio.to_thread(self._credentials.refresh, self._request)
        except errors.GoogleAuthError as error:
            if self._credentials.token_state.name == "STALE":
                # It ends soon, but not yet.
                return None
            lost = isinstance(error, errors.TransportError) or getattr(error, "retryable", False)
            kind = FaultKind.CONNECT if lost else FaultKind.BAD_KEY
            message = f"no access token for Google Cloud: {_words(error)}"
            return Fault(kind, message, charged=Charged.NO, scope=Scope.CALL if lost else Scope.KEY)
        return None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"Google Cloud's credentials need the google-auth library: {error}"
        raise ConfigError(message, hints=(HOW_TO_INSTALL,)) from error


def _words(error: Exception) -> str:
    said = str(error.args[0]) if error.args else ""
    return " ".join(said.split())[:MAX_WORDS_CHARS] or type(error).__name__
