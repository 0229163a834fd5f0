"""The file of identities: the roles of clients by the names in their certificates.

A line is `IDENTITY ROLES`. An identity is `dns:NAME` or `uri:URI`, of which SPIFFE ids are a kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequela.access.caller import AuthenticationMethod, Caller
from sequela.access.credentials import ClientCertificate
from sequela.access.identity_names import normal_name
from sequela.access.lines import NoEntries, numbered_words
from sequela.access.roles import AccessRole, parse_roles
from sequela.errors import NotAuthenticated

KINDS = ("dns:", "uri:")
FORM = "a line must be `IDENTITY ROLES`, where IDENTITY is dns:NAME, uri:URI or spiffe://DOMAIN/PATH"


@dataclass(frozen=True, slots=True)
class IdentityFile:
    """The roles of all identities of a file."""

    roles: Mapping[str, frozenset[AccessRole]]

    @classmethod
    def parse(cls, text: str) -> IdentityFile:
        """Reads the file. Raises ValueError, or NoEntries, which names the line."""
        roles: dict[str, frozenset[AccessRole]] = {}
        for number, words in numbered_words(text):
            try:
                identity, named = _entry(words)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
            if identity in roles:
                raise ValueError(
                    f"line {number}: {identity} is in the file twice; put all of its roles on one line"
                )
            roles[identity] = named
        if not roles:
            # A file that is being written is empty for a moment.
            raise NoEntries(f"holds no identity; {FORM}")
        return cls(roles)

    def caller(self, certificate: ClientCertificate) -> Caller:
        """Returns the first identity of a certificate that the file has. Raises NotAuthenticated (IDENTITY_UNKNOWN)."""
        found = next((each for each in certificate.identities if each in self.roles), None)
        if found is None:
            names = ", ".join(certificate.identities[:3]) or "no DNS name or URI"
            text = f"the client's certificate is for {names}, which the server does not know"
            raise NotAuthenticated("IDENTITY_UNKNOWN", text)
        return Caller(found, self.roles[found], AuthenticationMethod.CERTIFICATE)


def _entry(words: list[str]) -> tuple[str, frozenset[AccessRole]]:
    if len(words) != 2:
        raise ValueError(FORM)
    identity = normal_name(words[0])
    if not identity.startswith(KINDS) or identity in KINDS:
        raise ValueError(FORM)
    return identity, parse_roles(words[1].split(","))
