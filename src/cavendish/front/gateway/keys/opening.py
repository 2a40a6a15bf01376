"""Opening: the books of a gateway for a look from beside it, whether it runs or not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ....config import Settings
from ....errors import ConfigError
from ....io.clock import SystemClock
from ....io.desk.books import DeskBooks
from ....io.desk.schema import MIGRATIONS
from ....io.state.database import StateError, open_database
from ...spending import calendar_of

NAME = "desk"


@asynccontextmanager
async def opened_books(settings: Settings) -> AsyncGenerator[DeskBooks]:
    """The books at the place that the settings name. Raises ``ConfigError`` when they cannot be used."""
    try:
        database = await open_database(settings.state_address, NAME, MIGRATIONS, SystemClock(), durable=True)
        books = DeskBooks(database, "beside")
        books.calendar = calendar_of(settings)
        try:
            yield books
        finally:
            await books.close()
    except StateError as error:
        raise ConfigError(f"the gateway's books cannot be used: {error}") from error
