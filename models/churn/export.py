"""Writes the files that are committed: a checkpoint as an ONNX file, and the schema of all checkpoints."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from models.churn.features import FEATURES, INPUT
from models.churn.histories import History
from models.churn.reasons import reason_templates
from models.fixtures.fixture import scrubbed

OPSET = 17
PROBABILITY, ATTENTION = "probability", "attention"
"""The outputs of the model: (n, 1) and (n, l)."""
_AXES = {0: "batch", 1: "months"}


def write_model(path: Path, model: nn.Module, width: int = len(FEATURES)) -> None:
    """Writes a model of months (n, l, width) with attention as a single ONNX file with free batch and time axes.

    With the older exporter: the new one exports only the first recurrent model of a process with free axes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns at every call that it is deprecated
        torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 8, width),),
            path,
            input_names=[INPUT],
            output_names=[PROBABILITY, ATTENTION],
            dynamic_axes={INPUT: _AXES, PROBABILITY: {0: "batch"}, ATTENTION: _AXES},
            opset_version=OPSET,
            dynamo=False,
        )
    proto = scrubbed(onnx.load(path))
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    _compare(path, model, width)
    model.train()


def _compare(path: Path, model: nn.Module, width: int) -> None:
    """Compares the file with the torch module, at several lengths.

    Raises:
        AssertionError: their outputs differ by more than float32 explains.
    """
    session = onnxruntime.InferenceSession(path)
    for length in (1, 4, 8, 18):
        months = torch.randn(3, length, width, generator=torch.Generator().manual_seed(length))
        ours = session.run([PROBABILITY, ATTENTION], {INPUT: months.numpy()})
        with torch.no_grad():
            theirs = model(months)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-6)


def write_schema(path: Path, rows: Sequence[History]) -> None:
    """Writes `schema.json`. Its background is the average month of `rows`, customers who did not churn."""
    months = np.concatenate([row.inputs() for row in rows])
    schema = {
        "inputs": [{"name": INPUT, "role": "events", "dtype": "float32", "width": len(FEATURES)}],
        "features": [feature.schema_entry(INPUT, column) for column, feature in enumerate(FEATURES)],
        "targets": [{"name": "churn", "label": "Probability of churn"}],
        "output": PROBABILITY,
        "event_weights": ATTENTION,
        "reasons": reason_templates(),
        "background": {INPUT: months.mean(axis=0, dtype=np.float64).round(6).tolist()},
    }
    path.write_text(json.dumps(schema, indent=1) + "\n")
