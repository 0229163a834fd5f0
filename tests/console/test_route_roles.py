"""Every route of the console's API, asked by everybody who should not: without login, without role, as another site."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from console.cohort_files import write_cohort
from console.running_console import running_console
from credential_files import token_line, tokens_by_role
from sequela_client.credentials import Credentials
from sequela_console.api_route import ApiRoute
from sequela_console.app import API_ROUTES
from serving import Serving, embedded

# Written down once more, so that a new route gets its role on purpose.
ROLES = {
    "GET /api/alerts": "read",
    "GET /api/alerts/{id}": "read",
    "GET /api/alerts/{id}/neighbours": "read",
    "GET /api/alerts/{id}/labels": "read",
    "POST /api/alerts/{id}/labels": "read",
    "GET /api/alerts/{id}/trail": "read",
    "POST /api/alerts/{id}/opened": "read",
    "POST /api/alerts/{id}/shared": "read",
    "POST /api/alerts/{id}/score": "explain",
    "POST /api/alerts/{id}/explain": "explain",
    "POST /api/alerts/{id}/replay": "explain",
    "POST /api/alerts/{id}/changes": "explain",
    "GET /api/alerts/{id}/similar": "read",
    "GET /api/alerts/{id}/export.json": "read",
    "GET /api/alerts/{id}/export.csv": "read",
    "POST /api/alerts/{id}/embed-link": "read",
    "GET /api/labels.csv": "read",
    "GET /api/labels.json": "read",
    "GET /api/models": "read",
    "GET /api/backgrounds": "read",
    "POST /api/links": "read",
    "GET /api/links/{id}": "read",
    "GET /api/index": "read",
    "GET /api/cohorts": "read",
    "GET /api/cohorts/{cohort}": "read",
    "GET /api/cohorts/{cohort}/event-table": "read",
    "GET /api/cohorts/{cohort}/figures/{figure}": "read",
    "GET /api/cohorts/{cohort}/density/{of}": "read",
    "POST /api/cohorts/{cohort}/members": "read",
    "GET /api/cohorts/{cohort}/rows/{row}": "read",
}
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
EXPIRED = "of-somebody-who-left"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A client of a console before a service that asks for tokens, and a token of each role."""
    folder = tmp_path_factory.mktemp("closed")
    tokens = dict(tokens_by_role(folder / "tokens"))
    with (folder / "tokens").open("a") as file:
        file.write(token_line("analyst", "token-of-analyst", "read,explain"))
        file.write(token_line("left", EXPIRED, "read", days=-1.0))
    with (
        Serving(embedded(tokens=folder / "tokens")) as service,
        running_console(
            service.bound.grpc,
            folder,
            credentials=Credentials(token=tokens["read"]),
            cohorts={"shop": write_cohort(folder / "shop", count=5)},
        ) as console,
        httpx.Client(base_url=console.url, timeout=30) as client,
    ):
        yield client, tokens


def path_of(route: ApiRoute) -> str:
    return route.path.format(id="0" * 32, cohort="shop", figure="events", of="events", row="1")


def ask(client: httpx.Client, route: ApiRoute, headers: dict[str, str], method: str = "") -> httpx.Response:
    body = None if route.method == "GET" else {}
    return client.request(method or route.method, path_of(route), headers=headers, json=body)


def reason(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"]
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"]
    return answer.status_code, error["reason"]


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_who_may_ask(closed: tuple[httpx.Client, dict[str, str]], route: ApiRoute) -> None:
    client, tokens = closed
    bearer = {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}
    assert reason(ask(client, route, {})) == (401, "LOGIN_NEEDED")
    assert reason(ask(client, route, {"Cookie": "sequela=x; sequela_80=x"})) == (401, "LOGIN_NEEDED")
    assert reason(ask(client, route, {"Authorization": "Basic eDp5"})) == (401, "LOGIN_NEEDED")
    for wrong in ("made-up", EXPIRED):
        assert reason(ask(client, route, {"Authorization": f"Bearer {wrong}"}))[0] == 401
    other = "explain" if route.role == "read" else "read"
    assert reason(ask(client, route, bearer[other])) == (403, "ROLE_MISSING")
    # Whoever has an alert explained anew must be allowed to read it too.
    for token in ("token-of-analyst", tokens["admin"]):
        answer = ask(client, route, {"Authorization": f"Bearer {token}"})
        assert answer.status_code not in (401, 403, 405, 500, 502, 503), answer.text


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_other_sites_and_other_methods_get(
    closed: tuple[httpx.Client, dict[str, str]], route: ApiRoute
) -> None:
    client, tokens = closed
    admin = {"Authorization": f"Bearer {tokens['admin']}"}
    assert reason(ask(client, route, {**admin, "Host": "evil.example"})) == (403, "HOST_NOT_ALLOWED")
    for site in ("cross-site", "same-site"):
        assert reason(ask(client, route, {**admin, "Sec-Fetch-Site": site})) == (403, "ORIGIN_NOT_ALLOWED")
    if route.method == "POST":
        assert reason(ask(client, route, {**admin, "Origin": "https://evil.example"})) == (
            403,
            "ORIGIN_NOT_ALLOWED",
        )
        assert reason(ask(client, route, {**admin, "Origin": "null"})) == (403, "ORIGIN_NOT_ALLOWED")
    known = {each.method for each in API_ROUTES if each.path == route.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - known:
        answer = ask(client, route, admin, method)
        assert reason(answer) == (405, "METHOD_NOT_ALLOWED")
        assert known <= set(answer.headers["allow"].split(", "))
        assert "access-control-allow-origin" not in answer.headers
    if "GET" in known:
        head = ask(client, route, admin, "HEAD")
        assert head.status_code < 500
        assert not head.content


def test_every_route_has_its_role_on_purpose() -> None:
    assert {f"{each.method} {each.path}": each.role for each in API_ROUTES} == ROLES
