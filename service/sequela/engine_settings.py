"""The settings of the processes that run models."""

from __future__ import annotations

from pydantic import BaseModel


class EngineSettings(BaseModel):
    """A part of `Settings`."""
