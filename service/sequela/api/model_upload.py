"""A model that has come in, still in its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from sequela.errors import InvalidInput
from sequela.explain.identity import model_digest


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """A model's file and schema.

    Attributes:
        name: The name asked for: `m`, `m/v`, or empty for the digest.
        schema_json: The content of schema.json; empty where none was sent.
        digest: What the caller says that file and schema hash to; empty where it does not say.
        chunks: The parts of the file, in order.
    """

    name: str
    schema_json: bytes = field(repr=False)
    digest: str
    chunks: tuple[bytes, ...] = field(repr=False)

    def onnx(self) -> bytes:
        """The whole file. Raises InvalidInput where its digest is not the one that was announced."""
        onnx = b"".join(self.chunks)
        digest = model_digest(onnx, self.schema_json)
        if self.digest not in ("", digest):
            text = f"{self.digest}, but what came in has the digest {digest}"
            raise InvalidInput.at("header.digest", "DIGEST_MISMATCH", text)
        return onnx
