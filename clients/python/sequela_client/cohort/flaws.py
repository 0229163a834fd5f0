"""Reasons, visible in the input itself, why a sequence cannot be explained."""

from __future__ import annotations

ID_MISSING, ID_REPEATED, ID_RESERVED = "ID_MISSING", "ID_REPEATED", "ID_RESERVED"
NO_EVENTS, LENGTHS_DIFFER, TIME_MISSING = "NO_EVENTS", "LENGTHS_DIFFER", "TIME_MISSING"
CHECKPOINT_MISSING, STATIC_VARIES = "CHECKPOINT_MISSING", "STATIC_VARIES"

Flaw = tuple[str, str]
"""The reason why a sequence cannot be explained, and a sentence for people."""
