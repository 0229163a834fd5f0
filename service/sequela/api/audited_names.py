"""The names that the audit log may hold: those of things that the server has, and not what else a caller wrote."""

from __future__ import annotations

from sequela import names

ENDPOINT = "endpoint"
"""An endpoint of a request is noted as this word, and ` at HOST`."""
INLINE = "inline"
"""A model that is sent with a request."""
MODEL, BACKGROUND, EXPLANATION = "models/*", "models/*/backgrounds/*", "explanations/*"
BY_CALLER_ID, BY_LABEL = "explanations by caller_id", "explanations by label"
"""What a deletion removes. Once it is done, `, 3 deleted` follows. The caller id and the label are not noted."""
KINDS = (INLINE, ENDPOINT, MODEL, BACKGROUND, EXPLANATION, BY_CALLER_ID, BY_LABEL)


def audited_name(noted: str, served: bool) -> str:
    """Returns what the audit log says about the resource of a request.

    Args:
        noted: The name in the request, as the caller wrote it.
        served: Whether the request was served. If not, the server may have nothing of that name, and the name may be
            anything, such as a customer's number in a wrong field.

    Returns:
        The name if it was served, or its kind, such as `models/*`; empty if it is not a name of any kind.
    """
    kind = kind_of(noted)
    return noted if served and kind else kind


def kind_of(noted: str) -> str:
    """Returns the kind of a name, or of a kind; empty if it is neither."""
    if noted in KINDS:
        return noted
    if noted.startswith(f"{ENDPOINT} at "):
        return ENDPOINT
    if noted.startswith((f"{BY_CALLER_ID}, ", f"{BY_LABEL}, ")):
        return noted.partition(", ")[0]
    if names.is_background(noted):
        return BACKGROUND
    if names.is_explanation(noted):
        return EXPLANATION
    return MODEL if names.is_model_reference(noted) or names.is_digest(noted) else ""
