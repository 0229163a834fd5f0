"""Whole questions: to explain, and to score."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.decode.options import options, output_event, targets
from sequela.api.grpc.decode.references import background, model
from sequela.api.grpc.decode.sequences import sequence, texts
from sequela.api.grpc.decode.violations import Violations
from sequela.explain.limits import Limits
from sequela.explain.request import ExplainRequest, GivenSequence, ModelChoice


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """Sequences to score, the targets asked for (none: all), and the event of a per-event output."""

    model: ModelChoice
    sequences: tuple[GivenSequence, ...]
    targets: tuple[str, ...]
    output_event: int


def question(message: pb.ExplainRequest, limits: Limits) -> ExplainRequest:
    """What is to be explained. Raises InvalidInput with every violation of the message."""
    found = Violations()
    asked = ExplainRequest(
        model=model(message.model, "model", found, limits),
        background=(
            background(message.background, "background", found, limits)
            if message.HasField("background")
            else None
        ),
        sequence=sequence(message.sequence, "sequence", found, limits),
        options=options(message.options, "options", found, limits),
        caller_id=found.text("caller_id", message.caller_id, limits.max_text),
        labels=texts(message.labels, "labels", found, limits),
    )
    found.raise_any()
    return asked


def score_question(message: pb.ScoreRequest, limits: Limits) -> ScoreRequest:
    """What is to be scored. Raises InvalidInput with every violation of the message."""
    found = Violations()
    found.within("sequences", len(message.sequences), 1, limits.max_score_sequences)
    asked = ScoreRequest(
        model(message.model, "model", found, limits),
        tuple(
            sequence(each, f"sequences[{index}]", found, limits)
            for index, each in enumerate(message.sequences[: limits.max_score_sequences])
        ),
        targets(message.targets, "targets", found, limits),
        output_event(message.output_event, "output_event", found, limits),
    )
    found.raise_any()
    return asked
