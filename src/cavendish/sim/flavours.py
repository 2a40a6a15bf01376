"""Flavours: what each system says of keys, models and full quotas. The shapes around the words are the dialects'.

Where a client reads something out of a sentence (which limit, how long to wait), the sentence holds it as the real one
does (wire facts of 2026-11); all else is said in our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, get_args

from ..model.fault import Fault, FaultKind, Scope
from .quota import Breach, Load, Measure

Family = Literal["google", "imagen", "relay", "openai", "openrouter", "ark", "bfl", "fal"]
FAMILIES: tuple[str, ...] = get_args(Family)

_KINDS: Mapping[Measure, FaultKind] = MappingProxyType(
    {
        "requests": FaultKind.RATE_LIMITED,
        "images": FaultKind.RATE_LIMITED,
        "tokens": FaultKind.RATE_LIMITED,
        "tasks": FaultKind.RATE_LIMITED,
        "day": FaultKind.DAY_QUOTA,
        "nusd": FaultKind.SPEND_LIMIT,
    }
)


@dataclass(frozen=True, slots=True)
class Full:
    """A limit that a call would break, and what it asked for."""

    breach: Breach
    load: Load
    model: str

    @property
    def wait_s(self) -> float:
        """Rounded up: whoever waits exactly as long as told must get in."""
        return int(self.breach.wait_s * 1000 + 1) / 1000

    def fault(self, message: str, limit: str, *, reason: str = "", scope: Scope = Scope.MODEL) -> Fault:
        """The fault of this limit, in a system's words."""
        return Fault(
            _KINDS[self.breach.measure],
            message,
            scope=Scope.KEY if self.breach.measure == "nusd" else scope,
            retry_after_s=self.wait_s,
            reason=reason,
            status=429,
            limit=limit,
            limit_value=self.breach.limit,
        )


@dataclass(frozen=True, slots=True)
class Flavour:
    """One system's ways.

    ``no_key`` is the kind of fault for a call without a key. ``no_quota_words`` are said of every account without
    credit, ``blocked_words`` of a prompt that is refused, where they matter. ``said_reasons``: whether Google's own
    words (``SAFETY``, ``INVALID_ARGUMENT``) are handed on; where they are not, the dialect finds the system's.
    """

    full: Callable[[Full], Fault]
    no_model: str
    bad_key: str = "Simulated: this key is not known."
    expired_key: str = "Simulated: this key has expired."
    no_key: FaultKind = FaultKind.BAD_KEY
    no_key_words: str = "Simulated: a key is missing."
    no_quota: FaultKind = FaultKind.NO_CREDIT
    no_quota_words: str = "Simulated: the credit of this account is used up."
    blocked_words: str = ""
    said_reasons: bool = False

    def worded(self, fault: Fault) -> Fault:
        """A fault that was made with Google's words, with those that this system would use."""
        words = {FaultKind.PROMPT_BLOCKED: self.blocked_words}
        if self.no_quota is FaultKind.NO_CREDIT:
            words[FaultKind.NO_CREDIT] = self.no_quota_words
        message = words.get(fault.kind) or fault.message
        return replace(fault, message=message, reason=fault.reason if self.said_reasons else "")


# --- Google ----------------------------------------------------------------------------------------------------------

QUOTA_IDS: Mapping[Measure, str] = MappingProxyType(
    {
        "requests": "GenerateRequestsPerMinutePerProjectPerModel",
        "images": "GenerateImagesPerMinutePerProjectPerModel",
        "tokens": "GenerateContentPaidTierInputTokensPerModelPerMinute",
        "day": "GenerateRequestsPerDayPerProjectPerModel",
        "nusd": "SpendPerTenMinutesPerProject",
        "tasks": "ConcurrentRequestsPerProjectPerModel",
    }
)
"""The first, third and fourth were seen at Google; the others are made after their pattern."""

_METRICS: Mapping[Measure, str] = MappingProxyType(
    {
        "requests": "generate_requests_per_model",
        "images": "generate_images_per_model",
        "tokens": "generate_content_paid_tier_input_token_count",
        "day": "generate_requests_per_model_per_day",
        "nusd": "spend_per_ten_minutes",
        "tasks": "concurrent_requests_per_model",
    }
)
QUOTA_TEXT = (
    "You exceeded your current quota, please check your plan and billing details.\n"
    "* Quota exceeded for metric: generativelanguage.googleapis.com/{metric}, limit: {limit}, model: {model}"
)


