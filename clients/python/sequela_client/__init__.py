"""The client of Sequela: explanations of the scores of sequence models, from Python."""

from sequela_client.aio import AsyncSequela
from sequela_client.attributions import Attribution, PlayerKind, StopReason
from sequela_client.client import Sequela
from sequela_client.errors import (
    CallerError,
    DeadlineExceeded,
    ModelOrBackgroundError,
    NotFound,
    NotImplementedByServer,
    OperatorError,
    SequelaError,
    TryAgain,
    Violation,
)
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import ExplanationWarning, Reason, Verdict
from sequela_client.inputs import BackgroundValues, EventInfo, Sequence
from sequela_client.models import Endpoint
from sequela_client.resources import Background, ExplanationSummary, Model, Outcome, Scores

__all__ = [
    "AsyncSequela",
    "Attribution",
    "Background",
    "BackgroundValues",
    "CallerError",
    "DeadlineExceeded",
    "Endpoint",
    "EventInfo",
    "Explanation",
    "ExplanationSummary",
    "ExplanationWarning",
    "Model",
    "ModelOrBackgroundError",
    "NotFound",
    "NotImplementedByServer",
    "OperatorError",
    "Outcome",
    "PlayerKind",
    "Reason",
    "Scores",
    "Sequela",
    "SequelaError",
    "Sequence",
    "StopReason",
    "TryAgain",
    "Verdict",
    "Violation",
]
