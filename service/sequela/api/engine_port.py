"""The port to the engines: processes that answer requests with the operator's models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sequela.concurrency.deadline import Deadline
from sequela.explain.explanation import Explanation
from sequela.explain.ports import ModelRecord
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.service import ScoreResult


class EngineOperation(StrEnum):
    """What an engine does with a request, and the form of its answer."""

    EXPLAIN = "explain"  # bytes of sequela.v1.ExplainRequest -> bytes of ExplainResponse
    EXPLAIN_ITEM = "explain_item"  # the same -> bytes of ExplainStreamResponse, without the index
    SCORE = "score"  # bytes of ScoreRequest -> bytes of ScoreResponse


@dataclass(frozen=True, slots=True, eq=False)
class EngineRequest:
    """A request that nobody has parsed yet, and what to do with it.

    Attributes:
        operation: What to do with it.
        content: The request's bytes.
        requested_by: The name of the authenticated caller, which the bytes do not have.
        error_factor, share_seconds: As in `explain.request.ExplainRequest`; the bytes do not have them either.
    """

    operation: EngineOperation
    content: bytes
    requested_by: str = ""
    error_factor: float = 1.0
    share_seconds: float = math.inf


class Engines(Protocol):
    """Processes that run the operator's models. Methods block, and raise the request's error as a SequelaError.

    Unavailable means that the engine was lost. `record` is the model, as `take` accepted it.
    """

    def take(self, record: ModelRecord) -> bool:
        """Returns whether they run this model. If not, it runs in this process."""

    def run(self, request: EngineRequest, record: ModelRecord, deadline: Deadline) -> bytes:
        """Answers a request, in the form of its operation."""

    def explain_row(self, request: ExplainRequest, record: ModelRecord, deadline: Deadline) -> Explanation:
        """Explains a row of a batch."""

    def score_rows(self, request: ScoreRequest, record: ModelRecord, deadline: Deadline) -> ScoreResult:
        """Scores the rows of a batch."""


class NoEngines:
    """Implements `Engines` for a server that runs all models of the operator in its own process."""

    def take(self, _: ModelRecord) -> bool:
        """See `Engines`."""
        return False

    def run(self, *_: object) -> bytes:
        """See `Engines`."""
        raise NotImplementedError

    def explain_row(self, *_: object) -> Explanation:
        """See `Engines`."""
        raise NotImplementedError

    def score_rows(self, *_: object) -> ScoreResult:
        """See `Engines`."""
        raise NotImplementedError
