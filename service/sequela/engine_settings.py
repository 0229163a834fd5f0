"""The settings of the processes that run models."""

from __future__ import annotations

from pydantic import BaseModel, Field

from sequela.explain.limits import Limits


class EngineSettings(BaseModel):
    """A part of `Settings`."""

    engines: int | None = Field(
        None,
        ge=0,
        description="Number of processes that run the operator's models, each on a core of its own; 0 runs them in the "
        "server's own process. Unset: one for each core that the process may use; 0 if there is only one core, on a "
        "GPU, and outside Linux.",
    )
    upload_engines: int | None = Field(
        None,
        ge=0,
        description="Number of processes that run uploaded and inline models, each one model at a time. 0 runs "
        "them in the server's own process without a sandbox: a model of anybody who can reach the "
        "server (without authentication, that is every user of the machine) can then end the server "
        "or read its memory. 0 needs addresses on loopback, and the log warns of it. Unset: one for "
        "each core that the process may use, but at least 2.",
    )
    unsafe_uploads: bool = Field(
        False,
        description="Run models from callers even where the kernel has neither Landlock nor seccomp to contain them; "
        "outside Linux in the server's own process.",
    )
    upload_engine_bytes: int = Field(
        2 << 30,
        ge=1 << 26,
        description="Memory that each of these processes may allocate.",
    )
    upload_engine_idle_seconds: float = Field(
        300.0,
        gt=0,
        description="How long, in seconds, such a process may be idle before it ends.",
    )
    model_load_seconds: float = Field(
        60.0, gt=0, description="Seconds that loading an uploaded or inline model may take."
    )
    engine_grace: float = Field(
        0.5,
        gt=0,
        description="Seconds that a process may continue after the deadline of its work before it is killed.",
    )
    quarantine_seconds: float = Field(
        600.0,
        ge=0,
        description="How long, in seconds, a request is refused after it has crashed a process that runs an uploaded "
        "or inline model, or two that run the operator's models. An uploaded or inline model is refused for the "
        "same time after it has crashed its process while it was loaded, or in three different requests.",
    )
    max_design_bytes: int = Field(
        Limits().max_design_bytes,
        ge=0,
        description="Memory in which each process that runs models keeps precomputed matrices for samples of "
        "coalitions, which makes later explanations faster. 0 keeps nothing.",
    )
