"""Tokens of an identity provider: right ones, forged ones, and keys that change."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from credential_files import bearer, code_of, replace
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sequela.access import key_sources
from sequela.access.key_sources import KeyFile, KeyUrl
from sequela.access.roles import AccessRole
from sequela.access.signed_tokens import LEEWAY_SECONDS, JsonWebTokens, TokenRules
from sequela.errors import NotAuthenticated, Unavailable
from sequela.explain.telemetry import CredentialsReloaded
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded
from waiting import PATIENCE, eventually

RULES = TokenRules("https://idp.example", "sequela", "roles")
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


@cache
def rsa_key(name: str = "rsa") -> rsa.RSAPrivateKey:
    """Returns the key of this name. It takes long to make one, so a test makes it when it needs it first."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(**named: Any) -> str:
    """Returns the public keys by their ids."""
    keys = []
    for name, key in named.items():
        kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
        algorithm: Any = next((each for kind, each in kinds.items() if isinstance(key, kind)), OKPAlgorithm)
        keys.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig"})
    return json.dumps({"keys": keys})


def signed(key: Any = None, kid: str = "rsa", algorithm: str = "RS256", **changed: Any) -> str:
    """Returns a token. A claim that is changed to None is left out."""
    claims = {
        "iss": RULES.issuer,
        "aud": "sequela",
        "sub": "alice",
        "exp": time.time() + 60,
        "roles": ["read"],
    }
    given = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return jwt.encode(given, key or rsa_key(), algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_text(key_set(rsa=rsa_key(), ec=EC, ed=ED))
    return path


@pytest.fixture
def tokens(file: Path) -> JsonWebTokens:
    return JsonWebTokens(RULES, KeyFile(file, lambda _: None))


def refusal(tokens: JsonWebTokens, token: str) -> NotAuthenticated:
    with pytest.raises(NotAuthenticated) as caught:
        tokens.caller(token)
    assert token not in caught.value.message
    return caught.value


def test_tokens_by_each_kind_of_key(tokens: JsonWebTokens) -> None:
    """The caller is the subject. Names in the claim that are not roles are ignored."""
    assert tokens.caller(signed()).name == "jwt:alice"
    assert tokens.caller(signed(EC, "ec", "ES256", roles="explain read other")).roles == {
        AccessRole.EXPLAIN,
        AccessRole.READ,
    }
    assert tokens.caller(signed(ED, "ed", "EdDSA", roles=None)).roles == frozenset()
    assert tokens.caller(signed(aud=["other", "sequela"], roles=["admin"])).roles == {AccessRole.ADMIN}


def test_roles_inside_an_object(file: Path) -> None:
    """As Keycloak sends them."""
    tokens = JsonWebTokens(
        TokenRules(*("https://idp.example", "sequela"), "realm_access.roles"), KeyFile(file, print)
    )
    assert tokens.caller(signed(realm_access={"roles": ["explain"]})).roles == {AccessRole.EXPLAIN}
    assert tokens.caller(signed(realm_access="explain")).roles == frozenset()


def test_forged_tokens(tokens: JsonWebTokens) -> None:
    """Another key, no signature, a public key as shared secret, other claims: each is refused, and says why."""
    public = (
        rsa_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header, payload, signature = signed().split(".")
    no_signature = jwt.encode(
        {"iss": RULES.issuer, "sub": "a"}, None, algorithm="none", headers={"kid": "rsa"}
    )
    shared = jwt.api_jws.PyJWS(algorithms=["HS256"])
    secret = public.decode().split("-----")[2].encode() * 2
    forged = {
        signed(rsa_key("other")): "signature is wrong",
        signed(rsa_key("other"), "other"): "key that the server does not have",
        no_signature: "algorithm",
        shared.encode(b"{}", secret, algorithm="HS256", headers={"kid": "rsa"}): "algorithm",
        f"{header}.{payload[:-4]}AAAA.{signature}": "",
        f"{header}.{payload}.": "signature is wrong",
        signed(iss="https://other.example"): "another issuer",
        signed(aud="other"): "another audience",
        signed(sub=None): "lacks one of the claims",
        signed(exp=None): "lacks one of the claims",
        signed(nbf=time.time() + 3600): "not valid yet",
        "a.b.c": "malformed",
        "..": "malformed",
    }
    for token, said in forged.items():
        found = refusal(tokens, token)
        assert found.reason == "TOKEN_UNKNOWN"
        assert said in found.message


def test_an_expired_token(tokens: JsonWebTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that was accepted a moment ago, whose signature is not checked again."""
    late = time.time() - LEEWAY_SECONDS - 1
    expired = refusal(tokens, signed(exp=late))
    assert (expired.reason, expired.caller) == ("TOKEN_EXPIRED", "jwt:alice")
    # Who has a token for others is not a caller of this server.
    assert refusal(tokens, signed(exp=late, aud="others")).caller == ""
    token = signed(exp=time.time() + 1)
    assert tokens.caller(token).name == "jwt:alice"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LEEWAY_SECONDS + 2)
    assert refusal(tokens, token).reason == "TOKEN_EXPIRED"


def test_keys_that_change(tokens: JsonWebTokens, file: Path) -> None:
    """A new key counts at once, and a token of a removed key is refused although it was accepted before."""
    old, new = signed(), signed(rsa_key("other"), "other")
    assert tokens.caller(old)
    replace(file, key_set(other=rsa_key("other")))
    assert tokens.caller(new)
    assert refusal(tokens, old).reason == "TOKEN_UNKNOWN"


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'])
def test_files_without_keys(file: Path, text: str) -> None:
    """A shared secret is not a public key."""
    replace(file, text)
    with pytest.raises(ValueError, match=r"keys\.json"):
        KeyFile(file, lambda _: None)


def test_a_key_for_encryption_signs_nothing(file: Path) -> None:
    """A provider may publish such keys in the same set."""
    keys = json.loads(key_set(rsa=rsa_key(), other=rsa_key("other")))
    keys["keys"][1]["use"] = "enc"
    replace(file, json.dumps(keys))
    tokens = JsonWebTokens(RULES, KeyFile(file, lambda _: None))
    assert tokens.caller(signed()).name == "jwt:alice"
    assert "key that the server does not have" in refusal(tokens, signed(rsa_key("other"), "other")).message


class Provider:
    """An identity provider that serves its keys over HTTP, or an error."""

    def __init__(self) -> None:
        provider = self
        self.answer: str | None = None
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # Once it is counted, a test may change the answer: this one stays as it was.
                answer = provider.answer
                provider.asked += 1
                self.send_response(200 if answer else 503)
                self.end_headers()
                self.wfile.write((answer or "").encode())

            def log_message(self, *_: object) -> None:
                """Writes nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setattr(key_sources, "MIN_REFRESH_SECONDS", 0.02)
    made = Provider()
    yield made
    made.close()


def test_keys_behind_a_url(provider: Provider) -> None:
    """While there are none, callers are told to retry. The last keys stay while the provider fails."""
    told = list[CredentialsReloaded]()
    keys = KeyUrl(provider.url, told.append)
    tokens = JsonWebTokens(RULES, keys)
    with pytest.raises(Unavailable, match="retry later"):
        tokens.caller(signed())
    provider.answer = key_set(rsa=rsa_key())
    eventually(lambda: keys.current() is not None)
    assert tokens.caller(signed())
    provider.answer = None
    asked = provider.asked
    refusal(tokens, signed(rsa_key("other"), "other"))  # asks for newer keys
    eventually(lambda: provider.asked > asked)
    assert tokens.caller(signed())
    provider.answer = key_set(rsa=rsa_key(), other=rsa_key("other"))
    refusal(tokens, signed(rsa_key("other"), "other"))
    eventually(lambda: "other" in (keys.current() or {}))
    assert tokens.caller(signed(rsa_key("other"), "other"))
    asked = provider.asked
    refusal(tokens, signed(rsa_key("other"), "a third"))
    eventually(lambda: provider.asked > asked + 1 or keys.refresh())
    keys.close()
    assert sum(each.ok for each in told) == 2, "the same keys were reported as new"


def test_strangers_cannot_make_the_server_flood_the_provider(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tokens name unknown keys, the keys are read once in each interval."""
    monkeypatch.setattr(key_sources, "MIN_REFRESH_SECONDS", 60.0)
    provider.answer = key_set(rsa=rsa_key())
    keys = KeyUrl(provider.url, lambda _: None)
    eventually(lambda: keys.current() is not None)
    tokens = JsonWebTokens(RULES, keys)
    for number in range(100):
        refusal(tokens, signed(rsa_key("other"), f"other-{number}"))
    assert provider.asked == 1
    keys.close()


def test_a_server_with_an_identity_provider(file: Path) -> None:
    """Signed tokens on a running server, beside no other kind."""
    named = {"jwt_issuer": RULES.issuer, "jwt_audience": "sequela", "jwt_keys": str(file)}
    with Serving(embedded(**named)) as server:

        def ask(token: str) -> grpc.StatusCode:
            request = pb.ListModelsRequest()
            return code_of(
                lambda: server.models.ListModels(request, metadata=bearer(token), timeout=PATIENCE)
            )

        assert ask(signed()) is grpc.StatusCode.OK
        assert ask(signed(roles=[])) is grpc.StatusCode.PERMISSION_DENIED
        assert ask(signed(rsa_key("other"))) is ask("opaque") is ask("") is grpc.StatusCode.UNAUTHENTICATED
