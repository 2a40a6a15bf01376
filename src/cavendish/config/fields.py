"""Fields: every setting by name, where it may stand, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..model.fault import FaultKind
from . import values as read

DEFAULT_TIMEOUT_S = 300.0
"""A 4K picture with thinking takes minutes; proxies that cut earlier are the gateway's business."""
MAX_CONCURRENCY = 10_000
MAX_RPM = 1_000_000


class Field(NamedTuple):
    """One setting: its name in files and flags, the variables that may hold it (the winner first)."""

    name: str
    attribute: str
    read: Callable[[Any], Any]
    default: Any = None
    env: tuple[str, ...] = ()
    owner_only: bool = False


FIELDS = (
    Field("model", "model", read.text, None, ("CAVENDISH_MODEL",)),
    Field("endpoint", "endpoint", read.text, None, ("CAVENDISH_ENDPOINT",)),
    Field("size", "size", read.text, None, ("CAVENDISH_SIZE",)),
    Field("aspect_ratio", "aspect_ratio", read.ratio, None, ("CAVENDISH_ASPECT_RATIO",)),
    Field("timeout", "timeout_s", read.seconds, DEFAULT_TIMEOUT_S, ("CAVENDISH_TIMEOUT",)),
    Field("concurrency", "concurrency", read.whole(MAX_CONCURRENCY), None, ("CAVENDISH_CONCURRENCY",)),
    Field("max_cost", "max_cost_nusd", read.money, None, ("CAVENDISH_MAX_COST",)),
    Field("max_cost_per_day", "max_cost_per_day_nusd", read.money, None, ("CAVENDISH_MAX_COST_PER_DAY",)),
    Field("max_cost_per_month", "max_cost_per_month_nusd", read.money, None, ("CAVENDISH_MAX_COST_PER_MONTH",)),
    Field("state", "state", read.store, None, ("CAVENDISH_STATE",), owner_only=True),
    Field("output", "output", read.folder, None, ("CAVENDISH_OUTPUT",)),
    Field("store", "store", read.pictures, None, ("CAVENDISH_STORE",), owner_only=True),
    Field("store_access_key", "store_access_key", read.secret, None, ("AWS_ACCESS_KEY_ID",), owner_only=True),
    Field("store_secret_key", "store_secret_key", read.secret, None, ("AWS_SECRET_ACCESS_KEY",), owner_only=True),
    Field("store_session_token", "store_session_token", read.secret, None, ("AWS_SESSION_TOKEN",), owner_only=True),
    Field("gateway_secret", "gateway_secret", read.secret, None, ("CAVENDISH_GATEWAY_SECRET",), owner_only=True),
    Field("ca_bundle", "ca_bundle", read.file, None, ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), owner_only=True),
    Field("no_color", "no_color", read.present, default=False, env=("NO_COLOR",)),
)
ENDPOINT_FIELDS = (
    Field("api_key", "keys", read.keys, ()),
    Field("base_url", "base_url", read.address, owner_only=True),
    Field("tier", "tier", read.text),
    Field("rpm", "rpm", read.whole(MAX_RPM)),
    Field("max_cost_per_day", "max_cost_per_day_nusd", read.money),
    Field("max_cost_per_month", "max_cost_per_month_nusd", read.money),
    Field("project", "project", read.project, owner_only=True),
    Field("location", "location", read.location, owner_only=True),
)
CATALOG_TABLES = ("models", "endpoints", "offers")
SWITCHES = ("CAVENDISH_CONFIG", "CAVENDISH_TRUST_PROJECT")
TOP_LEVEL = (*(known.name for known in FIELDS), "catalog", "refills", *CATALOG_TABLES)
BY_NAME = {known.name: known for known in FIELDS}
OF_ENDPOINT = {known.name: known for known in ENDPOINT_FIELDS}
KINDS = tuple(kind.value for kind in FaultKind)
