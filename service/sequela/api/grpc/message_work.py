"""The work of ExplanationService, for this process and for engines, which get the bytes as they came."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.admission.priority import Priority
from sequela.api.dataplane import Work
from sequela.api.encode.explanations import scores
from sequela.api.engine_port import EngineOperation, EngineRequest
from sequela.api.grpc.decode import explanations as decode
from sequela.api.grpc.message_heads import (
    ExplainHead,
    ScoreHead,
    explain_response,
    item_response,
    malformed,
)
from sequela.contract.explanations import answer_bytes
from sequela.explain.kept_explanation import EncodedExplanation
from sequela.explain.limits import Limits
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.service import ScoreResult

ExplainWork: TypeAlias = Work[ExplainRequest, EncodedExplanation]
ScoreWork: TypeAlias = Work[ScoreRequest, ScoreResult]


def explain_work(content: bytes, limits: Limits, head: ExplainHead, usual: Priority) -> ExplainWork:
    """Returns the work of `Explain`. The answer is an ExplainResponse. `usual` is the priority if it has none."""
    request = EngineRequest(EngineOperation.EXPLAIN, content)
    read = partial(read_explain, content, limits)
    return Work(read, explain_answer, request, head.shape, head.priority or usual)


def item_work(content: bytes, limits: Limits, head: ExplainHead, usual: Priority) -> ExplainWork:
    """Returns the work of a message of `ExplainStream`. The answer is an ExplainStreamResponse without its index."""
    request = EngineRequest(EngineOperation.EXPLAIN_ITEM, content)
    read = partial(read_explain, content, limits)
    return Work(read, item_answer, request, head.shape, head.priority or usual)


def score_work(content: bytes, limits: Limits, head: ScoreHead) -> ScoreWork:
    """Returns the work of `Score`. The answer is a ScoreResponse."""
    request = EngineRequest(EngineOperation.SCORE, content)
    return Work(partial(read_score, content, limits), score_answer, request, head.shape, Priority.INTERACTIVE)


def read_explain(content: bytes, limits: Limits) -> ExplainRequest:
    """Decodes an ExplainRequest. Raises InvalidInput."""
    return decode.explain_request(_parsed(pb.ExplainRequest.FromString, content), limits)


def read_score(content: bytes, limits: Limits) -> ScoreRequest:
    """Decodes a ScoreRequest. Raises InvalidInput."""
    return decode.score_request(_parsed(pb.ScoreRequest.FromString, content), limits)


def explain_answer(found: EncodedExplanation) -> bytes:
    """Encodes an ExplainResponse."""
    return explain_response(answer_bytes(found))


def item_answer(found: EncodedExplanation) -> bytes:
    """Encodes an ExplainStreamResponse without its index."""
    return item_response(answer_bytes(found))


def score_answer(found: ScoreResult) -> bytes:
    """Encodes a ScoreResponse."""
    return scores(found).SerializeToString()


def _parsed(parse: Callable[[bytes], Any], content: bytes) -> Any:
    try:
        return parse(content)
    except DecodeError:
        raise malformed() from None
