"""The settings of who may call, and what."""

from __future__ import annotations

from pydantic import BaseModel


class AccessSettings(BaseModel):
    """A part of `Settings`."""
