"""Writes the files that are committed: the ONNX file and its schema."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from models.account_takeover.features import CATEGORICAL, NUMERIC, Categorical
from models.account_takeover.network import TakeoverModel
from models.account_takeover.reasons import reason_templates
from models.account_takeover.simulate import Account

OPSET = 18


def write_model(path: Path, model: TakeoverModel) -> None:
    """Writes the model as a single ONNX file with free batch and time axes."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about packages that are not used
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("events")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of torch about its own code
        program = torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 8, len(NUMERIC)), torch.zeros(2, 8, len(CATEGORICAL), dtype=torch.int64)),
            input_names=["numeric", "categorical"],
            output_names=["probability"],
            dynamic_shapes={"numeric": axes, "categorical": axes},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:  # the type allows None, which only the older exporter returns
        raise RuntimeError("torch exported nothing")
    proto = program.model_proto
    for entry in (*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        entry.ClearField("metadata_props")  # these have stack traces with paths of this machine
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def write_schema(path: Path, accounts: Sequence[Account]) -> None:
    """Writes `schema.json`. Its background is the average event of `accounts`."""
    schema = {
        "inputs": [
            {"name": "numeric", "role": "events", "dtype": "float32", "width": len(NUMERIC)},
            {"name": "categorical", "role": "events", "dtype": "int64", "width": len(CATEGORICAL)},
        ],
        "features": [
            *(feature.schema_entry("numeric", column) for column, feature in enumerate(NUMERIC)),
            *(_categorical_feature(feature, column) for column, feature in enumerate(CATEGORICAL)),
        ],
        "targets": [{"name": "takeover", "label": "Probability of account takeover"}],
        "output": "probability",
        "reasons": reason_templates(),
        "background": _average_event(accounts),
    }
    path.write_text(json.dumps(schema, indent=1) + "\n")


def _categorical_feature(feature: Categorical, column: int) -> dict[str, Any]:
    return {
        "name": feature.name,
        "columns": {"categorical": [column]},
        "kind": "categorical",
        "label": feature.label,
        "description": feature.description,
        "categories": feature.categories,
    }


def _average_event(accounts: Iterable[Account]) -> dict[str, list[float] | list[int]]:
    """Returns the mean of the numeric columns and the mode of the categorical ones, over all events of all accounts."""
    numeric = np.concatenate([account.numeric() for account in accounts]).mean(axis=0, dtype=np.float64)
    categorical = np.concatenate([account.categorical() for account in accounts])
    modes = [int(np.bincount(column).argmax()) for column in categorical.T]
    return {"numeric": numeric.round(6).tolist(), "categorical": modes}
