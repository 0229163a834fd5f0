"""Refuses what cannot be done with an alert, with the same text as on its page."""

from __future__ import annotations

from sequela_client.alert_document.capabilities import Situation, capabilities
from sequela_client.alert_document.material import Material

from sequela_console.http.errors import ApiError


def require(material: Material, situation: Situation, name: str) -> None:
    """Raises ApiError (409) if something cannot be done with an explanation.

    Args:
        material: the explanation, and what is known around it.
        situation: the circumstances on which capabilities depend.
        name: the capability, as in `CapabilityName` of types.ts.
    """
    found = capabilities(material, situation, material.explanation.length)[name]
    if not found.ok:
        raise ApiError(409, "NOT_POSSIBLE", found.why)
