"""The settings of the processes that run models."""

from __future__ import annotations

from pydantic import BaseModel, Field


class EngineSettings(BaseModel):
    """A part of `Settings`."""

    upload_engines: int | None = Field(
        None,
        ge=1,
        description="How many uploaded and inline models run at a time. Unset: one for each core that the process may "
        "use, but at least 2.",
    )
