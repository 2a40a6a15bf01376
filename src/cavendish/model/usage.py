"""Usage: what a provider says it counted, in tokens, pictures and searches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used, as the provider reported it. Zero means none was reported.

    ``output_image_tokens`` are the tokens of all pictures, drafts included; ``output_text_tokens`` everything else
    that the model wrote, without ``thought_tokens``. ``images`` counts pictures billed by the piece, ``searches``
    grounding queries. ``cost_nusd`` is the provider's own figure in nano-dollars where it states one.
    """

    input_tokens: int = 0
    input_image_tokens: int = 0
    cached_tokens: int = 0
    output_image_tokens: int = 0
    output_text_tokens: int = 0
    thought_tokens: int = 0
    images: int = 0
    searches: int = 0
    cost_nusd: int | None = None

    @property
    def reported(self) -> bool:
        """Whether anything at all was reported."""
        return self != NOTHING_USED


NOTHING_USED = Usage()
