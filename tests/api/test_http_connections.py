"""HTTP connections are bounded, probes get through whatever others hold, and pages of others are refused."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import uvicorn.server
from api.test_http_limits import connect, head, received, small
from api.test_kserve import get
from credential_files import Pki
from sent_at_once import noted
from sequela.api import http_protocol, http_server
from sequela.api.rest.host_check import HostCheck
from serving import Serving, embedded
from waiting import PATIENCE, eventually

__all__ = ["small"]  # a fixture


def test_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the setting says is refused with 503, and served once another has left."""
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", PATIENCE)
    with Serving(embedded(max_http_connections=1)) as server:
        with connect(server) as idle:
            idle.sendall(b"G")
            eventually(lambda: get(server, "/v1/models").status_code == 503)
            refused = get(server, "/v1/models")
            assert (refused.json()["reason"], refused.headers["retry-after"]) == ("TOO_MANY_CONNECTIONS", "1")
            assert refused.headers["connection"] == "close"
            assert "--max-http-connections" in refused.json()["error"]
            for probe in ("/healthz", "/readyz"):
                assert get(server, probe).status_code == 200
        eventually(lambda: get(server, "/v1/models").status_code == 200)


def test_an_answer_on_a_kept_connection_waits_for_nothing(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body would come 40 ms after its head if it waited until the caller has acknowledged the head."""
    delays = noted(monkeypatch, http_protocol.ConnectionProtocol)
    assert get(server, "/v1/models").status_code == 200
    assert delays == [1]


def test_probes_are_answered_whatever_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that never come, with an absurd time for them, and silent connections on the places of probes."""
    monkeypatch.setattr(http_protocol, "PROBE_CONNECTIONS", 3)
    for name in ("PROBE_HEADER_SECONDS", "HEADER_SECONDS"):
        monkeypatch.setattr(http_protocol, name, PATIENCE)
    absurd = head(1000).replace(b"Host: x", b"Host: x\r\nX-Request-Timeout-Ms: 1e300")
    with Serving(embedded(max_http_connections=4)) as server, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connect(server)).sendall(absurd)
        for _ in range(8):
            stack.enter_context(connect(server))
        for probe in ("/healthz", "/readyz") * 4:
            assert get(server, probe).status_code == 200


def test_silent_connections_on_the_places_of_probes_end_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have a second for their headers, where others have ten."""
    monkeypatch.setattr(http_protocol, "PROBE_HEADER_SECONDS", 0.2)
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", PATIENCE)
    with (
        Serving(embedded(max_http_connections=1)) as server,
        connect(server) as first,
        connect(server) as extra,
    ):
        assert received(extra) == b""
        first.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert received(first, b"ok\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("settings", [{"max_http_timeout": 0.3}, {"upload_timeout": 0.3}])
def test_a_body_does_not_wait_for_an_absurd_deadline(settings: dict[str, float]) -> None:
    """The header counts as the longest that is allowed, and no body takes longer than any upload."""
    request = head(1000).replace(b"Host: x", b"Host: x\r\nX-Request-Timeout-Ms: 1e300")
    with Serving(embedded(**settings)) as server, connect(server) as client:
        client.sendall(request + b"{")
        assert received(client, b"DEADLINE_TOO_SHORT").startswith(b"HTTP/1.1 504")


@pytest.mark.parametrize(
    "host", ["rebound.example", "rebound.example:9464", "203.0.113.9", "localhost.example", ""]
)
@pytest.mark.parametrize("path", ["/v1/models", "/v2/models/gru", "/metrics"])
def test_names_of_others_are_refused_on_loopback(small: Serving, path: str, host: str) -> None:
    """A page whose name resolves to this machine must not read what models there are."""
    found = httpx.get(f"http://{small.bound.http}{path}", headers={"Host": host}, timeout=PATIENCE)
    assert (found.status_code, found.json()["reason"]) == (403, "HOST_REFUSED")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9464", "127.0.0.1:1", "[::1]:9464", "a.localhost", "127.9.9.9"]
)
def test_names_of_the_machine_are_accepted(small: Serving, host: str) -> None:
    assert (
        httpx.get(
            f"http://{small.bound.http}/v1/models", headers={"Host": host}, timeout=PATIENCE
        ).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("allowed", "code"), [("proxy.example Other.example", 200), ("*", 200), ("other.example", 403)]
)
def test_names_can_be_allowed(allowed: str, code: int) -> None:
    """Behind a proxy that keeps the name that its callers ask for."""
    with Serving(embedded(allowed_hosts=allowed)) as server:
        found = httpx.get(
            f"http://{server.bound.http}/v1/models", headers={"Host": "proxy.example:443"}, timeout=PATIENCE
        )
        assert found.status_code == code
        assert httpx.get(f"http://{server.bound.http}/v1/models", timeout=PATIENCE).status_code == 200


def test_an_address_on_the_network_is_asked_by_any_name() -> None:
    """Unless names are given: the server does not know which ones it has."""
    assert HostCheck.of("0.0.0.0", ()).any_name
    assert not HostCheck.of("0.0.0.0", ("a.example",)).any_name
    assert not HostCheck.of("::1", ()).any_name


def test_unfinished_handshakes_make_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many connections that never begin TLS: the oldest ones end, and whoever comes next is answered."""
    monkeypatch.setattr(http_server, "PROBE_CONNECTIONS", 2)
    # Longer than `received` waits, so that the handshakes do not end by themselves.
    monkeypatch.setattr(http_server, "HANDSHAKE_SECONDS", 10 * PATIENCE)
    pki = Pki(tmp_path)
    with Serving(embedded(max_http_connections=4, **pki.settings())) as server, ExitStack() as stack:
        silent = [stack.enter_context(connect(server)) for _ in range(30)]
        for each in silent[:20]:
            assert received(each) == b""
        found = httpx.get(
            f"https://{server.bound.http}/healthz", verify=pki.client("a").https(), timeout=PATIENCE
        )
        assert found.status_code == 200


def test_the_date_of_responses_is_that_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the server runs."""
    monkeypatch.setattr(http_server, "DATE_SECONDS", 0.01)
    with Serving(embedded()) as server:
        monkeypatch.setattr(uvicorn.server, "time", SimpleNamespace(time=lambda: 1e10))
        eventually(lambda: get(server, "/healthz").headers["date"] == "Sat, 20 Nov 2286 17:46:40 GMT")


def test_a_server_ends_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait until it would look by itself."""
    monkeypatch.setattr(http_server, "DATE_SECONDS", 2 * PATIENCE)
    with Serving(embedded()) as server:
        server.drain()  # fails after PATIENCE
