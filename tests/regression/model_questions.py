"""Questions about every model of the fixtures, and about the alerts of the demo, with default options."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import exported_models
import numpy as np
from exported_models import Exported
from matrix import CASES, Case
from numpy.typing import NDArray
from regression.deployment import FIXTURES, Deployment, alert
from regression.messages import Question, explained, request, seed_of
from sequela_client import EventInfo, Sequence

LENGTHS = (9, 4, 14, 6, 11, 3, 33)
FILES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "channel_first": {"x": (8, 3)},
    "channel_first_dyn": {"x": (9, 3)},
    "frames": {"x": (7, 3, 4)},
    "horizon2": {"x": (8, 2)},
    "horizon3": {"x": (8, 2)},
    "label_first": {"x": (9, 3)},
    "mixed": {"x": (6, 3)},
    "nan_aware": {"x": (7, 3)},
    "seq2seq": {"past": (8, 3), "future": (4, 2)},
    "seq2seq_dyn": {"past": (7, 3), "future": (4, 2)},
    "stateful": {"x": (9, 3)},
    "text_cnn": {"input_ids": (150,)},
    "time_major": {"x": (9, 3)},
    "time_major_unnamed": {"x": (9, 3)},
    "zipmap": {"x": (7, 3)},
}
"""Files of tests/fixtures/cases/models, and the shapes of their inputs without the batch axis."""
SCHEMAS: Mapping[str, Any] = {
    "channel_first": {
        "inputs": [{"name": "x", "role": "events", "width": 3, "axes": ["batch", "features", "time"]}]
    },
    "nan_aware": {"inputs": [{"name": "x", "role": "events", "width": 3, "allow_nan": True}]},
    "seq2seq_dyn": {
        "inputs": [
            {"name": "past", "role": "events", "width": 3},
            {"name": "future", "role": "static", "shape": [4, 2]},
        ]
    },
}


def questions() -> Iterator[Question]:
    """Yields all of them."""
    for place, case in enumerate(CASES):
        yield _of_case(case, min(LENGTHS[place % len(LENGTHS)], case.steps or 100))
    for model in exported_models.MODELS:
        yield _exported(model)
    for name in FILES:
        yield _of_file(name)
    for name in ("takeover-20", "takeover-47", "takeover-286", "false-alert"):
        yield _of_demo(name)


def _of_case(case: Case, length: int) -> Question:
    name = f"model {case.name}, {length} events"
    return Question(
        name,
        case.name,
        "grpc",
        lambda deployment: explained(deployment, request(case, length, seed_of(name))),
    )


def _exported(model: Exported) -> Question:
    name = f"exported file {model.name}"

    def ask(deployment: Deployment) -> Any:
        path = exported_models.FOLDER / model.name / "model.onnx"
        found = deployment.client.explain(model.sequence, model=path, background=model.background)
        return found.to_dict()

    return Question(name, f"exported {model.name}", "python client, file", ask)


def _of_file(model: str) -> Question:
    name = f"case file {model}"

    def ask(deployment: Deployment) -> Any:
        folder = deployment.folder / model
        folder.mkdir()
        content = (FIXTURES / "cases" / "models" / f"{model}.onnx").read_bytes()
        (folder / "model.onnx").write_bytes(content)
        if model in SCHEMAS:
            (folder / "schema.json").write_text(json.dumps(SCHEMAS[model]))
        given, background = _drawn(model, seed_of(name))
        found = deployment.client.explain(given, model=folder / "model.onnx", background=background)
        return found.to_dict()

    return Question(name, f"case {model}", "python client, file", ask)


def _drawn(model: str, seed: int) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Draws a sequence and a background."""
    rng = np.random.default_rng(seed)
    if model == "text_cnn":
        return {"input_ids": rng.integers(1, 10, size=FILES[model]["input_ids"])}, {
            "input_ids": np.zeros(1, np.int64)
        }
    shapes = FILES[model]
    given = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    if model == "nan_aware":
        given["x"][2, 1] = np.nan
    background = {
        name: (0.3 * rng.normal(size=shape if name == "future" else shape[1:])).astype(np.float32)
        for name, shape in shapes.items()
    }
    return given, background


def _of_demo(name: str) -> Question:
    def ask(deployment: Deployment) -> Any:
        given = alert(name)
        arrays = {key: np.array(value) for key, value in given["inputs"].items()}
        events = tuple(
            EventInfo(each["id"], datetime.fromisoformat(each["time"]), each["display"])
            for each in given["events"]
        )
        sequence = Sequence(arrays, events, given["id"], given["labels"])
        return deployment.client.explain(sequence, model="account_takeover").to_dict()

    return Question(f"demo alert {name}", "account_takeover", "python client", ask)
