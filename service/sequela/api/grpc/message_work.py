"""The work of ExplanationService, for this process and for engines, which get the bytes as they came."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.dataplane import Work
from sequela.api.encode.explanations import scores
from sequela.api.engine_port import EngineOperation, EngineRequest
from sequela.api.grpc.decode import explanations as decode
from sequela.api.grpc.message_heads import explain_response, item_response, malformed
from sequela.contract.explanations import answer_bytes
from sequela.explain.kept_explanation import EncodedExplanation
from sequela.explain.limits import Limits
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.service import ScoreResult

ExplainWork: TypeAlias = Work[ExplainRequest, EncodedExplanation]
ScoreWork: TypeAlias = Work[ScoreRequest, ScoreResult]


def explain_work(content: bytes, limits: Limits) -> ExplainWork:
    """Returns the work of `Explain`. The answer is an ExplainResponse."""
    request = EngineRequest(EngineOperation.EXPLAIN, content)
    return Work(partial(read_explain, content, limits), explain_answer, request)


def item_work(content: bytes, limits: Limits) -> ExplainWork:
    """Returns the work of a message of `ExplainStream`. The answer is an ExplainStreamResponse without its index."""
    request = EngineRequest(EngineOperation.EXPLAIN_ITEM, content)
    return Work(partial(read_explain, content, limits), item_answer, request)


def score_work(content: bytes, limits: Limits) -> ScoreWork:
    """Returns the work of `Score`. The answer is a ScoreResponse."""
    request = EngineRequest(EngineOperation.SCORE, content)
    return Work(partial(read_score, content, limits), score_answer, request)


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
