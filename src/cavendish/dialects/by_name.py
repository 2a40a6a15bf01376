"""Every wire format, by the name that an endpoint of the catalog refers to it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..wire.dialect import Dialect
from .ark import ArkDialect
from .bfl import BflDialect
from .fal import FalDialect
from .gemini import GeminiDialect
from .imagen import ImagenDialect
from .openai_chat import OpenaiChatDialect
from .openai_images import OpenaiImagesDialect

DIALECTS: Mapping[str, Callable[..., Dialect]] = MappingProxyType(
    {
        "ark": ArkDialect,
        "bfl": BflDialect,
        "fal": FalDialect,
        "gemini": GeminiDialect,
        "imagen": ImagenDialect,
        "openai_chat": OpenaiChatDialect,
        "openai_images": OpenaiImagesDialect,
    }
)
