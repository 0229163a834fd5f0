"""Answers a request in an engine: reads it, and encodes the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from sequela.api.engine_port import EngineOperation, EngineRequest
from sequela.api.grpc.message_work import explain_answer, item_answer, read_explain, read_score, score_answer
from sequela.concurrency.deadline import Deadline
from sequela.explain.limits import Limits
from sequela.explain.ports import Observer
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.service import Explainer
from sequela.explain.stage_timer import timed
from sequela.model_engines.row_answers import pack_explanation, pack_scores


def answer(
    explainer: Explainer,
    request: EngineRequest | ExplainRequest | ScoreRequest,
    limits: Limits,
    deadline: Deadline,
    observer: Observer,
) -> bytes:
    """Returns the encoded answer. Raises as the explainer does."""
    match request:
        case EngineRequest(EngineOperation.EXPLAIN):
            return explain_answer(explainer.answer(_explain_request(request, limits, observer), deadline))
        case EngineRequest(EngineOperation.EXPLAIN_ITEM):
            return item_answer(explainer.answer(_explain_request(request, limits, observer), deadline))
        case EngineRequest(EngineOperation.SCORE, content):
            return score_answer(explainer.score(read_score(content, limits), deadline))
        case ExplainRequest():
            return pack_explanation(explainer.explain(request, deadline))
        case ScoreRequest():
            return pack_scores(explainer.score(request, deadline))
        case other:
            assert_never(other)  # type: ignore[arg-type]


def _explain_request(request: EngineRequest, limits: Limits, observer: Observer) -> ExplainRequest:
    return replace(
        timed(observer, "decode", lambda: read_explain(request.content, limits)),
        requested_by=request.requested_by,
        error_factor=request.error_factor,
        share_seconds=request.share_seconds,
    )
