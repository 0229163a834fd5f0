"""The limits of a request, each with its default; settings may change them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may ask for."""

    max_events: int = 10_000
    max_columns: int = 4_096
    max_coalitions: int = 1 << 20
    max_targets: int = 64
    max_players: int = 4_096
    max_text: int = 256
    max_labels: int = 64
    max_score_sequences: int = 1_024
    max_explained_rows: int = 64
    max_background_rows: int = 10_000
    max_averaged_sequences: int = 1_000_000
    max_model_bytes: int = 64 << 20
    max_schema_bytes: int = 4 << 20
    max_model_nodes: int = 20_000
    max_model_memory_bytes: int = 8 << 30  # of all models in the process together
    max_model_call_seconds: float = 60.0
