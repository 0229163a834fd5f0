"""The settings that show what the server does."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from sequela.explain.evaluate.choose_execution import ExecutionKind


class DiagnosticSettings(BaseModel):
    """A part of `Settings`."""

    export_spans: bool = Field(
        False,
        description="Send spans of requests to an OpenTelemetry collector (OTLP over HTTP). Needs the extra "
        "`tracing`. Configured by the standard variables OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, "
        "OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME and others. By default the sampling decision of the caller is "
        "followed.",
    )
    log_caller_ids: bool = Field(
        False,
        description="Write the id that callers give an explanation (`caller_id`) into the log line of its request and "
        "its span. Deleting explanations does not remove it from the log.",
    )
    trace_dir: Path | None = Field(
        None,
        description="Folder to record every explanation in, as files that numpy and pandas read (docs/debugging.md). "
        "They contain what callers sent. While it is set, no answer is reused. Nothing is ever deleted from it.",
    )
    trace_bytes: int = Field(
        256 << 20,
        ge=1 << 10,
        description="Largest size of the arrays that are recorded of one explanation; they are held in memory until "
        "they are written.",
    )
    execution: ExecutionKind | None = Field(
        None,
        description="How to run the models in this process: on whole sequences, or from states that coalitions share. "
        "An explanation fails if its model cannot be run in this way. Unset: from states where the model allows it. "
        "While it is set, no answer is reused.",
    )
