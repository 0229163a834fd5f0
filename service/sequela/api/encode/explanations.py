"""Encodes explanations, complete (as messages or JSON) or as summaries, and scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from google.protobuf import json_format
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.common import cost, input_tensor, optional, timestamp
from sequela.contract.explanations import explanation, info_fields, target
from sequela.explain.explanation import Explanation
from sequela.explain.explanation_query import Deleted
from sequela.explain.explanation_summary import ExplanationSummary
from sequela.explain.kept_explanation import KeptExplanation, KeptSequence
from sequela.explain.ports import Page
from sequela.explain.service import ScoreResult


def explanation_json(item: Explanation) -> str:
    """Returns the whole explanation as protobuf JSON of `sequela.v1.Explanation`, with the contract's field names."""
    return json_format.MessageToJson(
        explanation(item),
        indent=None,
        preserving_proto_field_name=True,
        # Zeros and empty lists are printed too, so that readers need not know defaults.
        always_print_fields_with_no_presence=True,
    )


def kept_explanation(item: KeptExplanation) -> pb.GetExplanationResponse:
    """Encodes a stored explanation with its sequence."""
    return pb.GetExplanationResponse(
        explanation=explanation(item.explanation),
        sequence=optional(_sequence, item.sequence),
        sequence_state=_sequence_state(item),
    )


def kept_without_sequence(item: KeptExplanation) -> pb.GetExplanationResponse:
    """Encodes a stored explanation, and whether its sequence was kept, without the sequence."""
    found = kept_explanation(replace(item, sequence=None))
    found.sequence_state = _sequence_state(item)
    return found


def deleted(item: Deleted) -> pb.DeleteExplanationResponse:
    """Encodes how many explanations were deleted."""
    return pb.DeleteExplanationResponse(deleted=item.count)


def summary(item: ExplanationSummary) -> pb.ExplanationSummary:
    """Encodes the summary of an explanation."""
    return pb.ExplanationSummary(
        name=item.name,
        create_time=timestamp(item.create_time),
        caller_id=item.caller_id,
        labels=item.labels,
        model=item.model,
        model_digest=item.model_digest,
        event_count=item.event_count,
        pruned_events=item.pruned_events,
        targets=map(target, item.targets),
        requested_by=item.requested_by,
    )


def summaries(page: Page[ExplanationSummary]) -> pb.ListExplanationsResponse:
    """Encodes a page of summaries."""
    return pb.ListExplanationsResponse(explanations=map(summary, page.items), next_page_token=page.next_token)


def scores(item: ScoreResult) -> pb.ScoreResponse:
    """Encodes scores of sequences."""
    return pb.ScoreResponse(
        targets=item.targets,
        scores=[pb.Scores(values=row) for row in item.values.tolist()],
        model_digest=item.model_digest,
        cost=cost(item.cost),
    )


def _sequence_state(item: KeptExplanation) -> Any:
    return pb.SEQUENCE_STATE_KEPT if item.sequence else pb.SEQUENCE_STATE_NOT_KEPT


def _sequence(item: KeptSequence) -> pb.Sequence:
    inputs = (input_tensor(each.name, each.array, each.columns) for each in item.inputs)
    return pb.Sequence(inputs=inputs, events=[pb.EventInfo(**info_fields(each)) for each in item.events])
