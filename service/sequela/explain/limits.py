"""The limits of requests and models, with their defaults. Settings change them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may ask for, and how much a model may need.

    Attributes:
        max_events: Rows of a sequence, including padding.
        max_columns: Columns of all inputs together, and of the output.
        max_coalitions: Coalitions of a level.
        max_targets: Outputs that are explained.
        max_players: Players of a level.
        max_question_bytes: Memory for computing one level, given its players, coalitions and targets, in bytes.
        max_design_bytes: Memory of the designs of samples that are kept between explanations, in bytes.
        max_text: Characters in a string such as a name, an id or a label.
        max_labels: Labels in a request.
        max_score_sequences: Sequences in a request for scores.
        max_explained_rows: Rows in a batch that is explained.
        max_background_rows: Rows of a background.
        max_averaged_sequences: Sequences from which a background is averaged.
        max_model_bytes: Size of an ONNX file in bytes.
        max_schema_bytes: Size of a schema in bytes.
        max_model_nodes: Nodes in an ONNX graph.
        max_model_memory_bytes: Memory of all models in the process together, in bytes.
        max_model_call_seconds: Duration after which a call of a model is stopped, in seconds.
    """

    max_events: int = 10_000
    max_columns: int = 4_096
    max_coalitions: int = 1 << 20
    max_targets: int = 64
    max_players: int = 4_096
    max_question_bytes: int = 1 << 30
    max_design_bytes: int = 256 << 20
    max_text: int = 256
    max_labels: int = 64
    max_score_sequences: int = 1_024
    max_explained_rows: int = 64
    max_background_rows: int = 10_000
    max_averaged_sequences: int = 1_000_000
    max_model_bytes: int = 64 << 20
    max_schema_bytes: int = 4 << 20
    max_model_nodes: int = 20_000
    max_model_memory_bytes: int = 8 << 30
    max_model_call_seconds: float = 60.0
