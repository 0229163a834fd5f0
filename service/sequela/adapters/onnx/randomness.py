"""Nodes that make a model's score a matter of chance, or of the batch's other rows, by mistake of its export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from sequela.adapters.onnx.recurrent_nodes import describe_node
from sequela.adapters.onnx.value_names import needed_nodes
from sequela.errors import InvalidInput

RANDOM_OPERATORS = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"})
SAMPLING_OPERATORS = frozenset({"Multinomial", "Bernoulli", "Sampling"})
TRAINING_MODE, RATIO = 2, 1
"""Places among a Dropout's inputs."""

DIFFERENT = "the same sequence scores differently each time"
FOR_INFERENCE = "Call model.eval() before the export, and do not export with training=TrainingMode.TRAINING"

Constants = Mapping[str, TensorProto]


def refuse_randomness(model: ModelProto, output: str, path: str) -> None:
    """Raises InvalidInput (MODEL_NOT_DETERMINISTIC) where the same sequence would score differently each time."""
    constants = _constants(model)
    for node in walk_nodes(model, needed_nodes(model.graph.node, [output])):
        problem = _problem(node, constants)
        if problem:
            raise InvalidInput.at(path, "MODEL_NOT_DETERMINISTIC", problem)


def walk_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Nodes, those of the graphs inside them, and of the file's own functions that they call."""
    bodies = {(function.domain, function.name): function for function in model.functions}
    waiting, called = list(nodes), set()
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            inside = [attribute.g] if attribute.HasField("g") else attribute.graphs
            waiting.extend(each for graph in inside for each in graph.node)
        key = (node.domain, node.op_type)
        if key in bodies and key not in called:
            called.add(key)
            waiting.extend(bodies[key].node)


def _problem(node: NodeProto, constants: Constants) -> str:
    """Why its output is not a function of the row; empty where it is."""
    if node.op_type in RANDOM_OPERATORS:
        return (
            f"{describe_node(node)} draws random numbers, so that {DIFFERENT}; a seed does not help. Export the model "
            "without sampling, or with the noise as an input"
        )
    if node.op_type in SAMPLING_OPERATORS:
        return (
            f"{describe_node(node)} draws its result by chance, so that {DIFFERENT}. Export the probabilities that it "
            "draws from"
        )
    if node.op_type == "Dropout" and _drops_values(node, constants):
        return f"{describe_node(node)} is a dropout in training mode, so that {DIFFERENT}. {FOR_INFERENCE}"
    if node.op_type == "BatchNormalization" and any(
        a.name == "training_mode" and a.i for a in node.attribute
    ):
        return (
            f"{describe_node(node)} is a batch normalisation in training mode, so that a score depends on the other "
            f"rows of its batch. {FOR_INFERENCE}"
        )
    return ""


def _drops_values(node: NodeProto, constants: Constants) -> bool:
    mode, ratio = (_constant(node, place, constants) for place in (TRAINING_MODE, RATIO))
    return mode is not None and bool(mode.any()) and (ratio is None or bool(ratio.any()))


def _constant(node: NodeProto, place: int, constants: Constants) -> NDArray[Any] | None:
    name = node.input[place] if place < len(node.input) else ""
    return numpy_helper.to_array(constants[name]) if name in constants else None


def _constants(model: ModelProto) -> Constants:
    """By name, wherever they stand."""
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in walk_nodes(model, model.graph.node):
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t"):
                held[node.output[0]] = attribute.t
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                held.update((tensor.name, tensor) for tensor in graph.initializer)
    for function in model.functions:
        for node in function.node:
            held.update(
                (node.output[0], a.t)
                for a in node.attribute
                if node.op_type == "Constant" and a.HasField("t")
            )
    return held
