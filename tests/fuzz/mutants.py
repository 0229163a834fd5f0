"""Real models with random damage: to their bytes, or to their structure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from random import Random

import onnx
from onnx import AttributeProto

from fuzz import values

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures/models"


@functools.cache
def originals() -> tuple[tuple[str, bytes], ...]:
    """The committed models, by name."""
    paths = sorted(FIXTURES.glob("*/*/model.onnx"))
    return tuple((path.parent.parent.name, path.read_bytes()) for path in paths)


def case(number: int, seed: int) -> tuple[str, bytes]:
    """Returns the name of a damage and of the model, and the damaged model. The same numbers make the same model."""
    random = Random(f"{seed}/{number}")
    name, content = originals()[number % len(originals())]
    damage = random.choice(DAMAGES)
    for _ in range(random.choice((1, 1, 2, 4))):
        content = damage(content, random)
    return f"{damage.__name__}.{name}", content


def flip_bits(content: bytes, random: Random) -> bytes:
    spoilt = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def cut_bytes(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content))
    return content[:start] + content[start + random.choice((1, 2, 16, 1000)) :]


def repeat_bytes(content: bytes, random: Random) -> bytes:
    start, length = random.randrange(len(content)), random.choice((1, 8, 200))
    return content[:start] + content[start : start + length] + content[start:]


def truncate(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))] or content


def _on_structure(change: Callable[[onnx.GraphProto, Random], None]) -> Callable[[bytes, Random], bytes]:
    @functools.wraps(change)
    def damage(content: bytes, random: Random) -> bytes:
        model = onnx.load_from_string(content)
        change(model.graph, random)
        spoilt: bytes = model.SerializeToString()
        return spoilt

    return damage


@_on_structure
def drop_node(graph: onnx.GraphProto, random: Random) -> None:
    if graph.node:
        del graph.node[random.randrange(len(graph.node))]


@_on_structure
def change_operator(graph: onnx.GraphProto, random: Random) -> None:
    if graph.node:
        random.choice(graph.node).op_type = random.choice(OPERATORS)


@_on_structure
def swap_inputs(graph: onnx.GraphProto, random: Random) -> None:
    names = [name for node in graph.node for name in node.input] or [""]
    node = random.choice(graph.node) if graph.node else None
    if node is not None and node.input:
        node.input[random.randrange(len(node.input))] = random.choice([*names, ""])


@_on_structure
def change_attribute(graph: onnx.GraphProto, random: Random) -> None:
    attributes = [each for node in graph.node for each in node.attribute]
    if attributes:
        _spoil(random.choice(attributes), random)


def _spoil(attribute: AttributeProto, random: Random) -> None:
    if attribute.type == AttributeProto.INT:
        attribute.i = values.integer(random)
    elif attribute.type == AttributeProto.INTS and attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = values.integer(random)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = values.number(random)
    else:
        attribute.type = random.choice((AttributeProto.INT, AttributeProto.INTS, AttributeProto.STRING))


@_on_structure
def change_shape(graph: onnx.GraphProto, random: Random) -> None:
    if graph.initializer:
        tensor = random.choice(graph.initializer)
        tensor.dims[:] = [values.integer(random) for _ in tensor.dims] or [values.integer(random)]


@_on_structure
def change_kind(graph: onnx.GraphProto, random: Random) -> None:
    if graph.initializer:
        random.choice(graph.initializer).data_type = random.randrange(0, 24)


@_on_structure
def shorten_weights(graph: onnx.GraphProto, random: Random) -> None:
    tensors = [each for each in graph.initializer if each.raw_data]
    if tensors:
        tensor = random.choice(tensors)
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data))]


@_on_structure
def change_weights(graph: onnx.GraphProto, random: Random) -> None:
    tensors = [each for each in graph.initializer if each.raw_data]
    if tensors:
        tensor = random.choice(tensors)
        tensor.raw_data = random.randbytes(len(tensor.raw_data))


@_on_structure
def change_input(graph: onnx.GraphProto, random: Random) -> None:
    tensor = random.choice(graph.input).type.tensor_type
    tensor.elem_type = random.randrange(1, 17)
    for axis in tensor.shape.dim:
        if random.random() < 0.5:
            axis.dim_value = values.integer(random)


@_on_structure
def mix_nodes(graph: onnx.GraphProto, random: Random) -> None:
    nodes = list(graph.node)
    random.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes)


OPERATORS = tuple(sorted({schema.name for schema in onnx.defs.get_all_schemas()}))
DAMAGES = (
    flip_bits, cut_bytes, repeat_bytes, truncate, drop_node, change_operator, swap_inputs, change_attribute,
    change_shape, change_kind, shorten_weights, change_weights, change_input, mix_nodes,
)  # fmt: skip
