"""Objects: files in a store like Amazon S3, that several machines share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from ...errors import ConfigError
from ...secret import Secret

if TYPE_CHECKING:
    from obstore.store import S3Store

S3: Final = "s3://"
EXTRA: Final = "cavendish[s3]"
KEYS_HINT: Final = "they are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
PIECE_BYTES: Final = 1 << 20
TIMEOUT: Final = "60s"
TRIES: Final = 3
TRIED_FOR_S: Final = 20
"""A job waits for its pictures to be sent; what could not be is sent later."""
PROBE: Final = ".cavendish/probe"

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS: Final = frozenset({"endpoint", "region"})


class Objects(Protocol):
    """Files by name. All raise ``OSError`` when the store cannot be reached, or refuses."""

    async def check(self) -> None:
        """Raises ``ConfigError`` when the store will not have us; not when it is away for a while."""
        ...

    async def put(self, name: str, file: Path, media_type: str) -> None:
        """Have the store keep a file. Returns when it does."""
        ...

    def fetch(self, name: str, file: Path) -> None:
        """Write what the store keeps to a new file. Blocks. ``FileNotFoundError`` when it keeps nothing so named."""
        ...

    async def delete(self, names: Sequence[str]) -> None:
        """Have the store forget files. Of those it does not have nothing is said."""
        ...


@dataclass(frozen=True, slots=True)
class S3Place:
    """``s3://bucket/prefix?endpoint=https://host&region=eu-central-1``."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class S3Keys:
    """Who asks. Without any, the machine's own role is asked for them, where it has one."""

    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None


def read_place(address: str) -> S3Place:
    """The place that an address names. Raises ``ConfigError``, which shows nothing that may be a secret."""
    url = urlsplit(address)
    asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
    if url.scheme != "s3" or not _BUCKET.fullmatch(url.netloc):
        raise ConfigError(
            "the store of pictures: expected a folder, or s3://bucket/prefix; keys go into AWS_… variables"
        )
    if strange := sorted(asked.keys() - _OPTIONS):
        raise ConfigError(f"the store of pictures: there is no option {strange[0]!r}, only endpoint and region")
    endpoint = asked.get("endpoint", "")
    if endpoint and not re.fullmatch(r"https?://[^\s/@?#]+/?", endpoint):
        raise ConfigError("the store of pictures: an endpoint is an address such as https://host:port")
    return S3Place(url.netloc, unquote(url.path).strip("/"), endpoint.rstrip("/"), asked.get("region", ""))


class S3Objects:
    """Implements ``Objects`` over any store that speaks S3. Its library is an extra, and tries again by itself."""

    def __init__(self, place: S3Place, keys: S3Keys) -> None:
        try:
            from obstore.store import S3Store  # noqa: PLC0415 - an extra
        except ImportError:
            hints = (f"install it: pip install '{EXTRA}'",)
            raise ConfigError("a store of pictures at S3 needs a library that is not installed", hints=hints) from None
        options: dict[str, Any] = {
            "prefix": place.prefix or None,
            "endpoint": place.endpoint or None,
            "region": place.region or "us-east-1",
            "access_key_id": keys.access_key.reveal() if keys.access_key else None,
            "secret_access_key": keys.secret_key.reveal() if keys.secret_key else None,
            "session_token": keys.session_token.reveal() if keys.session_token else None,
            "virtual_hosted_style_request": not place.endpoint,
        }
        self._bucket = place.bucket
        client: Any = {"allow_http": place.endpoint.startswith("http://"), "timeout": TIMEOUT}
        retries: Any = {"max_retries": TRIES, "retry_timeout": timedelta(seconds=TRIED_FOR_S)}
        self._store: S3Store = S3Store(
            place.bucket,
            client_options=client,
            retry_config=retries,
            **{name: value for name, value in options.items() if value is not None},
        )

    async def check(self) -> None:
        """Raises ``ConfigError`` when the store is there and will not have us; not when it is away for a while."""
        import obstore  # noqa: PLC0415 - an extra
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415 - an extra

        try:
            await obstore.put_async(self._store, PROBE, b"")
        except FileNotFoundError:
            raise ConfigError(f"the store of pictures: there is no bucket {self._bucket!r}") from None
        except (PermissionDeniedError, UnauthenticatedError):
            raise ConfigError("the store of pictures: it refuses these keys", hints=(KEYS_HINT,)) from None
        except obstore.exceptions.BaseError:
            return

    async def put(self, name: str, file: Path, media_type: str) -> None:
        """Have the store keep a file."""
        import obstore  # noqa: PLC0415 - an extra

        await _told(obstore.put_async(self._store, name, file, attributes={"Content-Type": media_type}))

    def fetch(self, name: str, file: Path) -> None:
        """Write what the store keeps to a new file. Blocks."""
        import obstore  # noqa: PLC0415 - an extra

        try:
            found = obstore.get(self._store, name)
            with file.open("xb") as written:
                for piece in found.stream(min_chunk_size=PIECE_BYTES):
                    written.write(piece)
        except FileNotFoundError:
            raise
        except obstore.exceptions.BaseError as error:
            raise OSError(_said(error)) from None

    async def delete(self, names: Sequence[str]) -> None:
        """Have the store forget files."""
        import obstore  # noqa: PLC0415 - an extra

        for name in names:
            try:
                await _told(obstore.delete_async(self._store, name))
            except FileNotFoundError:
                continue


async def _told(asked: Any) -> None:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra

    try:
        await asked
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise OSError(_said(error)) from None


def _said(error: Exception) -> str:
    """The library's own words hold the whole exchange; its first line says what went wrong."""
    return f"the store of pictures: {type(error).__name__}"


def open_objects(address: str, keys: S3Keys) -> Objects:
    """The store at an address. Raises ``ConfigError``."""
    return S3Objects(read_place(address), keys)
