"""What the provider refuses before it works: bad keys, unknown models, impossible requests, full quotas.

Every function gives the fault that the real provider would answer with, or none. Texts as Google words them, where a
recording of them exists.
"""

from __future__ import annotations

from ..model.fault import Fault, FaultKind, Scope
from ..model.request import Image, ImageRequest, Role, Use
from .flavours import FLAVOURS, Flavour, Full
from .menu import Entry
from .quota import Breach, Load

FREE_TIER_QUOTA = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def check_key(key: str, model: str, flavour: Flavour = FLAVOURS["google"], *, needed: bool = True) -> Fault | None:
    """Keys are judged by how they begin: ``bad``, ``wrong``, ``expired``, ``noquota``; any other is good."""
    if not key:
        return _key_fault(flavour.no_key_words, flavour.no_key) if needed else None
    if key.startswith(("bad", "wrong")):
        return _key_fault(flavour.bad_key)
    if key.startswith("expired"):
        return _key_fault(flavour.expired_key)
    if key.startswith("noquota"):
        kind, message = flavour.no_quota, flavour.no_quota_words.format(model=model)
        if kind is not FaultKind.NO_QUOTA:
            return Fault(kind, message, scope=Scope.KEY, status=_KEY_STATUS[kind])
        return Fault(
            kind,
            message,
            scope=Scope.KEY,
            reason="RESOURCE_EXHAUSTED",
            status=429,
            limit=FREE_TIER_QUOTA,
            limit_value=0,
        )
    return None


_KEY_STATUS = {FaultKind.FORBIDDEN: 403, FaultKind.BAD_KEY: 400, FaultKind.NO_CREDIT: 402}
_KEY_REASONS = {FaultKind.FORBIDDEN: "PERMISSION_DENIED", FaultKind.BAD_KEY: "API_KEY_INVALID"}


def _key_fault(message: str, kind: FaultKind = FaultKind.BAD_KEY) -> Fault:
    return Fault(kind, message, scope=Scope.KEY, reason=_KEY_REASONS[kind], status=_KEY_STATUS[kind])


def no_model(model: str, flavour: Flavour = FLAVOURS["google"]) -> Fault:
    """The answer for an id that nobody knows, or knows no longer."""
    message = flavour.no_model.format(model=model.removeprefix("models/"))
    return Fault(FaultKind.MODEL_NOT_FOUND, message, scope=Scope.MODEL, reason="NOT_FOUND", status=404)


def check_request(request: ImageRequest, entry: Entry, *, signatures: bool = True) -> Fault | None:
    """Ratio, size, count, references and, where the wire format has them, signatures, by the catalog."""
    card = entry.card
    place = "GenerateContentRequest.generation_config"
    if not request.turns or not any(turn.parts for turn in request.turns):
        return invalid("* GenerateContentRequest.contents: contents is not specified\n")
    if request.aspect_ratio and request.aspect_ratio not in card.ratios and card.any_pixels is None:
        allowed = _spoken_list(card.ratios)
        return invalid(f"* {place}.image_config.aspect_ratio: aspect_ratio must be one of {allowed}.\n")
    if request.size and not (card.sends_size and entry.draws(request.size)):
        allowed = (
            f" must be one of {_spoken_list(tuple(card.sizes))}"
            if card.sends_size
            else " is not supported by this model"
        )
        return invalid(f"* {place}.image_config.image_size: image_size{allowed}.\n")
    if request.n > entry.per_call:
        return invalid(f"* {place}.candidate_count: only {entry.per_call} is supported by this model.\n")
    pictures = sum(image.use is not Use.MASK for image in request.references)
    if pictures > card.references.total:
        return invalid(f"Simulated: at most {card.references.total} input images are supported by this model.")
    together = entry.offer.pictures_and_references
    if together and request.n > 1 and request.n + pictures > together:
        return invalid(f"Simulated: references and pictures of a group are at most {together} together.")
    return _check_signatures(request, entry) if signatures else None


def invalid(message: str) -> Fault:
    """A request that cannot be fulfilled."""
    return Fault(FaultKind.INVALID_REQUEST, message, reason="INVALID_ARGUMENT", status=400)


def over_quota(breaches: tuple[Breach, ...], load: Load, model: str, flavour: Flavour = FLAVOURS["google"]) -> Fault:
    """The answer for a call that would break limits: the one with the longest wait decides."""
    return flavour.full(Full(breaches[0], load, model))


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


def _spoken_list(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)
