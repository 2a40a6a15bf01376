"""Faults of the line: what an exception of the transport means for the call, told without any secret."""

from __future__ import annotations

import os

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from ...model.fault import Charged, Fault, FaultKind, Scope

HIDDEN = "…"


class ProxyUnusable(OSError):
    """The proxy that the environment names cannot be spoken to."""


def connect_fault(error: Exception, url: URL) -> Fault | None:
    """The fault when no connection came about, so that nothing was asked for; ``None`` when it is another error."""
    place = f"{url.host}:{url.port}"
    match error:
        case aiohttp.InvalidURL():
            return Fault(FaultKind.MALFORMED, "the address is no HTTP URL")
        case aiohttp.ClientConnectorDNSError():
            words = f"the name {url.host} cannot be resolved"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            words = f"no trusted TLS connection to {place}: {_cause(error)}"
        case ProxyUnusable():
            words = str(error)
        case aiohttp.ClientProxyConnectionError():
            words = f"the proxy for {place} cannot be reached: {_cause(error)}"
        case aiohttp.ClientHttpProxyError(status=status):
            words = f"the proxy refused a connection to {place} with status {status}"
        case aiohttp.ClientConnectorError():
            words = f"no connection to {place}: {_cause(error)}"
        case aiohttp.ConnectionTimeoutError():
            words = f"no connection to {place} in time"
        case _:
            return None
    return Fault(FaultKind.CONNECT, words, Charged.NO, Scope.ENDPOINT)


def broken_fault(error: Exception, *, left: bool, whole_s: float, silence_s: float) -> Fault:
    """The fault when a request broke; ``left`` when any of it may have reached the provider."""
    charged = Charged.UNKNOWN if left else Charged.NO
    match error:
        case aiohttp.SocketTimeoutError():
            return Fault(FaultKind.TIMEOUT, f"not a byte for {silence_s:g} s", charged)
        case TimeoutError():
            return Fault(FaultKind.TIMEOUT, f"no whole answer within {whole_s:g} s", charged)
        case aiohttp.ClientPayloadError(__cause__=ContentEncodingError()):
            return Fault(FaultKind.MALFORMED, "the answer is packed in a way that cannot be undone", charged)
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError():
            return Fault(FaultKind.CUT, f"the line was cut: {_cause(error)}", charged)
        case aiohttp.ClientResponseError():
            return Fault(FaultKind.MALFORMED, "the answer breaks the rules of HTTP", charged)
        case _:
            return Fault(FaultKind.CUT, f"the line broke: {_cause(error)}", charged)


def _cause(error: BaseException) -> str:
    """What the system calls it, else the exception's name: the text of an exception may quote anything."""
    seen: BaseException | None = error
    while seen is not None:
        number = getattr(seen, "errno", None)
        if isinstance(seen, aiohttp.ClientConnectorCertificateError):
            seen = seen.certificate_error
        verify = getattr(seen, "verify_message", "")
        if verify:
            return str(verify)
        if isinstance(number, int) and number > 0:
            return os.strerror(number)
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__


def without(fault: Fault, secret: str) -> Fault:
    """The fault without the secret, which some relays quote in their errors."""
    if not secret or not any(secret in text for text in (fault.message, fault.text, fault.reason, fault.limit)):
        return fault
    return fault.having(
        message=fault.message.replace(secret, HIDDEN),
        text=fault.text.replace(secret, HIDDEN),
        reason=fault.reason.replace(secret, HIDDEN),
        limit=fault.limit.replace(secret, HIDDEN),
    )
