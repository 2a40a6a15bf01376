"""``responseFormat``, the newer form of ``imageConfig``: an object with plain words, or a list with enumerations.

The Developer API's guide of 2026-09 has the object. Vertex AI's discovery document of 2026-11-06 has the list, and the
words below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...wire.reading import mapping

_RATIO_WORDS: Final = {
    1: "ONE", 2: "TWO", 3: "THREE", 4: "FOUR", 5: "FIVE", 8: "EIGHT", 9: "NINE", 16: "SIXTEEN", 21: "TWENTY_ONE",
}  # fmt: skip
_NUMBERS: Final = {word: str(number) for number, word in _RATIO_WORDS.items()}
_RATIOS: Final = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:8", "8:1", "1:4", "4:1"]
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "aspectRatio": {
        ratio: "ASPECT_RATIO_" + "_BY_".join(_RATIO_WORDS[int(side)] for side in ratio.split(":")) for ratio in _RATIOS
    },
    "imageSize": {
        "512": "IMAGE_SIZE_FIVE_TWELVE",
        "1K": "IMAGE_SIZE_ONE_K",
        "2K": "IMAGE_SIZE_TWO_K",
        "4K": "IMAGE_SIZE_FOUR_K",
    },
    "mimeType": {"image/jpeg": "IMAGE_JPEG"},
}
_SIZES: Final = {word: size for size, word in _WORDS["imageSize"].items()}


def listed(body: dict[str, Any]) -> dict[str, Any]:
    """A request body for Vertex AI: its ``responseFormat`` as a list. Words that have no enumeration stay."""
    generation = mapping(body, "generationConfig")
    entry = dict(mapping(generation, "responseFormat"))
    if not entry:
        return body
    if image := mapping(entry, "image"):
        entry["image"] = {name: _word(name, value) for name, value in image.items()}
    return {**body, "generationConfig": {**generation, "responseFormat": [entry]}}


def _word(name: str, value: Any) -> Any:
    return _WORDS[name].get(value, value) if name in _WORDS and isinstance(value, str) else value


def plain_word(word: str) -> str:
    """``ASPECT_RATIO_SIXTEEN_BY_NINE`` as ``16:9``, ``IMAGE_SIZE_ONE_K`` as ``1K``; all else as it stands."""
    if word in {"IMAGE_SIZE_UNSPECIFIED", "ASPECT_RATIO_UNSPECIFIED"}:
        return ""
    if word in _SIZES or not word.startswith("ASPECT_RATIO_"):
        return _SIZES.get(word, word)
    width, _, height = word.removeprefix("ASPECT_RATIO_").partition("_BY_")
    return f"{_NUMBERS[width]}:{_NUMBERS[height]}" if width in _NUMBERS and height in _NUMBERS else word
