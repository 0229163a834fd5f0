"""Who may call what: each method of gRPC and each route of HTTP, with each role, on a running server.

The methods are those that the server lists by reflection, and the routes are those of its application. What each role
may do stands here once more, in other words than in the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import httpx
import pytest
from credential_files import ROLES, bearer, tokens_by_role
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2_grpc  # noqa: F401  # makes its descriptors known
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from sequela.access.caller import Caller
from sequela.access.roles import AccessRole
from sequela.api.permissions import GRANTS, Permissions
from sequela.errors import NotPermitted
from serving import Serving, embedded
from waiting import PATIENCE

DENIED = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
PROBES = {"Check", "List", "Watch", "ServerLive", "ServerReady"}
WORK = {"Explain", "ExplainStream", "Score", "ModelInfer"}
READING = {"GetExplanation", "ListExplanations"}
DESCRIPTIONS = {"GetModel", "ListModels", "GetBackground", "ListBackgrounds", "ServerReflectionInfo"}
DESCRIPTIONS |= {"ServerMetadata", "ModelReady", "ModelMetadata", "ModelConfig", "GetCaller"}
CHANGES = {"DeleteExplanation", "RegisterModel", "DeleteModel", "CreateBackground", "DeleteBackground"}
OPEN_PAGES = {"/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}


@dataclass(frozen=True)
class Guarded:
    """A server that knows one client of each role."""

    server: Serving
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    file = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    tokens = {"nobody": "", **tokens_by_role(file)}
    with Serving(embedded(tokens=file, open_metrics=False)) as server:
        yield Guarded(server, tokens)


def may(role: str, method: str) -> bool:
    """Returns whether a role may call a method of gRPC."""
    if method in PROBES:
        return True
    allowed = {
        "nobody": set[str](),
        "explain": WORK | DESCRIPTIONS,
        "read": READING | DESCRIPTIONS,
        "admin": WORK | READING | DESCRIPTIONS | CHANGES,
    }
    return method in allowed[role]


def may_request(role: str, verb: str, route: str) -> bool:
    """Returns whether a role may use a route of HTTP."""
    if route in OPEN_PAGES:
        return True
    if route == "/metrics":
        return role in ("read", "admin")
    return role in (("explain", "admin") if verb == "POST" else ROLES)


def methods(server: Serving, token: str) -> Iterator[str]:
    """Yields the methods that the server lists by reflection."""
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answer = next(iter(stub.ServerReflectionInfo(asked, metadata=bearer(token), timeout=PATIENCE)))
    for service in answer.list_services_response.service:
        for method in descriptor_pool.Default().FindServiceByName(service.name).methods:
            yield f"{service.name}/{method.name}"


def routes(server: Serving) -> Iterator[tuple[str, str]]:
    """Yields the routes of the application."""
    for route in server.wired.server._http.config.app.routes:
        for verb in route.methods - {"HEAD"}:
            yield verb, route.path


def call(server: Serving, method: str, token: str) -> grpc.StatusCode:
    """Sends an empty message, whose wire format is the same for all kinds of methods."""
    ask = server.channel.stream_stream(f"/{method}")
    answers = ask(iter([b""]), metadata=bearer(token), timeout=PATIENCE)
    try:
        next(answers, None)
    except grpc.RpcError:
        code: grpc.StatusCode = answers.code()
        return code
    answers.cancel()
    return grpc.StatusCode.OK


def test_every_method_is_in_the_table(guarded: Guarded) -> None:
    """A method or a route that is added without a decision fails here, and so does an entry that is left over."""
    found = {*methods(guarded.server, guarded.tokens["read"])}
    found |= {f"{verb} {route}" for verb, route in routes(guarded.server)}
    assert found == set(GRANTS)


@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_methods_by_role(guarded: Guarded, role: str) -> None:
    """A caller gets an answer or an error of the request where the role permits it, and a refusal everywhere else."""
    refused = grpc.StatusCode.PERMISSION_DENIED if role != "nobody" else grpc.StatusCode.UNAUTHENTICATED
    for method in methods(guarded.server, guarded.tokens["read"]):
        code = call(guarded.server, method, guarded.tokens[role])
        if may(role, method.rpartition("/")[2]):
            assert code not in DENIED, method
        else:
            assert code is refused, method


@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_routes_by_role(guarded: Guarded, role: str) -> None:
    """The same over HTTP, with an empty body."""
    headers = dict(bearer(guarded.tokens[role]))
    with httpx.Client(
        base_url=f"http://{guarded.server.bound.http}", headers=headers, timeout=PATIENCE
    ) as client:
        for verb, route in routes(guarded.server):
            path = route.replace("{name}", "m").replace("{version}", "1")
            answer = client.request(verb, path)
            if may_request(role, verb, route):
                assert answer.status_code not in (401, 403), route
                continue
            assert answer.status_code == (401 if role == "nobody" else 403), route
            assert answer.json()["reason"] in ("CREDENTIALS_MISSING", "METHOD_NOT_PERMITTED")
            if role == "nobody":
                assert answer.headers["www-authenticate"] == "Bearer"


def test_a_method_outside_the_table_is_for_nobody_but_admin() -> None:
    """If somebody forgets it all the same, it is not open."""
    table = Permissions.of(open_uploads=False, open_metrics=False)
    for role in (AccessRole.EXPLAIN, AccessRole.READ):
        with pytest.raises(NotPermitted):
            table.check("sequela.v1.New/Method", Caller("c", frozenset({role})))
    table.check("sequela.v1.New/Method", Caller("c", frozenset({AccessRole.ADMIN})))
