"""OpenAI's chat/completions in both directions, as relays and OpenRouter use it for models that draw.

Must not know which models exist, who serves them or what they cost.
"""

from .dialect import OpenaiChatDialect

__all__ = ["OpenaiChatDialect"]
