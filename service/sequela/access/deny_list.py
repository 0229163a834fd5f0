"""The file of revoked clients, who may not call any more although their tokens or certificates are still valid.

A line is the name of a client, as the audit log writes it, or it stands for a certificate: one of its identities, or
`sha256:FINGERPRINT`. Identities may be written as in the file of identities. A name may be in quotes, as in the audit
log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from sequela.access.credentials import ClientCertificate
from sequela.access.identity_names import normal_name
from sequela.access.lines import digest_of, numbered_lines, without_comment
from sequela.errors import NotAuthenticated

FORM = "a line must be one name, or one `sha256:` and a fingerprint"

_COLONS = re.compile(r"(?<=[0-9A-Fa-f]{2}):(?=[0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class DenyList:
    """Names of clients, and fingerprints of certificates."""

    names: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> DenyList:
        """Reads the file. Raises ValueError, which names the line."""
        names, fingerprints = set[str](), set[str]()
        for number, line in numbered_lines(text):
            try:
                name = _name(line)
                if name.lower().startswith("sha256:"):
                    fingerprints.add(_fingerprint(name))
                else:
                    names.add(normal_name(name))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        return cls(frozenset(names), frozenset(fingerprints))

    def check_certificate(self, certificate: ClientCertificate) -> None:
        """Raises NotAuthenticated (CALLER_REVOKED)."""
        if certificate.fingerprint in self.fingerprints:
            fingerprint = f"sha256:{certificate.fingerprint}"
            raise _revoked(f"the certificate {fingerprint}", next(iter(certificate.identities), fingerprint))
        self.check_names(certificate.identities)

    def check_names(self, names: Iterable[str]) -> None:
        """Raises NotAuthenticated (CALLER_REVOKED)."""
        for name in names:
            if normal_name(name) in self.names:
                raise _revoked(name, name)


def _name(line: str) -> str:
    """Returns the name in a line. Raises ValueError if the line would not revoke what it seems to."""
    if line.startswith('"'):
        return _quoted_name(line)
    name = without_comment(line)
    if name.startswith("jwt:"):
        # Identity providers allow spaces in a subject, but no other name has any.
        return name
    if len(name.split()) != 1:
        raise ValueError(FORM)
    if "#" in name and not name.lower().startswith(("uri:", "spiffe:")):
        raise ValueError("the name has a `#`; write a space before a comment")
    return name


def _quoted_name(line: str) -> str:
    try:
        name, end = json.JSONDecoder().raw_decode(line)
    except ValueError:
        raise ValueError("a name in quotes must be a JSON string, as in the audit log") from None
    if without_comment(line[end:]):
        raise ValueError(FORM)
    return str(name)


def _fingerprint(name: str) -> str:
    kind, _, digits = name.partition(":")
    # Tools print fingerprints with colons between the bytes.
    return digest_of(f"{kind}:{_COLONS.sub('', digits)}", "a fingerprint")


def _revoked(what: str, caller: str) -> NotAuthenticated:
    text = f"{what} has been revoked; ask the server's operator"
    return NotAuthenticated("CALLER_REVOKED", text, caller=caller)
