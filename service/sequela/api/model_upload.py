"""A model that was uploaded in chunks."""

from __future__ import annotations

from dataclasses import dataclass, field

from sequela.errors import InvalidInput
from sequela.explain.identity import model_digest


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """A model's file and schema.

    Attributes:
        name: The requested name: `m`, `m/v`, or empty to use the digest.
        schema_json: The content of schema.json; empty if none was sent.
        digest: The digest of file and schema that the caller expects; empty if it does not expect one.
        chunks: The parts of the file, in order.
    """

    name: str
    schema_json: bytes = field(repr=False)
    digest: str
    chunks: tuple[bytes, ...] = field(repr=False)

    def onnx(self) -> bytes:
        """Returns the whole file. Raises InvalidInput if its digest is not the expected one."""
        # Joined only here, in the executor's thread, because it copies the whole file.
        onnx = b"".join(self.chunks)
        digest = model_digest(onnx, self.schema_json)
        if self.digest not in ("", digest):
            text = (
                f"{self.digest} was expected, but the uploaded model has the digest {digest}; upload it again"
            )
            raise InvalidInput.at("header.digest", "DIGEST_MISMATCH", text)
        return onnx
