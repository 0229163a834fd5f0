"""Decodes requests of ExplanationService."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.grpc.decode.options import options
from sequela.api.grpc.decode.references import background, model
from sequela.api.grpc.decode.sequences import moment, sequence, texts
from sequela.api.option_values import check_output_event, check_targets
from sequela.api.violations import Violations
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import Filter
from sequela.explain.request import ExplainRequest, ScoreRequest


def explain_request(message: pb.ExplainRequest, limits: Limits) -> ExplainRequest:
    """Decodes a request to explain a score. Raises InvalidInput with all violations of the message."""
    violations = Violations()
    request = ExplainRequest(
        model=model(message.model, "model", violations, limits),
        background=(
            background(message.background, "background", violations, limits)
            if message.HasField("background")
            else None
        ),
        sequence=sequence(message.sequence, "sequence", violations, limits),
        options=options(message.options, "options", violations, limits),
        caller_id=violations.text("caller_id", message.caller_id, limits.max_text),
        labels=texts(message.labels, "labels", violations, limits),
    )
    violations.raise_any()
    return request


def score_request(message: pb.ScoreRequest, limits: Limits) -> ScoreRequest:
    """Decodes a request for scores. Raises InvalidInput with all violations of the message."""
    violations, most = Violations(), limits.max_score_sequences
    violations.within("sequences", len(message.sequences), 1, most)
    request = ScoreRequest(
        model(message.model, "model", violations, limits),
        tuple(
            sequence(each, f"sequences[{index}]", violations, limits)
            # Sequences beyond the limit are a violation already.
            for index, each in enumerate(message.sequences[:most])
        ),
        check_targets(message.targets, "targets", violations, limits),
        check_output_event(message.output_event, "output_event", violations, limits),
    )
    violations.raise_any()
    return request


def item_timeout(message: pb.ExplainStreamRequest) -> float | None:
    """Returns the timeout of a stream item in seconds, or None if it has none.

    Raises InvalidInput if it is not positive.
    """
    if not message.HasField("timeout"):
        return None
    seconds = message.timeout.ToNanoseconds() / 1e9
    if seconds <= 0:
        raise InvalidInput.at("timeout", "OPTION_OUT_OF_RANGE", f"must be more than 0 seconds, not {seconds}")
    return seconds


def explanation_filter(message: pb.ListExplanationsRequest, violations: Violations, limits: Limits) -> Filter:
    """Decodes which explanations to list, and adds any violations."""
    start = moment(message.start_time, "start_time", violations) if message.HasField("start_time") else None
    end = moment(message.end_time, "end_time", violations) if message.HasField("end_time") else None
    if start and end and end <= start:
        text = f"{end.isoformat()} is not later than start_time, {start.isoformat()}"
        violations.add("end_time", "OPTIONS_CONFLICT", text)
    if message.model:
        violations.name("model", message.model, names.is_model_reference, names.MODEL_FORMS)
    return Filter(
        caller_id=violations.text("caller_id", message.caller_id, limits.max_text),
        model=message.model,
        labels=texts(message.labels, "labels", violations, limits) or None,
        start=start,
        end=end,
    )


def explanation_name(name: str) -> str:
    """Checks that a name has the form `explanations/e`. Raises InvalidInput."""
    return Violations.check_name("name", name, names.is_explanation, names.EXPLANATION_FORMS)
