"""Refuses graphs that compute with strings. A model turns numbers into numbers, and needs strings as class names only.

The memory limit of a run counts 32 bytes for a string, however long it is. An operator that repeats strings could
therefore use many times that limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from sequela.adapters.onnx.recurrent_nodes import describe_node
from sequela.adapters.onnx.subgraphs import subgraphs
from sequela.errors import InvalidInput

STRING = TensorProto.STRING
CLASS_NAME_READERS = frozenset(
    {"ZipMap", "Identity", "ArrayFeatureExtractor", "LabelEncoder", "CategoryMapper", "Cast"}
    | {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Equal", "Shape", "Size"}
)
"""Operators that may read strings. None of them makes more strings than a batch has rows or a constant has elements."""


def check_strings(model: ModelProto, path: str) -> None:
    """Raises InvalidInput (MODEL_STRINGS_UNSUPPORTED) for the first node that reads strings and is not in the list."""
    bodies: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    # The names of strings in all graphs together: a graph inside a node reads those around it.
    strings: set[str] = set()
    for body in bodies:  # grows while it is read
        strings.update(_constants(body))
        bodies.extend(graph for node in body.node for graph in subgraphs(node))
    for node in _until_settled(bodies, strings):
        text = f"{describe_node(node)} computes with strings. Models may use strings as class names only; export the "
        text += "model with numbers in place of its other strings"
        raise InvalidInput.at(path, "MODEL_STRINGS_UNSUPPORTED", text)


def _constants(body: GraphProto | FunctionProto) -> Iterator[str]:
    """Yields the names of the constants that hold strings."""
    if isinstance(body, GraphProto):
        yield from (tensor.name for tensor in body.initializer if tensor.data_type == STRING)
        yield from (
            sparse.values.name for sparse in body.sparse_initializer if sparse.values.data_type == STRING
        )
        yield from (value.name for value in body.input if value.type.tensor_type.elem_type == STRING)


def _until_settled(bodies: Sequence[GraphProto | FunctionProto], strings: set[str]) -> Iterator[NodeProto]:
    """Adds to `strings` what nodes make of them, and yields nodes that must not read strings."""
    nodes = [node for body in bodies for node in body.node]
    readers = _readers(nodes, [body for body in bodies if isinstance(body, FunctionProto)])
    waiting = [*strings, *(name for node in nodes if _makes_strings(node) for name in node.output)]
    strings.clear()
    while waiting:
        name = waiting.pop()
        if not name or name in strings:
            continue
        strings.add(name)
        for node in readers.get(name, ()):
            if node.op_type not in CLASS_NAME_READERS:
                yield node
            elif _passes_strings(node):
                waiting.extend(node.output)


def _readers(nodes: Iterable[NodeProto], functions: Iterable[FunctionProto]) -> dict[str, list[NodeProto]]:
    """Returns the nodes that read each value. A node also reads the results of the graphs and functions inside it."""
    results = {(each.domain, each.name): list(each.output) for each in functions}
    readers: dict[str, list[NodeProto]] = {}
    for node in nodes:
        inner = [value.name for graph in subgraphs(node) for value in graph.output]
        for name in {*node.input, *inner, *results.get((node.domain, node.op_type), ())}:
            readers.setdefault(name, []).append(node)
    return readers


def _makes_strings(node: NodeProto) -> bool:
    """Returns whether an operator makes strings by itself."""
    if node.op_type == "Constant":
        return any(_holds_strings(item) for item in node.attribute)
    if node.op_type == "Cast":
        return _cast_target(node) == STRING
    names = {item.name for item in node.attribute if _holds_strings(item)}
    if node.op_type == "LabelEncoder":
        return bool(names & {"values_strings", "values_tensor", "default_string"})
    return bool(names & {"classlabels_strings", "classes_strings", "cats_strings"})


def _holds_strings(item: AttributeProto) -> bool:
    return bool(item.strings or item.s or item.t.data_type == STRING)


def _passes_strings(node: NodeProto) -> bool:
    """Returns whether an operator that reads strings gives strings."""
    if node.op_type == "Cast":
        return _cast_target(node) == STRING
    return node.op_type not in ("ZipMap", "Equal", "Shape", "Size", "LabelEncoder", "CategoryMapper")


def _cast_target(node: NodeProto) -> int:
    return next((item.i for item in node.attribute if item.name == "to"), 0)
