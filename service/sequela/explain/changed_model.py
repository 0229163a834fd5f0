"""The error if the model behind an endpoint was replaced while a sequence was explained."""

from __future__ import annotations

from sequela.errors import Unavailable

RETRY_SECONDS = 1.0
"""When to explain the sequence again."""


def changed_model_error(found: str) -> Unavailable:
    """Returns the error MODEL_CHANGED. `found` says how the endpoint's answers differ."""
    return Unavailable("MODEL_CHANGED", f"{found}; try again", retry_after=RETRY_SECONDS)
