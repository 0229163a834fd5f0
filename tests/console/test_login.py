"""Who may use the console: tokens of the service, sessions, other sites."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from console.cohort_files import write_cohort
from console.running_console import running_console
from credential_files import Pki, replace, token_line, tokens_by_role
from sequela_client.client import Sequela
from sequela_client.credentials import Credentials
from sequela_client.errors import CallerError
from sequela_client.retries import Retries
from sequela_console.server import ConsoleServer
from sequela_console.sessions import service_door, session_store, token_visitors
from serving import Serving, embedded
from waiting import PATIENCE, eventually

LINK = {"path": "/alerts", "state": ""}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleServer, dict[str, str], Path]]:
    """A console before a service that asks for tokens."""
    folder = tmp_path_factory.mktemp("closed")
    tokens = dict(tokens_by_role(folder / "tokens"))
    with (
        Serving(embedded(tokens=folder / "tokens")) as service,
        running_console(service.bound.grpc, folder, credentials=Credentials(token=tokens["read"])) as console,
    ):
        yield console, tokens, folder / "tokens"


def client(console: ConsoleServer) -> httpx.Client:
    return httpx.Client(base_url=console.url, timeout=PATIENCE)


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["reason"]


def test_a_token_of_the_service_opens_the_console(closed: tuple[ConsoleServer, dict[str, str], Path]) -> None:
    console, tokens, _ = closed
    with client(console) as person:
        before = person.get("/api/session").json()
        assert (before["ready"], before["loginNeeded"], before["roles"]) == (False, True, [])
        assert reason(person.get("/api/alerts")) == (401, "LOGIN_NEEDED")
        logged_in = person.post("/api/session", json={"token": tokens["read"]})
        assert logged_in.json()["name"] == "client-read"
        assert logged_in.json()["nameVerified"] is True
        cookie = logged_in.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert tokens["read"] not in cookie
        assert person.get("/api/session").json()["roles"] == ["read"]
        assert person.get("/api/alerts").status_code == 200
        assert person.delete("/api/session").status_code == 204
        person.cookies.set(*cookie.split(";")[0].split("=", 1))
        assert reason(person.get("/api/alerts")) == (401, "LOGIN_NEEDED")


def test_a_login_takes_no_key_from_before_and_ends_that_session(
    closed: tuple[ConsoleServer, dict[str, str], Path],
) -> None:
    """Whoever put a cookie into the browser before must not share the session."""
    console, tokens, _ = closed
    with client(console) as person, client(console) as other:
        person.post("/api/session", json={"token": tokens["read"]})
        (name, before), *_ = person.cookies.items()
        person.post("/api/session", json={"token": tokens["read"]})
        assert person.cookies[name] != before
        other.cookies.set(name, before)
        assert reason(other.get("/api/alerts")) == (401, "LOGIN_NEEDED")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"token": "wrong"}, (401, "TOKEN_REFUSED")),
        ({"token": ""}, (400, "TOKEN_INVALID")),
        ({"token": "two\nlines"}, (400, "TOKEN_INVALID")),
        ({"token": 5}, (400, "TOKEN_INVALID")),
        ({"name": "Anna"}, (401, "LOGIN_NEEDED")),
        ([], (400, "BODY_INVALID")),
    ],
)
def test_what_does_not_open_it(
    closed: tuple[ConsoleServer, dict[str, str], Path], body: object, expected: tuple[int, str]
) -> None:
    with client(closed[0]) as person:
        assert reason(person.post("/api/session", json=body))[0] == expected[0]
        assert "set-cookie" not in person.post("/api/session", json=body).headers


def test_a_role_that_may_not_read(closed: tuple[ConsoleServer, dict[str, str], Path]) -> None:
    console, tokens, _ = closed
    with client(console) as person:
        person.post("/api/session", json={"token": tokens["explain"]})
        found = person.get("/api/alerts")
        assert reason(found) == (403, "ROLE_MISSING")
        assert "client-explain" in found.json()["error"]["message"]


def test_programs_send_their_token_with_each_request(
    closed: tuple[ConsoleServer, dict[str, str], Path],
) -> None:
    console, tokens, _ = closed
    with client(console) as program:
        bearer = {"Authorization": f"Bearer {tokens['read']}"}
        assert program.get("/api/alerts", headers=bearer).status_code == 200
        assert reason(program.get("/api/alerts", headers={"Authorization": "Bearer no"}))[0] == 401


def test_a_program_needs_one_connection(
    closed: tuple[ConsoleServer, dict[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many requests with a token open one, which is closed when the token is revoked, or others push it out."""
    console, _, file = closed
    opened: list[Sequela] = []
    closed_ones: list[Sequela] = []
    programs, lines = console.console.programs, file.read_text()
    names = [f"program-{number}" for number in range(4)]

    def client_of(token: str) -> Sequela:
        opened.append(console.console.door.client(token))
        return opened[-1]

    def close(each: Sequela) -> None:
        closed_ones.append(each)
        shut(each)

    shut = Sequela.close
    programs.close()
    monkeypatch.setattr(programs, "client", client_of)
    monkeypatch.setattr(Sequela, "close", close)
    monkeypatch.setattr(token_visitors, "MAX_VISITORS", 2)
    replace(file, lines + "".join(token_line(each, f"of-{each}", "read") for each in names))

    def status(program: httpx.Client, name: str) -> int:
        return program.get("/api/alerts", headers={"Authorization": f"Bearer of-{name}"}).status_code

    with client(console) as program:
        eventually(lambda: status(program, names[0]) == 200)
        opened[:], closed_ones[:] = opened[-1:], []
        assert {status(program, names[0]) for _ in range(50)} == {200}
        assert len(opened) == 1
        assert {status(program, each) for each in names[1:]} == {200}
        assert closed_ones == opened[:2]
        replace(file, lines)
        monkeypatch.setattr(session_store, "CHECK_SECONDS", 0.0)
        eventually(lambda: status(program, names[3]) == 401)
        assert opened[3] in closed_ones


