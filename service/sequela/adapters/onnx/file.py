"""Reads the bytes of an ONNX file and refuses what must not be run.

The bytes may come from anybody. Nothing here reads another file, runs an operator, or allocates a size that a header
merely claims; onnxruntime gets a model only after it has passed these checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
)

from sequela.adapters.onnx.file_text import check_text
from sequela.adapters.onnx.formats import describe_format
from sequela.adapters.onnx.graph_order import sort_nodes
from sequela.adapters.onnx.inlined_nodes import check_inlined_nodes
from sequela.adapters.onnx.string_values import check_strings
from sequela.adapters.onnx.subgraphs import subgraphs
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
IN_ONE_PIECE = (
    "export it in one piece: torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(path), path)"
)
MAX_ELEMENTS_PER_BYTE = 8  # No element type of ONNX is smaller than one bit.
MAX_ELEMENT_BYTES = 8  # Sparse tensors hold numbers of at most 64 bits.


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model file that passed every check."""

    content: bytes = field(repr=False)
    model: ModelProto = field(repr=False)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's own key-value notes (`metadata_props`)."""
        return {entry.key: entry.value for entry in self.model.metadata_props}


def read_onnx(content: bytes, limits: Limits, path: str) -> OnnxFile:
    """Parses and checks a model.

    Args:
        content: The bytes of the file.
        limits: The server's limits on the size of models.
        path: The field of the request that holds them, for errors.

    Raises:
        InvalidInput: MODEL_TOO_LARGE, MODEL_NOT_ONNX, MODEL_EXTERNAL_DATA, MODEL_CUSTOM_OPERATORS,
            MODEL_HAS_TRAINING, MODEL_STRINGS_UNSUPPORTED or MODEL_NOT_RUNNABLE.
    """
    if len(content) > limits.max_model_bytes:
        text = f"the model has {len(content)} bytes, but the limit is {limits.max_model_bytes} (--max-model-bytes)"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    model = _parse(content, path)
    check_text(model, path)
    if len(model.training_info):
        raise InvalidInput.at(
            path, "MODEL_HAS_TRAINING", "the model holds training information; export it for inference"
        )
    nodes = list(_nodes(model))
    if len(nodes) > limits.max_model_nodes:
        text = (
            f"the model has {len(nodes)} nodes, but the limit is {limits.max_model_nodes} (--max-model-nodes)"
        )
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    _check_operators(model, nodes, path)
    check_inlined_nodes(model, limits, path)
    _check_dense_sizes(list(_sparse_tensors(model, nodes)), limits, path)
    for tensor in dense_tensors(model):
        _check_tensor(tensor, path)
    check_strings(model, path)
    sort_nodes(model, path)
    return OnnxFile(content, model)


def dense_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Yields every dense tensor of a file, wherever it is. Of sparse tensors, it yields values and indices."""
    nodes = list(_nodes(model))
    yield from _tensors(model, nodes)
    for block in _sparse_tensors(model, nodes):
        yield from (block.values, block.indices)


def is_outside(tensor: TensorProto) -> bool:
    """Returns whether a tensor's elements are stored in another file."""
    # In the format both belong together, but an untrusted file may set only one of them.
    return tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0


def location(tensor: TensorProto) -> str:
    """Returns the name of the file that a tensor's elements are stored in."""
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _parse(content: bytes, path: str) -> ModelProto:
    if not content:
        raise InvalidInput.at(
            path, "MODEL_NOT_ONNX", "the model is empty, expected the bytes of an ONNX file"
        )
    try:
        model = ModelProto.FromString(content)
    except Exception:  # protobuf's DecodeError, which this layer does not import.
        format_found = describe_format(content) or "or only a part of one"
        text = f"its {len(content)} bytes are not an ONNX model, {format_found}"
        raise InvalidInput.at(path, "MODEL_NOT_ONNX", text) from None
    # Protobuf parses almost any bytes without an error, so look for the fields that every model has.
    for part, is_present in (
        ("ir_version", model.ir_version > 0),
        ("opset_import", len(model.opset_import) > 0),
        ("graph output", len(model.graph.output) > 0),
    ):
        if not is_present:
            raise InvalidInput.at(
                path,
                "MODEL_NOT_ONNX",
                f"the file has no {part}: it is not an ONNX model, or only a part of one",
            )
    return model


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Yields every node of the graph, of the graphs nested in it, and of the file's own functions."""
    # A stack instead of recursion, because the file decides how deep graphs are nested.
    bodies: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    while bodies:
        for node in bodies.pop().node:
            yield node
            bodies.extend(subgraphs(node))


