"""Posts: messages sent to addresses that strangers name, public ones alone; redirects are not followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from .public import FetchRules, Lookup, NotPublic, Unfetched, judge, public_connector, read_url
from .session import USER_AGENT

RETRY_AFTER_MOST_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a post: a status, 0 when there was no answer, and ``why`` in words that tell of nothing else.

    ``retry_after_s`` is the wait that the receiver asked for.
    """

    status: int
    why: str = ""
    retry_after_s: float = 0.0

    @property
    def arrived(self) -> bool:
        """Whether the receiver says that it has it."""
        return 200 <= self.status < 300


class PublicPosts:
    """Sends bodies. Make it inside the loop, close it at the end. Answers' bodies are not read."""

    def __init__(self, rules: FetchRules, lookup: Lookup | None = None) -> None:
        self._rules = rules
        self._client = aiohttp.ClientSession(
            connector=public_connector(rules, lookup),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        """Close all lines."""
        await self._client.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Send a body to an address. Never raises for what the address does."""
        try:
            place = read_url(url)
            judge(place, self._rules)
            async with asyncio.timeout(self._rules.timeout_s):
                async with self._client.post(place, data=body, headers=headers, allow_redirects=False) as answer:
                    return Receipt(answer.status, f"status {answer.status}", _wait_s(answer.headers))
        except TimeoutError:
            return Receipt(0, f"no answer within {self._rules.timeout_s:g} s")
        except (Unfetched, NotPublic) as error:
            return Receipt(0, str(error))
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            hidden = error.__cause__ or error.__context__
            public = not isinstance(hidden, NotPublic)
            return Receipt(0, "it could not be reached, or did not answer as HTTP" if public else str(hidden))


def _wait_s(headers: Mapping[str, str]) -> float:
    said = headers.get("Retry-After", "").strip()
    return min(float(said), RETRY_AFTER_MOST_S) if said.isascii() and said.isdigit() and len(said) < 10 else 0.0
