"""Models of one random node, of any operator that the runtime knows."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from random import Random

import onnx
import onnxruntime.capi.onnxruntime_pybind11_state as runtime
from onnx import AttributeProto, NodeProto, TensorProto, ValueInfoProto, helper

from fuzz import values
from fuzz.values import KINDS

OPSETS = {"": 24, "ai.onnx.ml": 5, "com.microsoft": 1, "com.microsoft.nchwc": 1}
"""The newest that the runtime has kernels for. Other domains are its own business: no file may name them."""
MAX_INPUTS = 8
WORD = re.compile(r"[`'\"]([A-Za-z_]{2,20})[`'\"]|\b([A-Z][A-Z_]{2,20})\b")
EQUATIONS = ("ij->ji", "ij,jk->ik", "...i->...", "ii->i", "i,i", "", "->", "ij,,jk", "a" * 40)


@functools.cache
def schemas() -> tuple[object, ...]:
    """The newest schema of each operator, in a fixed order."""
    newest: dict[tuple[str, str], object] = {}
    for schema in runtime.get_all_operator_schema():
        key = (schema.domain, schema.name)
        if schema.domain in OPSETS and OPSETS[schema.domain] >= schema.since_version:
            known = newest.get(key)
            if known is None or known.since_version < schema.since_version:  # type: ignore[attr-defined]
                newest[key] = schema
    return tuple(newest[key] for key in sorted(newest))


def case(number: int, seed: int) -> tuple[str, bytes]:
    """Returns the name of an operator, and a model with one node of it. The same numbers make the same model."""
    random = Random(f"{seed}/{number}")
    # Each operator has its turn, so that rare ones are tried as often as common ones.
    schema = schemas()[number % len(schemas())]
    name = f"{schema.domain or 'onnx'}.{schema.name}"  # type: ignore[attr-defined]
    return name, _model(schema, random)


def _model(schema: object, random: Random) -> bytes:
    tensors = _inputs(schema, random)
    fixed = [each for each in tensors if random.random() < 0.5]
    fed = [each for each in tensors if each not in fixed and each.data_type != TensorProto.UNDEFINED]
    names = [each.name for each in tensors]
    outputs = [f"y{k}" for k in range(max(1, min(schema.max_output, 3)))]  # type: ignore[attr-defined]
    node = helper.make_node(schema.name, names, outputs, domain=schema.domain)  # type: ignore[attr-defined]
    node.attribute.extend(_attributes(schema, random))
    graph = helper.make_graph(
        [node], "g", [_declared(each) for each in fed], [ValueInfoProto(name=each) for each in outputs], fixed
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return content


def _declared(tensor: TensorProto) -> ValueInfoProto:
    made: ValueInfoProto = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
    return made


def _inputs(schema: object, random: Random) -> list[TensorProto]:
    allowed = {each.type_param_str: list(each.allowed_type_strs) for each in schema.type_constraints}  # type: ignore[attr-defined]
    chosen = {name: _kind(kinds, random) for name, kinds in allowed.items()}
    count = _count(schema, random)
    like = [random.choice(values.SMALL[1:]) for _ in range(random.choice((1, 2, 2, 3, 3, 4)))]
    made = []
    for position in range(count):
        formal = schema.inputs[min(position, len(schema.inputs) - 1)]  # type: ignore[attr-defined]
        kind = chosen.get(formal.typeStr, KINDS.get(formal.typeStr, TensorProto.FLOAT))
        if random.random() < 0.03:
            kind = random.choice(list(KINDS.values()))
        made.append(values.tensor(random, kind, values.shape(random, like), f"x{position}"))
    return made


def _count(schema: object, random: Random) -> int:
    low, high = schema.min_input, schema.max_input  # type: ignore[attr-defined]
    high = min(high, max(MAX_INPUTS, low))
    return 0 if not schema.inputs else random.choice((low, high, random.randint(low, high)))  # type: ignore[attr-defined]


def _kind(kinds: Sequence[str], random: Random) -> int:
    usable = [each for each in kinds if each in KINDS]
    if "tensor(float)" in usable and random.random() < 0.6:
        return TensorProto.FLOAT
    return KINDS[random.choice(usable)] if usable else TensorProto.FLOAT


def _attributes(schema: object, random: Random) -> list[AttributeProto]:
    given: Mapping[str, object] = schema.attributes  # type: ignore[attr-defined]
    made = []
    for name in sorted(given):
        if given[name].required or random.random() < 0.5:  # type: ignore[attr-defined]
            attribute = _attribute(name, given[name], random)
            if attribute is not None:
                made.append(attribute)
    return made


def _attribute(name: str, schema: object, random: Random) -> AttributeProto | None:
    kind = str(schema.type).rpartition(".")[2]  # type: ignore[attr-defined]
    length = random.choice((0, 1, 1, 2, 2, 3, 4))
    number = int(getattr(AttributeProto, kind, 0))
    made = {
        "INT": lambda: values.integer(random),
        "FLOAT": lambda: values.number(random),
        "STRING": lambda: _word(name, schema, random),
        "INTS": lambda: [values.integer(random) for _ in range(length)],
        "FLOATS": lambda: [values.number(random) for _ in range(length)],
        "STRINGS": lambda: [_word(name, schema, random) for _ in range(length)],
        "TENSOR": lambda: values.tensor(random, TensorProto.FLOAT, values.shape(random, [2]), ""),
        "GRAPH": lambda: _body(random),
    }.get(kind)
    return None if made is None else helper.make_attribute(name, made(), attr_type=number)


def _word(name: str, schema: object, random: Random) -> str:
    """A word that the description of the attribute names, mostly."""
    if name == "equation":
        return random.choice(EQUATIONS)
    words = ["".join(found) for found in WORD.findall(schema.description)]  # type: ignore[attr-defined]
    return (
        random.choice(words)
        if words and random.random() < 0.9
        else random.choice(("", "x", "NOTSET", "a" * 500))
    )


def _body(random: Random) -> onnx.GraphProto:
    count = random.randint(0, 3)
    inputs = [helper.make_tensor_value_info(f"b{k}", random.choice((1, 7, 9)), None) for k in range(count)]
    outputs = [ValueInfoProto(name=f"c{k}") for k in range(count)]
    nodes: list[NodeProto] = [helper.make_node("Identity", [f"b{k}"], [f"c{k}"]) for k in range(count)]
    made: onnx.GraphProto = helper.make_graph(nodes, "body", inputs, outputs)
    return made
