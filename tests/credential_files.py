"""Certificates and files of tokens, as operators write them, for tests of access."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROLES = ("explain", "read", "admin")


def token_line(name: str, token: str, roles: str, days: float = 1.0) -> str:
    """Returns a line of the file of tokens."""
    expires = datetime.now(UTC) + timedelta(days=days)
    return (
        f"{name} sha256:{hashlib.sha256(token.encode()).hexdigest()} {roles} {expires:%Y-%m-%dT%H:%M:%SZ}\n"
    )


def tokens_by_role(path: Path) -> Mapping[str, str]:
    """Writes a token for each role, and returns the tokens."""
    tokens = {role: f"token-of-{role}" for role in ROLES}
    path.write_text("".join(token_line(f"client-{role}", tokens[role], role) for role in ROLES))
    return tokens


def replace(path: Path, content: bytes | str) -> None:
    """Replaces a file in one step, as tools for certificates do."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(draft, path)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call with a token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


class Pki:
    """An authority, the files of a server that has a certificate of it, and certificates of clients."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.certificate, self.key, self.ca = folder / "server.pem", folder / "server.key", folder / "ca.pem"
        self._folder = folder
        # Threads that make clients at once must not get the same number.
        self._numbers = count(1)
        self.issue_server()
        replace(self.ca, self.root)

    @property
    def root(self) -> bytes:
        return self.authority.cert_pem.bytes()

    def issue_server(self, authority: trustme.CA | None = None) -> trustme.LeafCert:
        """Gives the server a new certificate and key."""
        made = (authority or self.authority).issue_cert("localhost", "127.0.0.1")
        replace(self.key, made.private_key_pem.bytes())
        replace(self.certificate, chain(made))
        return made

    def settings(self, **more: Any) -> dict[str, Any]:
        """Returns the settings of TLS with client certificates."""
        return {"tls_certificate": self.certificate, "tls_key": self.key, "tls_client_ca": self.ca, **more}

    def client(
        self, name: str, authority: trustme.CA | None = None, not_after: datetime | None = None
    ) -> ClientPair:
        """Returns a client with a certificate for a DNS name or a URI."""
        issuer = authority or self.authority
        made = (
            uri_certificate(issuer, name) if "://" in name else issuer.issue_cert(name, not_after=not_after)
        )
        return ClientPair(self.root, made, self._folder / f"client-{next(self._numbers)}")


class ClientPair:
    """A client's certificate and key, for gRPC and for HTTPS."""

    def __init__(self, root: bytes, made: trustme.LeafCert, stem: Path) -> None:
        self.made = made
        self._root = root
        self._stem = stem

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the certificate, as tools print it."""
        der = ssl.PEM_cert_to_DER_cert(self.made.cert_chain_pems[0].bytes().decode())
        return hashlib.sha256(der).hexdigest()

    def grpc(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self._root, self.made.private_key_pem.bytes(), chain(self.made))

    def https(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self._root.decode())
        file = self._stem.with_suffix(".pem")
        file.write_bytes(self.made.private_key_pem.bytes() + chain(self.made))
        context.load_cert_chain(file)
        return context


def uri_certificate(authority: trustme.CA, uri: str) -> trustme.LeafCert:
    """Returns a certificate for a URI, which trustme does not make."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    signer: Any = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    now = datetime.now(UTC)
    name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(name, critical=True)
        .sign(signer, hashes.SHA256())
    )
    pem, forms = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    plain = serialization.NoEncryption()
    return trustme.LeafCert(key.private_bytes(pem, forms, plain), made.public_bytes(pem), [])


def chain(made: trustme.LeafCert) -> bytes:
    return b"".join(blob.bytes() for blob in made.cert_chain_pems)


def code_of(call: Callable[[], Any]) -> grpc.StatusCode:
    """Returns the code with which a call ends."""
    try:
        call()
    except grpc.RpcError as error:
        found: grpc.StatusCode = error.code()
        return found
    return grpc.StatusCode.OK
