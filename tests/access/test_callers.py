"""What GetCaller says, by gRPC and with both clients, for each way in which a server can know its callers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import jwt
import pytest
from credential_files import Pki, bearer, token_line
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt.algorithms import OKPAlgorithm
from sequela_client import AsyncSequela, Caller, CredentialsMissing, Sequela, TokenRefused
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from serving import Serving, embedded
from waiting import PATIENCE

KEY = ed25519.Ed25519PrivateKey.generate()
ISSUER, AUDIENCE = "https://idp.example", "sequela"


@dataclass(frozen=True)
class Door:
    """A server that knows tokens, certificates and signed tokens, and the files of a client with a certificate."""

    server: Serving
    files: dict[str, Path]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("callers")
    pki = Pki(folder)
    (folder / "tokens").write_text(token_line("anna", "token-of-anna", "read,explain"))
    (folder / "identities").write_text("dns:scorer.example explain\n")
    public = json.loads(OKPAlgorithm.to_jwk(KEY.public_key()))
    (folder / "keys").write_text(json.dumps({"keys": [{**public, "kid": "k", "use": "sig"}]}))
    client = pki.client("scorer.example")
    (folder / "client.pem").write_bytes(client.made.cert_chain_pems[0].bytes())
    (folder / "client.key").write_bytes(client.made.private_key_pem.bytes())
    named = pki.settings(tokens=folder / "tokens", identities=folder / "identities")
    issuer = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": str(folder / "keys")}
    files = {"ca": pki.ca, "certificate": folder / "client.pem", "key": folder / "client.key"}
    with Serving(embedded(**named, **issuer)) as server:
        yield Door(server, files)


def signed(**claims: object) -> str:
    """Returns a token of the identity provider."""
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": time.time() + 60, **claims}
    private = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return jwt.encode(given, private, algorithm="EdDSA", headers={"kid": "k"})


def told(door: Door, token: str) -> pb.Caller:
    """Returns the answer of gRPC to a call with a token, over a connection with a certificate."""
    pair = grpc.ssl_channel_credentials(
        door.files["ca"].read_bytes(), door.files["key"].read_bytes(), door.files["certificate"].read_bytes()
    )
    with grpc.secure_channel(door.server.bound.grpc, pair) as channel:
        stub = rpc.AccessServiceStub(channel)
        return stub.GetCaller(pb.GetCallerRequest(), metadata=bearer(token), timeout=PATIENCE).caller


def test_each_way_of_knowing_a_caller(door: Door) -> None:
    """The name is that of the audit log. Roles are in the order of the contract, whatever their order in the file."""
    assert told(door, "token-of-anna") == pb.Caller(
        name="anna", roles=[pb.ROLE_EXPLAIN, pb.ROLE_READ], method=pb.AUTHENTICATION_METHOD_TOKEN
    )
    assert told(door, "") == pb.Caller(
        name="dns:scorer.example", roles=[pb.ROLE_EXPLAIN], method=pb.AUTHENTICATION_METHOD_CERTIFICATE
    )
    assert told(door, signed(roles=["admin"])) == pb.Caller(
        name="jwt:alice", roles=[pb.ROLE_ADMIN], method=pb.AUTHENTICATION_METHOD_JWT
    )


def test_a_known_caller_without_a_role_is_refused(door: Door) -> None:
    """Its token is right, but it may do nothing here."""
    with pytest.raises(grpc.RpcError) as caught:
        told(door, signed(roles=["other"]))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_clients_read_it(door: Door) -> None:
    """Both, as words; and a wrong token is an error, not a stranger."""
    with Sequela(door.server.bound.grpc, token="token-of-anna", **door.files) as sequela:
        assert sequela.get_caller() == Caller("anna", ("explain", "read"), "token")
    with (
        Sequela(door.server.bound.grpc, token="unknown", **door.files) as sequela,
        pytest.raises(TokenRefused),
    ):
        sequela.get_caller()

    async def ask() -> Caller:
        async with AsyncSequela(door.server.bound.grpc, **door.files) as sequela:
            return await sequela.get_caller()

    assert asyncio.run(ask()) == Caller("dns:scorer.example", ("explain",), "certificate")


def test_a_server_that_serves_everybody(tmp_path: Path) -> None:
    """It answers without credentials, and a token changes nothing. One that knows callers refuses a stranger."""
    with Serving(embedded()) as server, Sequela(server.bound.grpc) as sequela:
        assert sequela.get_caller() == Caller("", ("explain", "read", "admin"), "none")
        stub = rpc.AccessServiceStub(server.channel)
        answer = stub.GetCaller(pb.GetCallerRequest(), metadata=bearer("any"), timeout=PATIENCE)
        assert answer.caller.method == pb.AUTHENTICATION_METHOD_NONE
    (tmp_path / "tokens").write_text(token_line("anna", "token-of-anna", "read"))
    with (
        Serving(embedded(tokens=tmp_path / "tokens")) as server,
        Sequela(server.bound.grpc) as sequela,
        pytest.raises(CredentialsMissing),
    ):
        sequela.get_caller()


def test_any_certificate_of_the_authority(tmp_path: Path) -> None:
    """Where certificates are required and nothing says who may do what, the caller is that of the certificate."""
    pki = Pki(tmp_path)
    pair = pki.client("anybody.example").grpc()
    with (
        Serving(embedded(**pki.settings())) as server,
        grpc.secure_channel(server.bound.grpc, pair) as channel,
    ):
        found = rpc.AccessServiceStub(channel).GetCaller(pb.GetCallerRequest(), timeout=PATIENCE).caller
    assert (found.name, found.method) == ("dns:anybody.example", pb.AUTHENTICATION_METHOD_CERTIFICATE)
    assert len(found.roles) == 3
