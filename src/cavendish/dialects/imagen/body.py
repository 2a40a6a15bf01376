"""A request, both ways: an ``Open`` as the body of ``:predict``, and that body as an ``Open``.

Words alone: no pictures go in. The count is always said, since Google's default is four; and so is that the reason of
a filtered picture is wanted, since without it the picture would merely be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from ...model.call import Open
from ...model.request import ImageRequest, Notice
from ...wire.last_turn import one_turn, pictures_of, prompt_of, unsaid
from ...wire.passed_on import passed_on
from ...wire.reading import flag, integer, items, mapping, member, text

Surface = Literal["developer", "vertex"]

MAX_COUNT: Final = 4
"""Pictures of one call; also what comes when no count is said."""

_PARAMETERS: Final = frozenset(
    {
        "guidanceScale",
        "includeRaiReason",
        "includeSafetyAttributes",
        "language",
        "outputOptions",
        "personGeneration",
        "safetySetting",
    }
)
_VERTEX_PARAMETERS: Final = _PARAMETERS | {"addWatermark", "enhancePrompt", "negativePrompt", "storageUri"}
_TOP: Final = "labels"
_SAID: Final = frozenset({"size", "aspect_ratio", "output_format", "order", "use", "mask"})


class Unreadable(ValueError):
    """The request is not what Google would take; the message says why."""


def _extras(surface: Surface) -> frozenset[str]:
    """Members that go through as they are, ``labels`` beside the parameters."""
    return _VERTEX_PARAMETERS | {_TOP} if surface == "vertex" else _PARAMETERS


# --- writing ---------------------------------------------------------------------------------------------------------


def write_body(request: ImageRequest, surface: Surface) -> dict[str, Any]:
    """The body of a call."""
    known = {name: value for name, value in request.extra.items() if name in _extras(surface)}
    labels = {_TOP: known.pop(_TOP)} if _TOP in known else {}
    said: dict[str, Any] = {
        "sampleCount": request.n,
        "aspectRatio": request.aspect_ratio,
        "sampleImageSize": request.size,
        "seed": request.seed if surface == "vertex" else None,
        "outputOptions": _output_options(known.pop("outputOptions", None), request.output_format),
    }
    parameters = {"includeRaiReason": True, **known, **{name: v for name, v in said.items() if v is not None}}
    return {"instances": [{"prompt": prompt_of(request)}], "parameters": parameters, **labels}


def _output_options(further: Any, output_format: str | None) -> dict[str, Any] | None:
    options = dict(cast("Mapping[str, Any]", further)) if isinstance(further, Mapping) else {}
    return {**options, **({"mimeType": f"image/{output_format}"} if output_format else {})} or None


def left_out(request: ImageRequest, surface: Surface) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    said = {*_SAID, *(("seed",) if surface == "vertex" else ())}
    notices = unsaid(request, said, _extras(surface), "Imagen")
    if not pictures_of(request):
        return notices
    message = "Imagen draws from words alone: references cannot be said to it and are left out"
    return (*notices, Notice("unsupported", message, "references"))


# --- reading ---------------------------------------------------------------------------------------------------------


def read_body(body: Any, model: str, surface: Surface, max_n: int = MAX_COUNT) -> Open:
    """The call that a body stands for. Raises ``Unreadable``."""
    instances = items(body, "instances")
    if len(instances) != 1:
        raise Unreadable(f"Invalid value at 'instances': there must be one, there are {len(instances)}.")
    parameters = mapping(body, "parameters")
    output = mapping(parameters, "outputOptions")
    request = ImageRequest(
        turns=one_turn(_prompt(instances[0]), ()),
        model=model,
        n=_count(parameters, max_n),
        size=_word(parameters, "sampleImageSize"),
        aspect_ratio=_word(parameters, "aspectRatio"),
        seed=read_seed(parameters) if surface == "vertex" else None,
        output_format=_format(output),
        extra=_read_extra(body, parameters, surface),
    )
    return Open(request)


def _prompt(instance: Any) -> str:
    prompt = member(instance, "prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Unreadable("Invalid value at 'instances[0].prompt': a text is required.")
    for name in ("referenceImages", "image", "mask"):
        if member(instance, name) is not None:
            raise Unreadable(f"Invalid value at 'instances[0].{name}': pictures are not taken here.")
    return prompt


def _count(parameters: Mapping[str, Any], max_n: int) -> int:
    if member(parameters, "sampleCount") is None:
        return min(MAX_COUNT, max_n)
    n = integer(parameters, "sampleCount")
    if n is None or not 1 <= n <= max_n:
        raise Unreadable(f"Invalid value at 'parameters.sampleCount': it must be from 1 to {max_n}.")
    return n


def _word(parameters: Mapping[str, Any], name: str) -> str | None:
    found = member(parameters, name)
    if found is not None and not isinstance(found, str):
        raise Unreadable(f"Invalid value at 'parameters.{name}': a text is expected.")
    return found or None


def read_seed(parameters: Mapping[str, Any]) -> int | None:
    """The seed. Raises ``Unreadable`` for one that is none."""
    seed = integer(parameters, "seed")
    if seed is None and member(parameters, "seed") is not None:
        raise Unreadable("Invalid value at 'parameters.seed': a whole number is expected.")
    return seed


def _format(output: Mapping[str, Any]) -> str | None:
    kind, _, name = text(output, "mimeType").partition("/")
    return name.lower() or None if kind.lower() == "image" else None


def _read_extra(body: Any, parameters: Mapping[str, Any], surface: Surface) -> dict[str, Any]:
    known = _extras(surface)
    try:
        extra = passed_on(parameters, known - {_TOP, "outputOptions"})
        options = passed_on(mapping(parameters, "outputOptions"), ("compressionQuality",))
        labels = passed_on({_TOP: member(body, _TOP)}, known & {_TOP})
    except ValueError as error:
        raise Unreadable(f"Invalid value: {error}.") from error
    extra["includeRaiReason"] = flag(parameters, "includeRaiReason")
    if extra["includeRaiReason"]:
        del extra["includeRaiReason"]
    return {**extra, **({"outputOptions": options} if options else {}), **labels}
