"""Settings, each with its origin. The only module that reads the environment.

Later wins: built in < the user's ``config.toml`` < ``cavendish.toml`` in the current folder < environment < flags.

A folder that somebody else made must not send this user's keys elsewhere, so what decides where a key goes (addresses,
catalog entries, certificates) is refused in ``cavendish.toml`` unless ``CAVENDISH_TRUST_PROJECT=1``.
"""

from .fields import (
    DEFAULT_TIMEOUT_S,
    ENDPOINT_FIELDS,
    FIELDS,
    MAX_CONCURRENCY,
    MAX_RPM,
    SWITCHES,
    Field,
)
from .files import PROJECT_FILE, Sources, read_sources, read_toml, user_file
from .layers import load, variables_of
from .settings import BUILT_IN, CatalogPart, EndpointSettings, Setting, Settings
from .values import MAX_TIMEOUT_S

__all__ = [
    "BUILT_IN",
    "DEFAULT_TIMEOUT_S",
    "ENDPOINT_FIELDS",
    "FIELDS",
    "MAX_CONCURRENCY",
    "MAX_RPM",
    "MAX_TIMEOUT_S",
    "PROJECT_FILE",
    "SWITCHES",
    "CatalogPart",
    "EndpointSettings",
    "Field",
    "Setting",
    "Settings",
    "Sources",
    "load",
    "read_sources",
    "read_toml",
    "user_file",
    "variables_of",
]
