"""The protocol's metadata of a model: its name, versions and tensors.

Source: the protocol's specification, version 2 ("Model Metadata").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sequela_proto.inference import open_inference_pb2 as pb

FREE_AXIS = -1
"""The size that marks an axis of any size."""

TensorMessage = pb.ModelMetadataResponse.TensorMetadata


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """An input or output of a model. A size below 1 is free (`FREE_AXIS`)."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """A model's metadata. Parts that a server omits are empty."""

    name: str = ""
    versions: tuple[str, ...] = ()
    platform: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()


def read_metadata(message: pb.ModelMetadataResponse) -> ModelMetadata:
    """Reads metadata from a message."""
    return ModelMetadata(
        message.name,
        tuple(message.versions),
        message.platform,
        _read_tensors(message.inputs),
        _read_tensors(message.outputs),
    )


def write_metadata(metadata: ModelMetadata) -> pb.ModelMetadataResponse:
    """Writes metadata as a message."""
    return pb.ModelMetadataResponse(
        name=metadata.name,
        versions=metadata.versions,
        platform=metadata.platform,
        inputs=_write_tensors(metadata.inputs),
        outputs=_write_tensors(metadata.outputs),
    )


def json_metadata(metadata: ModelMetadata) -> dict[str, Any]:
    """Writes metadata as JSON."""
    return {
        "name": metadata.name,
        "versions": list(metadata.versions),
        "platform": metadata.platform,
        "inputs": _json_tensors(metadata.inputs),
        "outputs": _json_tensors(metadata.outputs),
    }


def model_mismatch(name: str, version: str, given_name: str, given_version: str) -> str:
    """Returns what is wrong with an answer that should be from a certain model and version.

    Args:
        name: The model that was called.
        version: The version that was called; empty for the one that the server chooses.
        given_name: The model that the answer names; empty if it does not name one.
        given_version: The version that the answer names; empty if it does not name one.

    Returns:
        A predicate for a message whose subject is what was read, or an empty string if nothing is wrong.
    """
    # Servers may leave out both, so only a different name or version is a mistake.
    if given_name and given_name != name:
        return f"is from model {given_name!r}, not {name!r}"
    if version and given_version and given_version != version:
        return f"is from version {given_version!r}, not {version!r}"
    return ""


def version_missing(version: str, versions: Sequence[str]) -> str:
    """Returns what is wrong with metadata that should list a certain version.

    Args:
        version: The version that was called; empty for the one that the server chooses.
        versions: The versions that the metadata lists; empty if it lists none.

    Returns:
        As `model_mismatch`.
    """
    if version and versions and version not in versions:
        return f"lists the versions {', '.join(map(repr, versions))}, but not {version!r}"
    return ""


def _read_tensors(messages: Iterable[TensorMessage]) -> tuple[TensorMetadata, ...]:
    return tuple(TensorMetadata(each.name, each.datatype, tuple(each.shape)) for each in messages)


def _write_tensors(tensors: Iterable[TensorMetadata]) -> list[TensorMessage]:
    return [TensorMessage(name=each.name, datatype=each.datatype, shape=each.shape) for each in tensors]


def _json_tensors(tensors: Iterable[TensorMetadata]) -> list[dict[str, Any]]:
    return [{"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in tensors]
