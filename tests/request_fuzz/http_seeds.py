"""Valid bodies for the routes of HTTP, which cases change. They fit routes by the end of their path."""

from __future__ import annotations

from typing import Any

from api.inference_calls import BACKGROUND

COMMON: dict[str, Any] = {"background": BACKGROUND, "levels": "event,feature", "max_coalitions": 64}
ROW = [[0.1, -0.5, 0.3, 1.0, 2.0], [0.0, 0.25, -1.5, 0.5, 1e-3], [1.0, 1.0, 1.0, 1.0, 1.0]]
INSTANCES: dict[str, Any] = {
    "instances": [ROW, ROW[:2]],
    "parameters": {**COMMON, "caller_id": "alert-1", "labels": {"team": "fraud"}, "seed": 3},
}
NAMED: dict[str, Any] = {"inputs": {"events": [ROW]}, "parameters": COMMON}
TENSORS: dict[str, Any] = {
    "id": "x",
    "inputs": [
        {
            "name": "events",
            "shape": [1, 2, 5],
            "datatype": "FP32",
            "data": [value for row in ROW[:2] for value in row],
        }
    ],
    "parameters": {**COMMON, "labels": "{}"},
    "outputs": [{"name": "score", "parameters": {"binary_data": False}}],
}


def bodies(verb: str, route: str) -> list[Any]:
    """Returns valid bodies of a route; where none is needed, None."""
    if verb != "POST":
        return [None]
    return [TENSORS] if route.endswith("/infer") else [INSTANCES, INSTANCES, NAMED]
