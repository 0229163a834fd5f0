"""Explanations and scores of rows, as an engine sends them to the protocols that encode them in this process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter
from pydantic_core import to_json

from sequela.explain.explanation import Cost, Explanation
from sequela.explain.service import ScoreResult


@dataclass(frozen=True, slots=True)
class _Scores:
    """A `ScoreResult` with lists."""

    targets: tuple[str, ...]
    values: list[list[float]]
    model_digest: str
    cost: Cost


_explanations = TypeAdapter(Explanation)
_scores = TypeAdapter(_Scores)


def pack_explanation(explanation: Explanation) -> bytes:
    """Returns JSON. Floats are written so that they read back bit for bit."""
    return to_json(explanation, inf_nan_mode="constants")


def read_explanation(content: bytes) -> Explanation:
    """Returns the explanation, equal in every field."""
    return _explanations.validate_json(content)


def pack_scores(scores: ScoreResult) -> bytes:
    """Returns JSON, as `pack_explanation` does."""
    plain = _Scores(scores.targets, scores.values.tolist(), scores.model_digest, scores.cost)
    return to_json(plain, inf_nan_mode="constants")


def read_scores(content: bytes) -> ScoreResult:
    """Returns the scores, equal in every field."""
    found = _scores.validate_json(content)
    values = np.array(found.values, dtype=np.float64).reshape(len(found.values), len(found.targets))
    return ScoreResult(found.targets, values, found.model_digest, found.cost)
