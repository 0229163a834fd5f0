"""Models uploaded in parts: a header, then the bytes; nothing grows past its limit while it comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.grpc.decode.references import schema_text
from sequela.api.grpc.decode.violations import Violations
from sequela.errors import InvalidInput
from sequela.explain.identity import model_digest
from sequela.explain.limits import Limits


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """An upload that has come in, still in its parts."""

    name: str
    schema_json: bytes = field(repr=False)
    digest: str
    chunks: tuple[bytes, ...] = field(repr=False)

    def onnx(self) -> bytes:
        """The whole file. Raises InvalidInput where it is not what the header's digest says."""
        onnx = b"".join(self.chunks)
        digest = model_digest(onnx, self.schema_json)
        if self.digest not in ("", digest):
            text = f"{self.digest}, but what came in has {digest}"
            raise InvalidInput.at("header.digest", "DIGEST_MISMATCH", text)
        return onnx


async def model_upload(messages: AsyncIterator[pb.RegisterModelRequest], limits: Limits) -> ModelUpload:
    """Reads an upload to its end. Raises InvalidInput."""
    header = await _header(messages, limits)
    chunks = []
    size = 0
    async for message in messages:
        if message.WhichOneof("part") != "onnx_chunk":
            raise InvalidInput.at("header", "UPLOAD_ORDER", "came twice; only chunks follow the header")
        size += len(message.onnx_chunk)
        if size > limits.max_model_bytes:
            text = f"more than {limits.max_model_bytes} bytes"
            raise InvalidInput.at("onnx_chunk", "MODEL_TOO_LARGE", text)
        chunks.append(message.onnx_chunk)
    if not size:
        raise InvalidInput.at("onnx_chunk", "MODEL_EMPTY", "no bytes followed the header")
    return ModelUpload(header.name, header.schema_json, header.digest.lower(), tuple(chunks))


async def _header(messages: AsyncIterator[pb.RegisterModelRequest], limits: Limits) -> pb.RegisterModelHeader:
    first = await anext(messages, None)
    if first is None or first.WhichOneof("part") != "header":
        raise InvalidInput.at("header", "UPLOAD_ORDER", "must come first")
    found = Violations()
    found.name("header.name", first.header.name, names.is_upload_name, names.UPLOAD_FORMS)
    schema_text(first.header.schema_json, "header.schema_json", found, limits)
    if first.header.digest:
        found.name("header.digest", first.header.digest.lower(), names.is_digest, names.DIGEST_FORM)
    found.raise_any()
    return first.header
