"""Decodes requests of ModelService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.grpc.decode.references import schema_text
from sequela.api.model_upload import ModelUpload
from sequela.api.violations import Violations
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits


async def model_upload(messages: AsyncIterator[pb.RegisterModelRequest], limits: Limits) -> ModelUpload:
    """Reads an upload to its end, or until it exceeds the limit. Raises InvalidInput."""
    header = _header(await anext(messages, None), limits)
    chunks = []
    size = 0
    async for message in messages:
        match message.WhichOneof("part"):
            case "header":
                text = "was sent twice; only onnx_chunk may follow the header"
                raise InvalidInput.at("header", "UPLOAD_ORDER", text)
            case None:
                raise InvalidInput.at(
                    "onnx_chunk", "UPLOAD_ORDER", "is missing from a message after the header"
                )
        size += len(message.onnx_chunk)
        if size > limits.max_model_bytes:
            text = f"the file exceeds the limit of {limits.max_model_bytes} bytes (--max-model-bytes)"
            raise InvalidInput.at("onnx_chunk", "MODEL_TOO_LARGE", text)
        chunks.append(message.onnx_chunk)
    if not size:
        raise InvalidInput.at("onnx_chunk", "MODEL_EMPTY", "no bytes of the model followed the header")
    return ModelUpload(header.name, header.schema_json, header.digest.lower(), tuple(chunks))


def model_name(name: str) -> str:
    """Checks a model's name, which may have any form. Raises InvalidInput."""
    return Violations.check_name("name", name, names.is_model_reference, names.MODEL_FORMS)


def _header(message: pb.RegisterModelRequest | None, limits: Limits) -> pb.RegisterModelHeader:
    if message is None or message.WhichOneof("part") != "header":
        raise InvalidInput.at("header", "UPLOAD_ORDER", "must be sent first")
    header, violations = message.header, Violations()
    violations.name("header.name", header.name, names.is_upload_name, names.UPLOAD_FORMS)
    schema_text(header.schema_json, "header.schema_json", violations, limits)
    if header.digest:
        violations.name("header.digest", header.digest.lower(), names.is_digest, names.DIGEST_FORM)
    violations.raise_any()
    return header
