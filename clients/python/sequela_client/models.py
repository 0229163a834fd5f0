"""Finds out which model a caller means: a file, a name or an endpoint."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.errors import MODEL_NOT_FOUND, CallerError, NotFound, SequelaError
from sequela_client.weights import read_whole


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model that another server runs.

    Args:
        uri: `grpc://host:port/name`, `http://host:port/v2/models/name` or `http://host:port/v1/models/name`; grpcs and
            https use TLS.
        version: the version of the model. If it is empty, that server chooses one.
        schema: the path of a schema.json that describes the model.
    """

    uri: str
    version: str = ""
    schema: str | os.PathLike[str] | None = None


ModelLike = str | os.PathLike[str] | Endpoint
"""A path, the name of a model, an endpoint or its URI. A str is a path if it ends in .onnx or has a separator, except
for a model's name with its version: `m/3`, unless there is such a file, and `models/m/versions/3`.
"""

_RESOURCE = re.compile(r"models/[^/]+(/versions/[^/]+)?")
_WITH_VERSION = re.compile(r"[\w.-]*[\w-][\w.-]*/(0|[1-9][0-9]*)", re.ASCII)
_OTHER_FORMATS = frozenset(
    {".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".keras", ".tflite", ".pkl", ".joblib"}
)
_SEPARATORS = {"/", os.sep, os.altsep or os.sep}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """The content of a model file.

    Args:
        onnx: the model with its weights.
        schema_json: its schema; empty if there is none.
        weights: the other files that weights were read from.
    """

    onnx: bytes
    schema_json: bytes
    weights: tuple[Path, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the model; with a schema, SHA-256 of the digests of both, as in the contract's ModelReference."""
        onnx = hashlib.sha256(self.onnx)
        if not self.schema_json:
            return onnx.hexdigest()
        return hashlib.sha256(onnx.digest() + hashlib.sha256(self.schema_json).digest()).hexdigest()

    @property
    def inline(self) -> pb.ModelReference:
        """A reference that holds the model itself."""
        return pb.ModelReference(inline=pb.InlineModel(onnx=self.onnx, schema_json=self.schema_json))

    def upload(self, name: str) -> list[pb.RegisterModelRequest]:
        """Returns the messages that register the model."""
        header = pb.RegisterModelHeader(name=name, schema_json=self.schema_json, digest=self.digest)
        # The model is sent in chunks, since it may be larger than a message may be.
        chunks = [self.onnx[start : start + _CHUNK] for start in range(0, len(self.onnx), _CHUNK)]
        return [
            pb.RegisterModelRequest(header=header),
            *(pb.RegisterModelRequest(onnx_chunk=chunk) for chunk in chunks),
        ]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file, with the weights and the schema.json that may lie beside it."""

    path: Path

    def read(self) -> ModelBytes:
        """Reads the files. Raises CallerError if one of them cannot be read."""
        try:
            schema = self.schema.read_bytes() if self.schema.is_file() else b""
            whole = read_whole(self.path)
            return ModelBytes(whole.content, schema, whole.files)
        except OSError as error:
            advice = "; name the model.onnx in it" if self.path.is_dir() else ""
            text = f"model {self.path}: {error.strerror}{advice}"
            raise CallerError(text, reason="FILE_NOT_READABLE") from error

    @property
    def schema(self) -> Path:
        """The path of its schema, which may not exist."""
        return self.path.with_name("schema.json")

    def stamp(self, weights: tuple[Path, ...] = ()) -> tuple[object, ...]:
        """Returns the sizes and modification times of its files, which show whether one of them has changed."""
        return tuple(
            (stat.st_size, stat.st_mtime_ns)
            for path in (self.path, self.schema, *weights)
            if path.is_file()
            for stat in (path.stat(),)
        )


class FileDigests:
    """Remembers the digests of model files. A file is read again only if it has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[object, ...], tuple[Path, ...], str]] = {}

    def of(self, file: ModelFile) -> str:
        """Returns the digest of a model file with its weights and its schema."""
        known = self._known.get(file.path)
        if known and known[0] == file.stamp(known[1]):
            return known[2]
        # A large model takes a while to read. Its digest is remembered only if the file did not change meanwhile.
        before, content = file.stamp(), file.read()
        if file.stamp() == before:
            self._known[file.path] = (file.stamp(content.weights), content.weights, content.digest)
        return content.digest


def is_endpoint(model: str) -> bool:
    """Returns whether the model is the URI of an endpoint."""
    return "://" in model


def choose(model: ModelLike) -> ModelFile | pb.ModelReference:
    """Returns the file, name or endpoint that the caller means by `model`. Raises CallerError if it is none of them."""
    if isinstance(model, Endpoint):
        return pb.ModelReference(endpoint=_endpoint(model))
    if not isinstance(model, str | os.PathLike):
        text = (
            f"model: must be a path, a name or an Endpoint, not {repr(model)[:40]} of type "
            f"{type(model).__name__}; {_advice(model)}"
        )
        raise CallerError(text, reason="ARGUMENT_INVALID")
    if Path(model).suffix in _OTHER_FORMATS:
        text = f"model: {os.fspath(model)!r} is not an ONNX file; export the model to ONNX first"
        raise CallerError(text, reason="MODEL_NOT_ONNX")
    # A Path is always a file, whatever its name.
    if not isinstance(model, str):
        return ModelFile(Path(model))
    if is_endpoint(model):
        return pb.ModelReference(endpoint=pb.EndpointModel(uri=model))
    if model.endswith(".onnx"):
        return ModelFile(Path(model))
    # `models/m/versions/v` and `m/v` are names although they have separators.
    named = _RESOURCE.fullmatch(model) or (is_version(model) and not Path(model).is_file())
    if _SEPARATORS & set(model) and not named:
        return ModelFile(Path(model))
    return pb.ModelReference(name=model)


def is_version(model: object) -> bool:
    """Returns whether a text is a model's name with its version, `m/v`. It may be the path of a file, too."""
    return isinstance(model, str) and _WITH_VERSION.fullmatch(model) is not None


def with_missing_file(error: SequelaError, name: str) -> SequelaError:
    """Adds to an error about an unknown model `m/v` that there is no file of this name either: it may be a path."""
    if not isinstance(error, NotFound) or error.reason != MODEL_NOT_FOUND or not is_version(name):
        return error
    text = f"{error.message}, and there is no file {name!r}"
    return NotFound(text, reason=error.reason, violations=error.violations)


def _advice(model: object) -> str:
    named = isinstance(getattr(model, "name", None), str)
    return "pass its .name" if named else "a model in memory has to be exported to a file first"


def _endpoint(model: Endpoint) -> pb.EndpointModel:
    """Returns the message of an endpoint. Raises CallerError if its schema cannot be read."""
    if not isinstance(model.schema, str | os.PathLike | None):
        text = f"schema: must be the path of a schema.json, not of type {type(model.schema).__name__}"
        raise CallerError(text, reason="ARGUMENT_INVALID")
    try:
        schema = Path(model.schema).read_bytes() if model.schema else b""
    except OSError as error:
        raise CallerError(f"schema {model.schema}: {error.strerror}", reason="FILE_NOT_READABLE") from error
    return pb.EndpointModel(uri=model.uri, version=model.version, schema_json=schema)
