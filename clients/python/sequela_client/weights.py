"""Reads an ONNX model whose weights are in other files, such as the `model.onnx.data` that torch.onnx.export writes.

The weights are put into the model, which is then sent as one message. Only files in the model's own folder are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError
from sequela_proto.onnx_weights import onnx_weights_pb2 as onnx

from sequela_client.errors import CallerError

# The data_location, in ONNX, of a tensor whose elements are in another file.
ELSEWHERE = 1
# The largest protobuf message, and so the largest model in one piece.
MOST_BYTES = (1 << 31) - 1
ONE_PIECE = (
    "export it in one piece: torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(path), path)"
)


@dataclass(frozen=True, slots=True)
class WholeModel:
    """A model with its weights, and the files that the weights were read from."""

    content: bytes
    files: tuple[Path, ...] = ()


def read_whole(path: Path) -> WholeModel:
    """Reads a model with its weights.

    Raises:
        OSError: if a file cannot be read.
        CallerError: MODEL_EXTERNAL_DATA, if weights are missing or outside the model's folder. MODEL_TOO_LARGE, if the
            model with its weights does not fit into a message.
    """
    content = path.read_bytes()
    if b"location" not in content:  # every tensor in another file has an entry with this key
        return WholeModel(content)
    try:
        model = onnx.Model.FromString(content)
    except DecodeError:  # the server reports what is wrong with it
        return WholeModel(content)
    outside = [tensor for tensor in _tensors(model) if tensor.data_location == ELSEWHERE]
    if not outside:
        return WholeModel(content)
    files = {name: _beside(path, name) for name in dict.fromkeys(map(_location, outside))}
    # Checked before anything is read: the parts may be larger than the memory.
    size = len(content) + sum(_part(path, tensor, files)[1] for tensor in outside)
    if size > MOST_BYTES:
        text = f"model {path}: it has {size} bytes with its weights, and at most {MOST_BYTES} can be sent"
        raise CallerError(text, reason="MODEL_TOO_LARGE")
    for tensor in outside:
        tensor.raw_data = _read(path, tensor, files)
        # The tensor has its elements now, and must not name the file any more.
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    return WholeModel(model.SerializeToString(), tuple(files.values()))


def _tensors(model: onnx.Model) -> Iterator[onnx.Tensor]:
    """Yields all tensors of the graph, of its subgraphs and of functions."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_attributes(function.attribute_proto)
        for node in function.node:
            yield from _of_attributes(node.attribute)


def _of_graph(graph: onnx.Graph) -> Iterator[onnx.Tensor]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _of_attributes(node.attribute)


def _of_attributes(attributes: Iterable[onnx.Attribute]) -> Iterator[onnx.Tensor]:
    for attribute in attributes:
        yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
        for sparse in (
            *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
            *attribute.sparse_tensors,
        ):
            yield from (sparse.values, sparse.indices)
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from _of_graph(graph)


def _entries(tensor: onnx.Tensor) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _location(tensor: onnx.Tensor) -> str:
    return _entries(tensor).get("location", "")


def _beside(path: Path, name: str) -> Path:
    """Returns the file of this name in the model's folder. Raises CallerError if it is missing or somewhere else."""
    if not name or Path(name).name != name or "\\" in name or name in (".", ".."):
        raise _refusal(path, f"its weights are in {name!r}; only files in the model's own folder are read")
    file = path.parent / name
    if not file.is_file():
        raise _refusal(path, f"its weights are in {name!r}, which is not in the model's folder; put it there")
    # A link may lead to the folder of the real model file, as in a cache of downloads, and to no other.
    if file.resolve().parent not in (path.parent.resolve(), path.resolve().parent):
        raise _refusal(path, f"its weights file {name!r} is a link out of its folder, which is not followed")
    return file


def _part(path: Path, tensor: onnx.Tensor, files: dict[str, Path]) -> tuple[int, int]:
    """Returns the offset of a tensor in its file, and its length, both in bytes."""
    entries, name = _entries(tensor), _location(tensor)
    size = files[name].stat().st_size
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", size - offset))
    except ValueError:
        offset = length = -1
    if offset < 0 or length < 0 or offset + length > size:
        said = f"{entries.get('length', 'all')} bytes from {entries.get('offset', 0)} on"
        raise _refusal(path, f"tensor {tensor.name!r} is {said} of {name!r}, which has {size} bytes")
    return offset, length


def _read(path: Path, tensor: onnx.Tensor, files: dict[str, Path]) -> bytes:
    offset, length = _part(path, tensor, files)
    with files[_location(tensor)].open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _refusal(path: Path, text: str) -> CallerError:
    return CallerError(f"model {path}: {text}, or {ONE_PIECE}", reason="MODEL_EXTERNAL_DATA")
