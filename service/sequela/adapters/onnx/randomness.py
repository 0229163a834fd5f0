"""Refuses models whose score is random, or depends on other rows of the batch, by a mistake in their export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from sequela.adapters.onnx.recurrent_nodes import describe_node
from sequela.adapters.onnx.subgraphs import subgraphs, walk_nodes
from sequela.adapters.onnx.value_names import needed_nodes
from sequela.errors import InvalidInput

RANDOM_OPERATORS = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"})
SAMPLING_OPERATORS = frozenset({"Multinomial", "Bernoulli", "Sampling"})
TRAINING_MODE, RATIO = 2, 1
"""Indices of Dropout's inputs."""

DIFFERENT = "the same sequence gets a different score each time"
FOR_INFERENCE = "Call model.eval() before the export, and do not export with training=TrainingMode.TRAINING"

Constants = Mapping[str, TensorProto]


def refuse_randomness(model: ModelProto, output: str, path: str) -> None:
    """Checks that an output is a function of the sequence alone, as far as its operators show.

    Raises:
        InvalidInput: MODEL_NOT_DETERMINISTIC, naming the node and what to do.
    """
    constants = _constants(model)
    for node in walk_nodes(model, needed_nodes(model.graph.node, [output])):
        problem = _problem(node, constants)
        if problem:
            raise InvalidInput.at(path, "MODEL_NOT_DETERMINISTIC", problem)


def _problem(node: NodeProto, constants: Constants) -> str:
    """Returns why a node's output is not a function of its row, or "" if it is."""
    name = describe_node(node)
    if node.op_type in RANDOM_OPERATORS:
        return (
            f"{name} draws random numbers, so {DIFFERENT}; a seed does not help. Export the model without sampling, "
            "or with the noise as an input"
        )
    if node.op_type in SAMPLING_OPERATORS:
        return (
            f"{name} draws its result at random, so {DIFFERENT}. Export the probabilities that it draws from"
        )
    if node.op_type == "Dropout" and _drops_values(node, constants):
        return f"{name} is a dropout in training mode, so {DIFFERENT}. {FOR_INFERENCE}"
    if node.op_type == "BatchNormalization" and _is_training(node):
        return (
            f"{name} is a batch normalisation in training mode, so a score depends on the other rows of its batch. "
            f"{FOR_INFERENCE}"
        )
    return ""


def _is_training(node: NodeProto) -> bool:
    return any(item.name == "training_mode" and item.i for item in node.attribute)


def _drops_values(node: NodeProto, constants: Constants) -> bool:
    # A mode that is computed is not followed here. Trial runs show whether the score is random.
    mode, ratio = (_constant(node, index, constants) for index in (TRAINING_MODE, RATIO))
    # Without a ratio, ONNX drops half of the values. A ratio of 0 drops none.
    return mode is not None and bool(mode.any()) and (ratio is None or bool(ratio.any()))


def _constant(node: NodeProto, index: int, constants: Constants) -> NDArray[Any] | None:
    name = node.input[index] if index < len(node.input) else ""
    return numpy_helper.to_array(constants[name]) if name in constants else None


def _constants(model: ModelProto) -> Constants:
    """Returns all constants by name: initializers and Constant nodes, in nested graphs and functions too."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in walk_nodes(model, model.graph.node):
        constants.update(_constant_of(node))
        for graph in subgraphs(node):
            constants.update((tensor.name, tensor) for tensor in graph.initializer)
    for function in model.functions:
        for node in function.node:
            constants.update(_constant_of(node))
    return constants


def _constant_of(node: NodeProto) -> Mapping[str, TensorProto]:
    tensors = [item.t for item in node.attribute if node.op_type == "Constant" and item.HasField("t")]
    return {node.output[0]: tensors[-1]} if tensors else {}
