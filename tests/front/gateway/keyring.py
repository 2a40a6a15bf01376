"""Keys for tests: made in the books of the gateway that the environment names."""

import asyncio
import time
from typing import Any

from cavendish.front.build import Setup
from cavendish.front.gateway.keys.asking import key_of_wish
from cavendish.front.gateway.keys.opening import opened_books
from cavendish.io.desk.keys import KeyBooks


async def make_key(name: str = "app", **wish: Any) -> str:
    """A new key's secret."""
    setup = await asyncio.to_thread(Setup)
    entry = key_of_wish({"name": name, **wish}, time.time(), tuple(setup.catalog.endpoints))
    async with opened_books(setup.settings) as books:
        return (await KeyBooks(books).create(entry)).reveal()


async def with_keys(work: Any) -> Any:
    """Whatever ``work`` does with the keys of the books."""
    setup = await asyncio.to_thread(Setup)
    async with opened_books(setup.settings) as books:
        return await work(KeyBooks(books))
