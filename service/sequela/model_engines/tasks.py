"""The configuration and the tasks of an engine. Only the server sends these, so they may be pickled."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sequela.adapters.onnx.provider import ExecutionProvider
from sequela.adapters.repository.model_runners import VersionFolder
from sequela.api.engine_port import EngineRequest
from sequela.explain.evaluate.choose_execution import ExecutionKind
from sequela.explain.limits import Limits
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.spans import SpanContext


@dataclass(frozen=True, slots=True)
class ModelEngineConfig:
    """What an engine needs of the settings.

    Attributes:
        limits: The limits of requests and models.
        models: The models to load.
        model_threads: The threads that one call of a model may use.
        provider: What models run on.
        explanation_ttl: How long an explanation is kept, in seconds.
        keep_sequences: Whether sequences are kept with their explanations.
        trace_dir: Where to record explanations; None to record none.
        trace_bytes: The largest size of the arrays of one record.
        execution: The execution to use; None to choose automatically.
        log_level: The lowest level that is logged.
    """

    limits: Limits
    models: tuple[VersionFolder, ...] = ()
    model_threads: int = 1
    provider: ExecutionProvider = ExecutionProvider.CPU
    explanation_ttl: float = 0.0
    keep_sequences: bool = True
    trace_dir: Path | None = None
    trace_bytes: int = 0
    execution: ExecutionKind | None = None
    log_level: str = "info"

    def pack(self) -> bytes:
        """Returns the configuration as bytes."""
        return pickle.dumps(self)


@dataclass(frozen=True, slots=True, eq=False)
class ModelEngineTask:
    """One request.

    Attributes:
        request: The request: bytes with what to do with them, or one that came by another protocol.
        name: The name of the model, `models/m/versions/v`. The engine does not look at the reference in the request.
        digest: The model's digest.
        facts: What the log lines of the engine repeat, such as the request's id.
        span: The span that the engine's spans are parts of; None if the request is not traced.
    """

    request: EngineRequest | ExplainRequest | ScoreRequest
    name: str
    digest: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    span: SpanContext | None = None

    def pack(self) -> bytes:
        """Returns the task as bytes."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)


@dataclass(frozen=True, slots=True)
class ModelEngineUpdate:
    """The models that an engine should hold from now on. It answers with the digests of those that it holds."""

    models: tuple[VersionFolder, ...]

    def pack(self) -> bytes:
        """Returns the update as bytes."""
        return pickle.dumps(self)


def pack_digests(digests: Iterable[str]) -> bytes:
    """Returns the answer to an update as bytes."""
    return " ".join(digests).encode()


def read_digests(content: bytes) -> frozenset[str]:
    """Returns the digests in the answer to an update."""
    return frozenset(content.decode(errors="replace").split())