def _google(full: Full) -> Fault:
    measure = full.breach.measure
    message = QUOTA_TEXT.format(metric=_METRICS[measure], limit=full.breach.limit, model=full.model)
    words = f"{message}\nPlease retry in {full.wait_s}s."
    return full.fault(words, QUOTA_IDS[measure], reason="RESOURCE_EXHAUSTED")


# --- OpenAI and OpenRouter -------------------------------------------------------------------------------------------

_COUNTED: Mapping[Measure, str] = MappingProxyType(
    {
        "requests": "requests per min",
        "images": "input-images per min",
        "tokens": "tokens per min",
        "day": "requests per day",
        "nusd": "spend per ten minutes",
        "tasks": "concurrent requests",
    }
)


def _openai(full: Full) -> Fault:
    breach, counted = full.breach, _COUNTED[full.breach.measure]
    asked = full.load.images if breach.measure == "images" else 1
    message = (
        f"Rate limit reached for {full.model} in organization org-simulated on {counted}: Limit {breach.limit}, "
        f"Used {breach.used}, Requested {asked}. Please try again in {full.wait_s:g}s."
    )
    return full.fault(message, counted)


def _openrouter(full: Full) -> Fault:
    return full.fault(f"Rate limit exceeded: simulated-{_COUNTED[full.breach.measure].replace(' ', '-')}", "")


# --- Ark -------------------------------------------------------------------------------------------------------------

_ARK_CODES: Mapping[Measure, str] = MappingProxyType(
    {
        "requests": "ModelAccountRpmRateLimitExceeded",
        "images": "ModelAccountIpmRateLimitExceeded",
        "tokens": "ModelAccountTpmRateLimitExceeded",
        "day": "AccountRateLimitExceeded",
        "nusd": "AccountRateLimitExceeded",
        "tasks": "InflightBatchsizeExceeded",
    }
)


def _ark(full: Full) -> Fault:
    code = _ARK_CODES[full.breach.measure]
    fault = full.fault(f"Simulated: {full.model} has used up its {full.breach.limit} for now.", code, reason=code)
    return replace(fault, limit_value=None)  # nothing in Ark's answer says how much the limit is


# --- systems that count what is under way ----------------------------------------------------------------------------


def _bfl(full: Full) -> Fault:
    message = f"Simulated: this organisation has {full.breach.limit} active tasks, which is as many as it may have."
    return replace(full.fault(message, "active tasks", scope=Scope.KEY), retry_after_s=None)


def _fal(full: Full) -> Fault:
    message = f"Simulated: {full.breach.limit} requests are under way, which is as many as may be."
    fault = full.fault(message, "concurrent requests", scope=Scope.KEY)
    return replace(fault, retry_after_s=None, limit_value=None)


_GOOGLE = Flavour(
    full=_google,
    no_model=(
        "models/{model} is not found for API version v1beta, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    ),
    bad_key="API key not valid. Please pass a valid API key.",
    expired_key="API key expired. Please renew the API key.",
    no_key=FaultKind.FORBIDDEN,
    no_key_words=(
        "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity."
    ),
    no_quota=FaultKind.NO_QUOTA,
    no_quota_words=QUOTA_TEXT.format(metric="generate_content_free_tier_requests", limit=0, model="{model}"),
    said_reasons=True,
)

FLAVOURS: Mapping[str, Flavour] = MappingProxyType(
    {
        "google": _GOOGLE,
        "imagen": replace(_GOOGLE, blocked_words="Simulated: the prompt could not be submitted."),
        # A relay's own errors, see ``bodies``, are made of Google's.
        "relay": _GOOGLE,
        "openai": Flavour(_openai, "Simulated: the model '{model}' does not exist here."),
        "openrouter": Flavour(_openrouter, "Simulated: no provider serves {model}.", said_reasons=True),
        "ark": Flavour(_ark, "Simulated: the model or endpoint {model} does not exist."),
        "bfl": Flavour(_bfl, "Not Found"),
        "fal": Flavour(
            _fal,
            "Simulated: the application {model} was not found",
            no_quota_words="User is locked. Reason: Exhausted balance. (Simulated.)",
        ),
    }
)
"""By the family that a profile names."""
