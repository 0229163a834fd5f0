"""Which model a caller means: a file, a name or an endpoint. A file is digested again only if it changes."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.errors import CallerError
from sequela_client.weights import read_whole


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model that another server runs: `grpc://host:port/name` (or grpcs), `http://host:port/v2/models/name` or
    `http://host:port/v1/models/name` (or https). Without a version the server there chooses one. schema: a schema.json.
    """

    uri: str
    version: str = ""
    schema: str | os.PathLike[str] | None = None


ModelLike = str | os.PathLike[str] | Endpoint
"""A path (a str that ends in .onnx or has a separator), a registered name, an endpoint or its URI."""

_RESOURCE = re.compile(r"models/[^/]+(/versions/[^/]+)?")
_OTHER_FORMATS = frozenset(
    {".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".keras", ".tflite", ".pkl", ".joblib"}
)
_SEPARATORS = {"/", os.sep, os.altsep or os.sep}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """A model file's content, in one piece. `weights`: the files beside it that its weights came from."""

    onnx: bytes
    schema_json: bytes
    weights: tuple[Path, ...] = ()

    @property
    def digest(self) -> str:
        """As in ModelReference: SHA-256 of the model; with a schema, SHA-256 of the two digests in a row."""
        onnx = hashlib.sha256(self.onnx)
        if not self.schema_json:
            return onnx.hexdigest()
        return hashlib.sha256(onnx.digest() + hashlib.sha256(self.schema_json).digest()).hexdigest()

    @property
    def inline(self) -> pb.ModelReference:
        """The model itself as a reference."""
        return pb.ModelReference(inline=pb.InlineModel(onnx=self.onnx, schema_json=self.schema_json))

    def upload(self, name: str) -> list[pb.RegisterModelRequest]:
        """The messages that register it."""
        header = pb.RegisterModelHeader(name=name, schema_json=self.schema_json, digest=self.digest)
        chunks = [self.onnx[start : start + _CHUNK] for start in range(0, len(self.onnx), _CHUNK)]
        return [
            pb.RegisterModelRequest(header=header),
            *(pb.RegisterModelRequest(onnx_chunk=chunk) for chunk in chunks),
        ]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file; weights and a schema.json beside it, where there are any, belong to it."""

    path: Path

    def read(self) -> ModelBytes:
        """Raises CallerError where the file, or the weights beside it, cannot be read."""
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
        """Where its schema would lie."""
        return self.path.with_name("schema.json")

    def stamp(self, weights: tuple[Path, ...] = ()) -> tuple[object, ...]:
        """Changes when any of its files does: size and time of change."""
        return tuple(
            (stat.st_size, stat.st_mtime_ns)
            for path in (self.path, self.schema, *weights)
            if path.is_file()
            for stat in (path.stat(),)
        )


class FileDigests:
    """FileDigests of files by path, each good for as long as its file's stamp stays."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[object, ...], tuple[Path, ...], str]] = {}

    def of(self, file: ModelFile) -> str:
        """The file's digest, without reading it again where neither it nor what belongs to it changed."""
        known = self._known.get(file.path)
        if known and known[0] == file.stamp(known[1]):
            return known[2]
        before, content = file.stamp(), file.read()
        if file.stamp() == before:  # else it changed while it was read
            self._known[file.path] = (file.stamp(content.weights), content.weights, content.digest)
        return content.digest


def is_endpoint(model: str) -> bool:
    """Whether it says where a model is served."""
    return "://" in model


def choose(model: ModelLike) -> ModelFile | pb.ModelReference:
    """What the caller means by `model`."""
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
    if not isinstance(model, str):
        return ModelFile(Path(model))
    if is_endpoint(model):
        return pb.ModelReference(endpoint=pb.EndpointModel(uri=model))
    if model.endswith(".onnx"):
        return ModelFile(Path(model))
    # `models/m/versions/v` is the one form with separators that is a name.
    if _SEPARATORS & set(model) and not _RESOURCE.fullmatch(model):
        return ModelFile(Path(model))
    return pb.ModelReference(name=model)


def _advice(model: object) -> str:
    named = isinstance(getattr(model, "name", None), str)
    return "pass its .name" if named else "a model in memory has to be exported to a file first"


def _endpoint(model: Endpoint) -> pb.EndpointModel:
    """Raises CallerError where its schema cannot be read."""
    try:
        schema = Path(model.schema).read_bytes() if model.schema else b""
    except OSError as error:
        raise CallerError(f"schema {model.schema}: {error.strerror}", reason="FILE_NOT_READABLE") from error
    return pb.EndpointModel(uri=model.uri, version=model.version, schema_json=schema)
