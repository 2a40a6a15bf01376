"""What the provider refuses before it works: bad keys, unknown models, impossible requests, full quotas.

Every function gives the fault that the real provider would answer with, or none. Texts as Google words them, where a
recording of them exists.
"""

from __future__ import annotations

from ..model.fault import Fault, FaultKind, Scope
from ..model.request import Image, ImageRequest, Role
from .menu import Entry
from .quota import Breach, Measure

QUOTA_IDS: dict[Measure, str] = {
    "requests": "GenerateRequestsPerMinutePerProjectPerModel",
    "images": "GenerateImagesPerMinutePerProjectPerModel",
    "tokens": "GenerateContentPaidTierInputTokensPerModelPerMinute",
    "day": "GenerateRequestsPerDayPerProjectPerModel",
    "nusd": "SpendPerTenMinutesPerProject",
}
"""The first, third and fourth were seen at Google; the others are made after their pattern."""
FREE_TIER_QUOTA = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
_METRICS: dict[Measure, str] = {
    "requests": "generate_requests_per_model",
    "images": "generate_images_per_model",
    "tokens": "generate_content_paid_tier_input_token_count",
    "day": "generate_requests_per_model_per_day",
    "nusd": "spend_per_ten_minutes",
}
_QUOTA_TEXT = (
    "You exceeded your current quota, please check your plan and billing details.\n"
    "* Quota exceeded for metric: generativelanguage.googleapis.com/{metric}, limit: {limit}, model: {model}"
)
_KINDS: dict[Measure, FaultKind] = {
    "requests": FaultKind.RATE_LIMITED,
    "images": FaultKind.RATE_LIMITED,
    "tokens": FaultKind.RATE_LIMITED,
    "day": FaultKind.DAY_QUOTA,
    "nusd": FaultKind.SPEND_LIMIT,
}


def check_key(key: str, model: str) -> Fault | None:
    """Keys are judged by how they begin: ``bad``, ``wrong``, ``expired``, ``noquota``; any other is good."""
    if not key:
        message = (
            "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity."
        )
        return Fault(FaultKind.FORBIDDEN, message, scope=Scope.KEY, reason="PERMISSION_DENIED", status=403)
    if key.startswith(("bad", "wrong")):
        return _key_fault("API key not valid. Please pass a valid API key.")
    if key.startswith("expired"):
        return _key_fault("API key expired. Please renew the API key.")
    if key.startswith("noquota"):
        metric = "generate_content_free_tier_requests"
        return Fault(
            FaultKind.NO_QUOTA,
            _QUOTA_TEXT.format(metric=metric, limit=0, model=model),
            scope=Scope.KEY,
            reason="RESOURCE_EXHAUSTED",
            status=429,
            limit=FREE_TIER_QUOTA,
            limit_value=0,
        )
    return None


def no_model(model: str) -> Fault:
    """The answer for an id that nobody knows, or knows no longer."""
    name = model.removeprefix("models/")
    message = (
        f"models/{name} is not found for API version v1beta, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )
    return Fault(FaultKind.MODEL_NOT_FOUND, message, scope=Scope.MODEL, reason="NOT_FOUND", status=404)


def check_request(request: ImageRequest, entry: Entry) -> Fault | None:
    """Ratio, size, count, references and signatures, by the catalog."""
    card = entry.card
    place = "GenerateContentRequest.generation_config"
    if not request.turns or not any(turn.parts for turn in request.turns):
        return invalid("* GenerateContentRequest.contents: contents is not specified\n")
    if request.aspect_ratio and request.aspect_ratio not in card.ratios:
        allowed = _spoken_list(card.ratios)
        return invalid(f"* {place}.image_config.aspect_ratio: aspect_ratio must be one of {allowed}.\n")
    if request.size and (not card.sends_size or request.size not in card.sizes):
        allowed = (
            f" must be one of {_spoken_list(tuple(card.sizes))}"
            if card.sends_size
            else " is not supported by this model"
        )
        return invalid(f"* {place}.image_config.image_size: image_size{allowed}.\n")
    if request.n > card.per_call:
        return invalid(f"* {place}.candidate_count: only {card.per_call} is supported by this model.\n")
    if len(request.references) > card.references.total:
        return invalid(f"Simulated: at most {card.references.total} input images are supported by this model.")
    return _check_signatures(request, entry)


def invalid(message: str) -> Fault:
    """A request that cannot be fulfilled."""
    return Fault(FaultKind.INVALID_REQUEST, message, reason="INVALID_ARGUMENT", status=400)


def over_quota(breaches: tuple[Breach, ...], model: str) -> Fault:
    """The answer for a call that would break limits: the one with the longest wait decides."""
    worst = breaches[0]
    message = _QUOTA_TEXT.format(metric=_METRICS[worst.measure], limit=worst.limit, model=model)
    # Rounded up: whoever waits exactly as long as told must get in.
    wait_s = int(worst.wait_s * 1000 + 1) / 1000
    return Fault(
        _KINDS[worst.measure],
        f"{message}\nPlease retry in {wait_s}s.",
        scope=Scope.KEY if worst.measure == "nusd" else Scope.MODEL,
        retry_after_s=wait_s,
        reason="RESOURCE_EXHAUSTED",
        status=429,
        limit=QUOTA_IDS[worst.measure],
        limit_value=worst.limit,
    )


def signs(entry: Entry) -> bool:
    """Whether the model gives its parts signatures: those that think do."""
    return bool(entry.card.thinking) or entry.card.always_thinks


def _check_signatures(request: ImageRequest, entry: Entry) -> Fault | None:
    """Pictures in the model's own turns must carry the signature that they came with."""
    if not signs(entry):
        return None
    for position, turn in enumerate(request.turns, start=1):
        for place, part in enumerate(turn.parts, start=1):
            if turn.role is Role.MODEL and isinstance(part, Image) and not part.thought and part.signature is None:
                message = (
                    f"Image part is missing a thought_signature in content position {position}, part position {place}. "
                    "Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures#model-behavior "
                    "for more details."
                )
                return Fault(FaultKind.LOST_SIGNATURE, message, reason="INVALID_ARGUMENT", status=400)
    return None


def _key_fault(message: str) -> Fault:
    return Fault(FaultKind.BAD_KEY, message, scope=Scope.KEY, reason="API_KEY_INVALID", status=400)


def _spoken_list(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)
