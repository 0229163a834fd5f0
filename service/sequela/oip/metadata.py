"""What the protocol says of a model: its names, versions and tensors.

Source: the protocol's specification, version 2 ("Model Metadata").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sequela_proto.inference import open_inference_pb2 as pb

FREE_AXIS = -1
"""The size of an axis that may have any."""

TensorMessage = pb.ModelMetadataResponse.TensorMetadata


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """An input or output of a model. A size below 1 is free (`FREE_AXIS`)."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """A model's metadata. What a server leaves out is empty."""

    name: str = ""
    versions: tuple[str, ...] = ()
    platform: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()


def read_metadata(message: pb.ModelMetadataResponse) -> ModelMetadata:
    """From the message."""
    return ModelMetadata(
        message.name,
        tuple(message.versions),
        message.platform,
        _read_tensors(message.inputs),
        _read_tensors(message.outputs),
    )


def write_metadata(metadata: ModelMetadata) -> pb.ModelMetadataResponse:
    """As a message."""
    return pb.ModelMetadataResponse(
        name=metadata.name,
        versions=metadata.versions,
        platform=metadata.platform,
        inputs=_written_tensors(metadata.inputs),
        outputs=_written_tensors(metadata.outputs),
    )


def json_metadata(metadata: ModelMetadata) -> dict[str, Any]:
    """As JSON."""
    return {
        "name": metadata.name,
        "versions": list(metadata.versions),
        "platform": metadata.platform,
        "inputs": _json_tensors(metadata.inputs),
        "outputs": _json_tensors(metadata.outputs),
    }


def model_mismatch(name: str, version: str, given_name: str, given_version: str) -> str:
    """Why an answer is not from the model and version that were asked for.

    Empty where it is, or where the answer does not say.
    """
    if given_name and given_name != name:
        return f"it is of model {given_name!r}"
    if version and given_version and given_version != version:
        return f"version {version!r} was asked for, and it is of version {given_version!r}"
    return ""


def version_missing(version: str, versions: Sequence[str]) -> str:
    """Why a version that was asked for is not among those of the metadata.

    Empty where it is, where no version was asked for, and where the metadata lists none.
    """
    if version and versions and version not in versions:
        return f"version {version!r} was asked for, and it has {', '.join(map(repr, versions))}"
    return ""


def _read_tensors(messages: Iterable[TensorMessage]) -> tuple[TensorMetadata, ...]:
    return tuple(TensorMetadata(each.name, each.datatype, tuple(each.shape)) for each in messages)


def _written_tensors(tensors: Iterable[TensorMetadata]) -> list[TensorMessage]:
    return [TensorMessage(name=each.name, datatype=each.datatype, shape=each.shape) for each in tensors]


def _json_tensors(tensors: Iterable[TensorMetadata]) -> list[dict[str, Any]]:
    return [{"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in tensors]
