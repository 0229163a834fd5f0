"""Counts the nodes that a graph has once its own functions are inlined, as onnxruntime does when it loads a model.

Twenty functions that each call the one before twice are a million nodes in a file of a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import FunctionProto, GraphProto, ModelProto

from sequela.adapters.onnx.subgraphs import subgraphs
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits

MAX_FUNCTION_DEPTH = 32
"""How many functions may call each other in a row. Exporters write one or two levels; onnxruntime recurses."""

FunctionKey = tuple[str, str, str]
Calls = Mapping[FunctionKey, int]
"""How often a body calls each function."""


def check_inlined_nodes(model: ModelProto, limits: Limits, path: str) -> None:
    """Checks the number of nodes after inlining, and how deep functions call each other.

    Raises:
        InvalidInput: MODEL_TOO_LARGE, or MODEL_NOT_RUNNABLE if a function calls itself.
    """
    if not len(model.functions):
        return
    bodies: dict[FunctionKey, FunctionProto] = {
        (each.domain, each.name, each.overload): each for each in model.functions
    }
    counter = _Counter({key: _count(body, bodies) for key, body in bodies.items()}, path)
    nodes = counter.total(*_count(model.graph, bodies))
    if nodes > limits.max_model_nodes:
        text = f"the model has {nodes} nodes once its functions are inlined, but the limit is "
        text += f"{limits.max_model_nodes} (--max-model-nodes)"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)


class _Counter:
    """Counts each function once, however often it is called."""

    def __init__(self, bodies: Mapping[FunctionKey, tuple[int, Calls]], path: str) -> None:
        self._bodies, self._path = bodies, path
        self._totals: dict[FunctionKey, int] = {}
        self._open: list[FunctionKey] = []

    def total(self, nodes: int, calls: Calls) -> int:
        """Returns the number of a body's own nodes, plus those of everything that it calls."""
        return nodes + sum(times * self._total_of(key) for key, times in calls.items())

    def _total_of(self, key: FunctionKey) -> int:
        if key in self._totals:
            return self._totals[key]
        if key in self._open:
            text = f"the function {key[1]!r} of {key[0]!r} calls itself, directly or through others"
            raise InvalidInput.at(self._path, "MODEL_NOT_RUNNABLE", text)
        if len(self._open) >= MAX_FUNCTION_DEPTH:
            text = (
                f"functions call each other more than {MAX_FUNCTION_DEPTH} deep, at {key[1]!r}; inline them"
            )
            raise InvalidInput.at(self._path, "MODEL_TOO_LARGE", text)
        self._open.append(key)
        self._totals[key] = self.total(*self._bodies[key])
        self._open.pop()
        return self._totals[key]


def _count(body: GraphProto | FunctionProto, functions: Mapping[FunctionKey, object]) -> tuple[int, Calls]:
    """Returns the number of a body's nodes, graphs inside them included, and its calls of functions."""
    count, calls = 0, dict[FunctionKey, int]()
    waiting: list[GraphProto | FunctionProto] = [body]
    while waiting:
        for node in waiting.pop().node:
            key = (node.domain, node.op_type, node.overload)
            if key in functions:
                calls[key] = calls.get(key, 0) + 1
            count += 1
            waiting.extend(subgraphs(node))
    return count, calls