def test_a_revoked_token_ends_its_session(
    closed: tuple[ConsoleServer, dict[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, tokens, file = closed
    lines = file.read_text()
    replace(file, lines + token_line("anna", "of-anna", "read"))
    with client(console) as person:
        eventually(lambda: person.post("/api/session", json={"token": "of-anna"}).status_code == 200)
        assert person.get("/api/alerts").status_code == 200
        replace(file, lines)
        monkeypatch.setattr(session_store, "CHECK_SECONDS", 0.0)
        eventually(lambda: person.get("/api/alerts").status_code == 401)
        assert tokens


def test_other_sites_are_refused(closed: tuple[ConsoleServer, dict[str, str], Path]) -> None:
    console, tokens, _ = closed
    with client(console) as person:
        person.post("/api/session", json={"token": tokens["read"]})
        for headers in (
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert reason(person.delete("/api/session", headers=headers)) == (403, "ORIGIN_NOT_ALLOWED")
        for host in ("evil.example", "evil.example:8050", "127.0.0.1.evil.example", "localhost.evil", ""):
            assert reason(person.get("/api/session", headers={"Host": host})) == (403, "HOST_NOT_ALLOWED")
            assert person.get("/alerts", headers={"Host": host}).status_code == 403
        form = {"Content-Type": "text/plain"}
        assert reason(person.post("/api/session", content='{"token":"x"}', headers=form)) == (
            415,
            "BODY_NOT_JSON",
        )
        assert reason(person.post("/api/session", content=b"x" * 2_000_000)) == (413, "BODY_TOO_LARGE")
        assert (
            reason(person.post("/api/session", json={"token": "x"}, headers={"Origin": console.url}))[0]
            == 401
        )


def test_an_open_service_asks_for_a_name_only(tmp_path: Path) -> None:
    with (
        Serving(embedded()) as service,
        running_console(service.bound.grpc, tmp_path) as console,
        client(console) as person,
    ):
        session = person.get("/api/session").json()
        assert (session["ready"], session["loginNeeded"], session["name"]) == (True, False, "")
        assert reason(person.post("/api/session", json={"name": " "})) == (400, "NAME_INVALID")
        assert person.post("/api/session", json={"name": "Änne Ω"}).status_code == 200
        session = person.get("/api/session").json()
        assert (session["name"], session["nameVerified"]) == ("Änne Ω", False)
        assert person.get("/api/alerts").status_code == 200


def test_a_service_that_is_down_is_never_taken_for_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retries, "backoff_seconds", lambda *_: 0.0)
    with running_console("127.0.0.1:1", tmp_path) as console, client(console) as person:
        session = person.get("/api/session").json()
        assert (session["ready"], session["service"]["state"]) == (False, "down")
        assert "check that it runs" in session["service"]["message"]
        assert person.get("/api/alerts").status_code == 401
        assert reason(person.post("/api/session", json={"token": "x"})) == (503, "SERVICE_DOWN")


def test_who_was_known_goes_on_reading_while_the_service_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ten minutes, and only what the console itself has."""
    monkeypatch.setattr(session_store, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(service_door, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(Retries, "backoff_seconds", lambda *_: 0.0)
    tokens = dict(tokens_by_role(tmp_path / "tokens"))
    cohorts = {"shop": write_cohort(tmp_path / "shop", 5)}
    with ExitStack() as stack:
        serving = stack.enter_context(ExitStack())
        service = serving.enter_context(Serving(embedded(tokens=tmp_path / "tokens")))
        own = Credentials(token=tokens["read"])
        console = stack.enter_context(
            running_console(service.bound.grpc, tmp_path, credentials=own, cohorts=cohorts)
        )
        person, stranger = stack.enter_context(client(console)), stack.enter_context(client(console))
        assert person.post("/api/session", json={"token": tokens["admin"]}).status_code == 200
        serving.close()
        session = person.get("/api/session").json()
        assert (session["ready"], session["service"]["state"]) == (True, "down")
        assert person.get("/api/alerts").status_code == person.get("/api/cohorts/shop").status_code == 200
        assert reason(person.post("/api/links", json=LINK)) == (503, "SERVICE_DOWN")
        assert stranger.get("/api/session").json()["ready"] is False
        assert reason(stranger.get("/api/cohorts/shop")) == (401, "LOGIN_NEEDED")
        assert reason(stranger.post("/api/session", json={"token": tokens["read"]})) == (503, "SERVICE_DOWN")
        monkeypatch.setattr(session_store, "GRACE_SECONDS", 0.0)
        assert person.get("/api/session").json()["ready"] is False
        assert person.get("/api/cohorts/shop").status_code == 503


def test_who_has_a_name_goes_on_reading_while_an_open_service_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_door, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(Retries, "backoff_seconds", lambda *_: 0.0)
    cohorts = {"shop": write_cohort(tmp_path / "shop", 5)}
    with ExitStack() as stack:
        serving = stack.enter_context(ExitStack())
        service = serving.enter_context(Serving(embedded()))
        console = stack.enter_context(running_console(service.bound.grpc, tmp_path, cohorts=cohorts))
        person, stranger = stack.enter_context(client(console)), stack.enter_context(client(console))
        person.post("/api/session", json={"name": "Anna"})
        serving.close()
        session = person.get("/api/session").json()
        assert (session["ready"], session["name"], session["service"]["state"]) == (True, "Anna", "down")
        assert person.get("/api/alerts").status_code == person.get("/api/cohorts/shop").status_code == 200
        assert reason(person.post("/api/links", json=LINK)) == (503, "SERVICE_DOWN")
        assert stranger.get("/api/session").json()["ready"] is False
        assert reason(stranger.get("/api/cohorts/shop")) == (503, "SERVICE_DOWN")
        assert reason(stranger.post("/api/session", json={"name": "Eve"})) == (503, "SERVICE_DOWN")
        monkeypatch.setattr(service_door, "GRACE_SECONDS", 0.0)
        assert person.get("/api/session").json()["ready"] is False
        assert reason(person.get("/api/cohorts/shop")) == (401, "LOGIN_NEEDED")


def test_a_service_that_knows_certificates_only_lets_nobody_in_by_a_made_up_token(tmp_path: Path) -> None:
    """The console's own certificate must not be what a person is identified by."""
    pki = Pki(tmp_path)
    pair = pki.client("console.example")
    (tmp_path / "own.pem").write_bytes(pair.made.cert_chain_pems[0].bytes())
    (tmp_path / "own.key").write_bytes(pair.made.private_key_pem.bytes())
    (tmp_path / "identities").write_text("dns:console.example read,admin\n")
    settings = embedded(**pki.settings(identities=tmp_path / "identities"))
    own = Credentials(ca=pki.ca, certificate=tmp_path / "own.pem", key=tmp_path / "own.key")
    with (
        Serving(settings) as service,
        running_console(
            f"localhost:{service.bound.grpc.rpartition(':')[2]}", tmp_path, credentials=own
        ) as console,
        client(console) as person,
    ):
        assert person.post("/api/session", json={"token": "made-up"}).status_code in (401, 403)
        assert person.get("/api/alerts").status_code == 401


def test_the_console_needs_a_token_of_its_own(
    closed: tuple[ConsoleServer, dict[str, str], Path], tmp_path: Path
) -> None:
    with (
        pytest.raises(CallerError, match="token of its own with the role read"),
        running_console(closed[0].console.settings.server, tmp_path),
    ):
        pass


def test_a_port_in_use(closed: tuple[ConsoleServer, dict[str, str], Path], tmp_path: Path) -> None:
    used = int(closed[0].url.rpartition(":")[2])
    with pytest.raises(CallerError, match=f"127.0.0.1:{used} .*choose another port"):
        ConsoleServer.started(
            closed[0].console.settings.__class__(server="x:1", state_folder=tmp_path, port=used)
        ).__enter__()
