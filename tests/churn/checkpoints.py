"""The committed checkpoints of the churn model, their schema and the report on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models" / "churn" / "checkpoints"
SCHEMA: dict[str, Any] = json.loads((FOLDER / "schema.json").read_text())
REPORT: dict[str, Any] = json.loads((ROOT / "models" / "churn" / "report.json").read_text())
EPOCHS = tuple(REPORT["checkpoints"])


def path(epoch: str) -> Path:
    """The file of a checkpoint."""
    return FOLDER / f"churn-{epoch}.onnx"
