"""Tensors of the Open Inference Protocol: a batch comes in as arrays and leaves as rows, answers leave as tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.errors import InvalidInput

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Datatype:
    """An element type: how numpy and sequela.v1 call it, and the field that holds its elements where they are typed."""

    dtype: np.dtype[Any]
    ours: pb.DataType.ValueType
    contents: str


DATATYPES: Mapping[str, Datatype] = {
    "BOOL": Datatype(np.dtype("?"), pb.DATA_TYPE_BOOL, "bool_contents"),
    "INT32": Datatype(np.dtype("<i4"), pb.DATA_TYPE_INT32, "int_contents"),
    "INT64": Datatype(np.dtype("<i8"), pb.DATA_TYPE_INT64, "int64_contents"),
    "FP32": Datatype(np.dtype("<f4"), pb.DATA_TYPE_FLOAT32, "fp32_contents"),
    "FP64": Datatype(np.dtype("<f8"), pb.DATA_TYPE_FLOAT64, "fp64_contents"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One input's values for all rows: (rows, …)."""

    name: str
    datatype: str
    array: Array

    def row(self, index: int) -> pb.InputTensor:
        """One row, as sequela.v1 takes it."""
        values = np.asarray(self.array[index])
        dtype = DATATYPES[self.datatype].ours
        return pb.InputTensor(
            name=self.name, tensor=pb.Tensor(dtype=dtype, shape=values.shape, raw=values.tobytes())
        )


def batches(request: oip.ModelInferRequest, most_rows: int) -> tuple[Batch, ...]:
    """The inputs of a request, of one number of rows. Raises InvalidInput."""
    if not request.inputs:
        raise InvalidInput.at(
            "inputs", "SEQUENCE_EMPTY", "holds no tensor; send one for each input of the model"
        )
    raw = _raw(request)
    found = tuple(
        _batch(tensor, content, f"inputs[{index}]")
        for index, (tensor, content) in enumerate(zip(request.inputs, raw, strict=True))
    )
    _one_count(found, most_rows)
    return found


def rows(found: Sequence[Batch]) -> tuple[pb.Sequence, ...]:
    """One sequence for each row."""
    count = len(found[0].array)
    return tuple(pb.Sequence(inputs=[each.row(index) for each in found]) for index in range(count))


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One output for all rows: (rows, …), or one text a row."""

    name: str
    datatype: str
    values: Array | list[bytes]

    @property
    def shape(self) -> tuple[int, ...]:
        """The rows come first."""
        return (len(self.values),) if isinstance(self.values, list) else self.values.shape

    def bare(self) -> oip.ModelInferResponse.InferOutputTensor:
        """The tensor without its elements, which `raw` has."""
        return oip.ModelInferResponse.InferOutputTensor(
            name=self.name, datatype=self.datatype, shape=self.shape
        )

    def typed(self) -> oip.ModelInferResponse.InferOutputTensor:
        """The tensor with typed elements."""
        tensor = self.bare()
        if isinstance(self.values, list):
            tensor.contents.bytes_contents.extend(self.values)
        else:
            getattr(tensor.contents, DATATYPES[self.datatype].contents).extend(self.values.ravel().tolist())
        return tensor

    def raw(self) -> bytes:
        """The elements in raw form."""
        if isinstance(self.values, list):
            return b"".join(len(each).to_bytes(4, "little") + each for each in self.values)
        return np.ascontiguousarray(self.values, DATATYPES[self.datatype].dtype).tobytes()


def _raw(request: oip.ModelInferRequest) -> Iterator[bytes | None]:
    """The raw elements of each input; None where they are typed."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        text = f"{len(raw)} entries for {len(request.inputs)} inputs; send one for each, or none"
        raise InvalidInput.at("raw_input_contents", "TENSOR_ELEMENTS", text)
    return iter(raw) if raw else iter([None] * len(request.inputs))


def _batch(tensor: oip.ModelInferRequest.InferInputTensor, raw: bytes | None, path: str) -> Batch:
    if tensor.datatype not in DATATYPES:
        text = f"{tensor.datatype[:20]!r} is not a datatype taken here; these are: {', '.join(DATATYPES)}"
        raise InvalidInput.at(f"{path}.datatype", "TENSOR_DTYPE", text)
    shape = tuple(tensor.shape)
    if not shape or any(axis < 1 for axis in shape):
        text = f"{shape}: the rows of the batch come first, and every axis must be at least 1"
        raise InvalidInput.at(f"{path}.shape", "TENSOR_SHAPE", text)
    datatype = DATATYPES[tensor.datatype]
    flat = _typed(tensor, datatype, path) if raw is None else _from_raw(raw, tensor, datatype, path)
    if len(flat) != math.prod(shape):
        text = f"{len(flat)} elements, the shape takes {math.prod(shape)}"
        raise InvalidInput.at(path, "TENSOR_SIZE", text)
    return Batch(tensor.name, tensor.datatype, flat.reshape(shape))


def _typed(tensor: oip.ModelInferRequest.InferInputTensor, datatype: Datatype, path: str) -> Array:
    filled = [field.name for field, _ in tensor.contents.ListFields()]
    if filled != [datatype.contents]:
        text = f"{' and '.join(filled) or 'nothing'} set; {tensor.datatype} wants {datatype.contents} and nothing else"
        raise InvalidInput.at(f"{path}.contents", "TENSOR_ELEMENTS", text)
    return np.array(getattr(tensor.contents, datatype.contents), datatype.dtype)


def _from_raw(
    raw: bytes, tensor: oip.ModelInferRequest.InferInputTensor, datatype: Datatype, path: str
) -> Array:
    if tensor.HasField("contents"):
        text = "set beside raw_input_contents; send the elements once"
        raise InvalidInput.at(f"{path}.contents", "TENSOR_ELEMENTS", text)
    if len(raw) % datatype.dtype.itemsize:
        text = f"{len(raw)} raw bytes are no whole number of {tensor.datatype} elements"
        raise InvalidInput.at(path, "TENSOR_SIZE", text)
    return np.frombuffer(raw, datatype.dtype)


def _one_count(found: Sequence[Batch], most: int) -> None:
    counts = {each.name: len(each.array) for each in found}
    if len(set(counts.values())) > 1:
        text = f"inputs have different numbers of rows: {', '.join(f'{k} {v}' for k, v in counts.items())}"
        raise InvalidInput.at("inputs", "ROWS_DIFFER", text)
    check_rows(len(found[0].array), most, "inputs")


def check_rows(count: int, most: int, path: str) -> None:
    """Raises InvalidInput where there are none, or too many."""
    if not 1 <= count <= most:
        raise InvalidInput.at(path, "TOO_MANY_ROWS", f"{count} rows, must be from 1 to {most}")
