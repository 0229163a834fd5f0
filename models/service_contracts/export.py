"""Writes the schema of all checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.churn.export import ATTENTION, PROBABILITY
from models.service_contracts.features import FEATURES, INPUT
from models.service_contracts.simulate import Customer


def write_schema(path: Path, rows: Sequence[Customer]) -> None:
    """Writes `schema.json`. Its background is the average month of `rows`, customers who stayed."""
    months = np.concatenate([row.inputs() for row in rows])
    schema = {
        "inputs": [{"name": INPUT, "role": "events", "dtype": "float32", "width": len(FEATURES)}],
        "features": [feature.schema_entry(INPUT, column) for column, feature in enumerate(FEATURES)],
        "targets": [{"name": "churn", "label": "Probability of leaving"}],
        "output": PROBABILITY,
        "event_weights": ATTENTION,
        "background": {INPUT: months.mean(axis=0, dtype=np.float64).round(6).tolist()},
    }
    path.write_text(json.dumps(schema, indent=1) + "\n")
