"""The file of revoked clients, who may not call any more although their tokens or certificates are still valid.

A line is the name of a client, as the audit log writes it, or of a certificate an identity or `sha256:FINGERPRINT`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sequela.access.credentials import ClientCertificate
from sequela.access.lines import digest_of, numbered_words
from sequela.errors import NotAuthenticated

_COLONS = re.compile(r"(?<=[0-9A-Fa-f]{2}):(?=[0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class DenyList:
    """Names of clients, and fingerprints of certificates."""

    names: frozenset[str]
    fingerprints: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> DenyList:
        """Reads the file. Raises ValueError, which names the line."""
        names, fingerprints = set[str](), set[str]()
        for number, words in numbered_words(text):
            if len(words) != 1:
                raise ValueError(
                    f"line {number}: a line must be one name, or one `sha256:` and a fingerprint"
                )
            word = words[0]
            if not word.lower().startswith("sha256:"):
                names.add(word)
                continue
            kind, _, digits = word.partition(":")
            try:
                # Tools print fingerprints with colons between the bytes.
                fingerprints.add(digest_of(f"{kind}:{_COLONS.sub('', digits)}", "a fingerprint"))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        return cls(frozenset(names), frozenset(fingerprints))

    def check_certificate(self, certificate: ClientCertificate) -> None:
        """Raises NotAuthenticated (CALLER_REVOKED)."""
        if certificate.fingerprint in self.fingerprints:
            raise _revoked(f"the certificate sha256:{certificate.fingerprint}")
        self.check_names(certificate.identities)

    def check_names(self, names: Iterable[str]) -> None:
        """Raises NotAuthenticated (CALLER_REVOKED)."""
        for name in names:
            if name in self.names:
                raise _revoked(name)


def _revoked(what: str) -> NotAuthenticated:
    return NotAuthenticated("CALLER_REVOKED", f"{what} has been revoked; ask the server's operator")