def _check_operators(model: ModelProto, nodes: list[NodeProto], path: str) -> None:
    # Functions that the file defines itself consist of allowed operators, which are checked as nodes too.
    own = {(function.domain, function.name) for function in model.functions}
    for node in nodes:
        if node.domain not in ALLOWED_DOMAINS and (node.domain, node.op_type) not in own:
            text = (
                f"node {node.name!r} is the operator {node.op_type!r} of {node.domain!r}; custom operators are not "
                "loaded. Export the model with ONNX's own operators only; leave out steps in front of it such as "
                "tokenising, and send their results"
            )
            raise InvalidInput.at(path, "MODEL_CUSTOM_OPERATORS", text)


def _graphs(model: ModelProto, nodes: list[NodeProto]) -> Iterator[GraphProto]:
    yield model.graph
    for node in nodes:
        yield from subgraphs(node)


def _attributes(model: ModelProto, nodes: list[NodeProto]) -> Iterator[AttributeProto]:
    for owner in nodes:
        yield from owner.attribute
    for function in model.functions:
        yield from function.attribute_proto


def _tensors(model: ModelProto, nodes: list[NodeProto]) -> Iterator[TensorProto]:
    """Yields every dense tensor: initializers and attributes."""
    for graph in _graphs(model, nodes):
        yield from graph.initializer
    for attribute in _attributes(model, nodes):
        # Constant nodes hold their values in an attribute.
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def _sparse_tensors(model: ModelProto, nodes: list[NodeProto]) -> Iterator[SparseTensorProto]:
    for graph in _graphs(model, nodes):
        yield from graph.sparse_initializer
    for attribute in _attributes(model, nodes):
        if attribute.HasField("sparse_tensor"):
            yield attribute.sparse_tensor
        yield from attribute.sparse_tensors


def _check_tensor(tensor: TensorProto, path: str) -> None:
    if is_outside(tensor):
        text = f"tensor {tensor.name!r} is stored in another file, {location(tensor)!r}, which is not part of the "
        text += f"request: {IN_ONE_PIECE}. The Python client and the model repository do read a file beside the model"
        raise InvalidInput.at(path, "MODEL_EXTERNAL_DATA", text)
    # onnxruntime allocates what the shape claims, so the shape must not claim more than the tensor's bytes can hold.
    claimed = math.prod(tensor.dims)
    size = tensor.ByteSize()
    # Two negative sizes would have a positive product.
    if min(tensor.dims, default=0) < 0 or claimed > size * MAX_ELEMENTS_PER_BYTE:
        text = f"tensor {tensor.name!r} claims the shape {list(tensor.dims)}, but has only {size} bytes"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)


def _check_dense_sizes(blocks: list[SparseTensorProto], limits: Limits, path: str) -> None:
    """Onnxruntime makes sparse tensors dense, so a few bytes could ask for any amount of memory."""
    total = 0
    for sparse in blocks:
        total += math.prod(sparse.dims) * MAX_ELEMENT_BYTES
        if min(sparse.dims, default=0) < 0 or total > limits.max_model_bytes:
            text = f"sparse tensor {sparse.values.name!r} claims the shape {list(sparse.dims)}; all sparse tensors "
            text += f"together may take {limits.max_model_bytes} bytes when they are dense, {MAX_ELEMENT_BYTES} for "
            text += "each element (--max-model-bytes)"
            raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
