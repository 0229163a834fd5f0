"""Decodes requests of ExplanationService."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.grpc.decode.options import options
from sequela.api.grpc.decode.references import background, model
from sequela.api.grpc.decode.sequences import moment, sequence, texts
from sequela.api.option_values import check_output_event, check_targets
from sequela.api.priority_table import PRIORITIES
from sequela.api.violations import Violations
from sequela.errors import InvalidInput
from sequela.explain.explanation_query import (
    CallerSelector,
    Filter,
    LabelSelector,
    NameSelector,
    Selector,
)
from sequela.explain.limits import Limits
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
        labels=_labels(message.labels, violations, limits),
        dry_run=message.dry_run,
    )
    if message.priority:
        # The server has read it before; here it is only checked.
        violations.member("priority", message.priority, PRIORITIES)
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
    _check_scores(message, violations)
    if message.model:
        violations.name("model", message.model, names.is_model_reference, names.MODEL_FORMS)
    return Filter(
        caller_id=violations.text("caller_id", message.caller_id, limits.max_text),
        model=message.model,
        labels=texts(message.labels, "labels", violations, limits) or None,
        start=start,
        end=end,
        min_score=message.min_score if message.HasField("min_score") else None,
        max_score=message.max_score if message.HasField("max_score") else None,
    )


def explanation_selector(message: pb.DeleteExplanationRequest, limits: Limits) -> Selector:
    """Decodes which explanations to delete. Raises InvalidInput."""
    violations = Violations()
    selector: Selector
    match message.WhichOneof("selector"):
        case "name":
            selector = NameSelector(explanation_name(message.name))
        case "caller_id":
            selector = CallerSelector(_required(message.caller_id, "caller_id", violations, limits))
        case "label":
            key = _required(message.label.key, "label.key", violations, limits)
            selector = LabelSelector(
                key, violations.text("label.value", message.label.value, limits.max_text)
            )
        case _:
            text = "names no explanation; set one of name, caller_id and label"
            raise InvalidInput.at("selector", "SELECTOR_MISSING", text)
    violations.raise_any()
    return selector


def explanation_name(name: str) -> str:
    """Checks that a name has the form `explanations/e`. Raises InvalidInput."""
    return Violations.check_name("name", name, names.is_explanation, names.EXPLANATION_FORMS)


def _check_scores(message: pb.ListExplanationsRequest, violations: Violations) -> None:
    for field in ("min_score", "max_score"):
        if math.isnan(getattr(message, field)):
            violations.add(field, "OPTION_OUT_OF_RANGE", "must be a number, not NaN")
    both = message.HasField("min_score") and message.HasField("max_score")
    if both and message.max_score < message.min_score:
        text = f"{message.max_score} is less than min_score, {message.min_score}"
        violations.add("max_score", "OPTIONS_CONFLICT", text)


def _labels(field: Mapping[str, str], violations: Violations, limits: Limits) -> dict[str, str]:
    if "" in field:
        text = (
            "must have a key that is not empty, because explanations cannot be deleted by a label without one"
        )
        violations.add("labels['']", "NAME_INVALID", text)
    return texts(field, "labels", violations, limits)


def _required(text: str, path: str, violations: Violations, limits: Limits) -> str:
    if not text:
        violations.add(
            path, "SELECTOR_MISSING", "must not be empty, because explanations without it are not deleted"
        )
    return violations.text(path, text, limits.max_text)
