"""Certificates and keys as PEM files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import trustme


@dataclass(frozen=True)
class PemPair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    @classmethod
    def write(cls, folder: Path, name: str, *identities: str, by: trustme.CA, **terms: Any) -> Self:
        """Writes a certificate for these identities, `name.pem` and `name.key`."""
        issued = by.issue_cert(*identities, **terms)
        pair = cls(folder / f"{name}.pem", folder / f"{name}.key")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        pair.key.write_bytes(issued.private_key_pem.bytes())
        return pair
