"""An endpoint whose scheme, port or authority is wrong in endpoint.toml: the detail says which, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from serving import Serving, embedded
from waiting import PATIENCE, eventually

UNTRUSTED = (
    "its certificate is from an authority that is not trusted; "
    "set `ca` in endpoint.toml to that authority's file"
)
MISTAKES = {
    "grpcs://{tls}/m": UNTRUSTED,
    "https://{tls}/v2/models/m": UNTRUSTED,
    "grpcs://{plain}/m": "it does not speak TLS; use the scheme grpc or http, or another port",
    "https://{http}/v2/models/m": "it does not speak TLS; use the scheme grpc or http, or another port",
    "grpc://{http}/m": "it speaks HTTP/1, not gRPC; use the scheme http or https, or another port",
    "grpc://{tls}/m": "it closes the connection without an answer; if it speaks TLS, use the scheme grpcs",
    "http://{tls}/v2/models/m": "it closes the connection without an answer; if it speaks TLS, use the scheme https",
}


@dataclass(frozen=True)
class Places:
    """Who listens where."""

    tls: str
    plain: str
    http: str


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A server with a certificate of an authority that nobody knows, and one without TLS."""
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    with (
        Serving(embedded(tls_certificate=certificate, tls_key=key)) as tls,
        Serving(embedded()) as plain,
    ):
        yield Places(tls.bound.grpc, plain.bound.grpc, plain.bound.http)


def test_mistakes_are_named(places: Places, tmp_path: Path) -> None:
    """All of them beside each other, in one repository."""
    uris = {f"m{number}": uri.format(**vars(places)) for number, uri in enumerate(MISTAKES)}
    for name, uri in uris.items():
        folder = tmp_path / name / "1"
        folder.mkdir(parents=True)
        (folder / "endpoint.toml").write_text(f'uri = "{uri}"\n')
    with Serving(embedded(model_repository=tmp_path)) as server:

        def details() -> dict[str, str]:
            records = server.wired.configured.records().items()
            return {name.model: record.detail for name, record in records if record.detail}

        # An attempt that a busy machine delays may fail for another reason; the next one is soon.
        wanted = {
            name: f"{uri} is not available: {said}"
            for (name, uri), said in zip(uris.items(), MISTAKES.values(), strict=True)
        }
        eventually(
            lambda: all(details().get(name, "").startswith(said) for name, said in wanted.items()), PATIENCE
        )
