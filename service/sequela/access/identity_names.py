"""Brings the names of clients into one form, in which the files of identities and of revoked clients are compared."""

from __future__ import annotations

import re

# RFC 3986: the scheme and the host of a URI ignore case, and the rest does not.
_URI = re.compile(r"(?P<scheme>[^:/?#]+:)(?://(?P<user>[^/?#]*@)?(?P<host>[^/?#]*))?(?P<rest>.*)", re.DOTALL)


def normal_name(name: str) -> str:
    """Returns the name of a client in the form in which names are compared.

    `dns:` and `uri:` may be written in either case. DNS names are in lower case, and so are schemes and hosts of URIs.
    `spiffe://DOMAIN/PATH` becomes a `uri:`. All other names stay as they are.
    """
    kind, _, rest = name.partition(":")
    match kind.lower():
        case "dns":
            return f"dns:{rest.lower()}"
        case "uri":
            return f"uri:{_normal_uri(rest)}"
        case "spiffe" if rest.startswith("//"):
            return f"uri:{_normal_uri(name)}"
        case _:
            return name


def _normal_uri(uri: str) -> str:
    found = _URI.fullmatch(uri)
    if not found:
        return uri
    host = "" if found["host"] is None else f"//{found['user'] or ''}{found['host'].lower()}"
    return f"{found['scheme'].lower()}{host}{found['rest']}"
