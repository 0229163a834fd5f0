"""Computes the digest of a model as the contract's comment on ModelReference.digest says."""

from __future__ import annotations

from hashlib import sha256


def digest_of(onnx: bytes, schema: bytes = b"") -> str:
    if not schema:
        return sha256(onnx).hexdigest()
    return sha256(sha256(onnx).digest() + sha256(schema).digest()).hexdigest()
