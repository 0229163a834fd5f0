"""What people see when the console's own parts fail: its file, its folders, its port, its service, or its code."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from console.cohort_files import write_cohort
from console.running_console import running_console
from free_ports import free_ports
from sequela_client.errors import CallerError
from sequela_console import logs
from sequela_console.server import ConsoleServer
from sequela_console.state import database
from serving import Serving, embedded
from waiting import PATIENCE, eventually

SECRET = "account-4711-is-a-secret"
LINK = {"path": "/alerts", "state": ""}


@pytest.fixture
def console(server: Serving, tmp_path: Path) -> Iterator[ConsoleServer]:
    with running_console(
        server.bound.grpc, tmp_path, cohorts={"shop": write_cohort(tmp_path / "shop", 5)}
    ) as found:
        yield found


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["reason"]


def test_a_mistake_of_the_console_is_told_by_its_number_only(
    console: ConsoleServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("sequela_console.alerts.listing.query_of", fails, raising=False)
    monkeypatch.setattr(type(console.console.cohorts), "cohort", fails)
    answer = httpx.get(f"{console.url}/api/cohorts/shop", timeout=PATIENCE)
    assert error(answer) == (500, "UNEXPECTED")
    number = answer.headers["x-request-id"]
    assert number in answer.json()["error"]["message"]
    assert SECRET not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    line = next(each for each in caplog.records if each.message == "unexpected error")
    shown = json.loads(logs.JsonFormatter().format(line))
    assert (shown["request_id"], shown["route"]) == (number, "/api/cohorts/{cohort}")
    assert "RuntimeError" in shown["exception"]
    assert "fails" in shown["exception"]
    assert SECRET not in json.dumps(shown)


def test_a_locked_file_is_told_and_nothing_is_lost(
    console: ConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(console.console.state.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = httpx.post(f"{console.url}/api/links", json=LINK, timeout=PATIENCE)
        assert error(answer) == (503, "STATE_UNAVAILABLE")
        assert "locked" in answer.json()["error"]["message"]
        assert httpx.get(f"{console.url}/api/alerts", timeout=PATIENCE).status_code == 200
        other.execute("ROLLBACK")
    assert httpx.post(f"{console.url}/api/links", json=LINK, timeout=PATIENCE).status_code == 200


def test_a_full_disk_is_told(console: ConsoleServer) -> None:
    assert httpx.post(f"{console.url}/api/links", json=LINK, timeout=PATIENCE).status_code == 200
    with console.console.state.write() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    original = database.StateDatabase.read.fget
    assert original is not None

    def small(self: database.StateDatabase) -> sqlite3.Connection:
        found = original(self)
        found.execute(f"PRAGMA max_page_count={pages}")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.StateDatabase, "read", property(small))
        answer = httpx.post(
            f"{console.url}/api/links", json={**LINK, "state": "x" * 100_000}, timeout=PATIENCE
        )
    assert error(answer) == (503, "STATE_UNAVAILABLE")
    assert "disk is full" in answer.json()["error"]["message"]


def prepared_file(folder: Path, content: bytes | None = None, version: int = 0) -> Path:
    file = folder / "console" / "console.db"
    file.parent.mkdir()
    if content is not None:
        file.write_bytes(content)
    else:
        with closing(sqlite3.connect(file)) as made:
            made.execute(f"PRAGMA user_version={version}")
    return file


@pytest.mark.parametrize(
    ("content", "version", "words"),
    [(b"not a database at all" * 100, 0, "is damaged|not a database"), (None, 99, "newer")],
)
def test_a_file_that_it_cannot_read_stops_the_start(
    tmp_path: Path, content: bytes | None, version: int, words: str
) -> None:
    file = prepared_file(tmp_path, content, version)
    before = file.read_bytes()
    with pytest.raises(CallerError, match=words) as told, running_console("127.0.0.1:1", tmp_path):
        pass
    assert str(file) in str(told.value)
    assert file.read_bytes() == before


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "console").write_text("")
    with pytest.raises(CallerError, match="state-dir"), running_console("127.0.0.1:1", tmp_path):
        pass


def test_two_consoles_on_one_folder(console: ConsoleServer, server: Serving, tmp_path: Path) -> None:
    """They share labels, links and the key of panels."""
    with running_console(server.bound.grpc, tmp_path) as other:
        link = httpx.post(f"{console.url}/api/links", json=LINK, timeout=PATIENCE).json()["id"]
        assert httpx.get(f"{other.url}/api/links/{link}", timeout=PATIENCE).json()["path"] == "/alerts"
        assert other.console.embed_keys.secret == console.console.embed_keys.secret


def test_a_cohort_that_is_removed_or_damaged(console: ConsoleServer, tmp_path: Path) -> None:
    address = f"{console.url}/api/cohorts/shop"
    assert httpx.get(address, timeout=PATIENCE).status_code == 200
    part = sorted((tmp_path / "shop").glob("*.parquet"))[0]
    content = part.read_bytes()
    for wrong in (content[:100], b"", content[:-20] + b"x" * 20):
        part.write_bytes(wrong)
        answer = httpx.get(address, timeout=PATIENCE)
        assert error(answer) == (409, "COHORT_UNREADABLE"), wrong[:10]
        assert httpx.get(f"{console.url}/api/cohorts", timeout=PATIENCE).status_code == 200
    part.write_bytes(content)
    assert httpx.get(address, timeout=PATIENCE).status_code == 200
    shutil.rmtree(tmp_path / "shop")
    assert error(httpx.get(address, timeout=PATIENCE)) == (409, "COHORT_UNREADABLE")
    assert httpx.get(f"{console.url}/api/cohorts", timeout=PATIENCE).status_code == 200


def test_a_service_that_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sequela_console.sessions.service_door.PROBE_SECONDS", 0.0)
    monkeypatch.setattr("sequela_client.retries.Retries.backoff_seconds", lambda *_: 0.0)
    # A port that nobody else is given while the service is away.
    (port,) = free_ports(1)
    with Serving(embedded(port=port)) as service:
        address = service.bound.grpc
        with running_console(address, tmp_path) as console:
            assert httpx.get(f"{console.url}/api/models", timeout=PATIENCE).status_code == 200
            service.drain()
            eventually(lambda: state(console) == "down")
            answer = httpx.get(f"{console.url}/api/models", timeout=60)
            assert error(answer) in ((401, "LOGIN_NEEDED"), (503, "SERVICE_DOWN"))
            assert httpx.get(f"{console.url}/healthz", timeout=PATIENCE).text == "ok"
            with Serving(embedded(port=port)):
                eventually(lambda: state(console) == "up")
                eventually(
                    lambda: httpx.get(f"{console.url}/api/models", timeout=PATIENCE).status_code == 200
                )


def state(console: ConsoleServer) -> str:
    return str(httpx.get(f"{console.url}/api/session", timeout=60).json()["service"]["state"])


def test_the_log_has_no_tokens(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sequela_client.retries.Retries.backoff_seconds", lambda *_: 0.0)
    with caplog.at_level(logging.DEBUG), running_console("127.0.0.1:1", tmp_path) as console:
        httpx.post(f"{console.url}/api/session", json={"token": SECRET}, timeout=PATIENCE)
        httpx.get(
            f"{console.url}/api/alerts?q={SECRET}",
            headers={"Authorization": f"Bearer {SECRET}"},
            timeout=PATIENCE,
        )
    ours = [each for each in caplog.records if each.name.startswith(("sequela_console", "uvicorn"))]
    shown = [logs.JsonFormatter().format(each) for each in ours]
    assert any("SERVICE_DOWN" in each for each in shown)
    assert not any(SECRET in each for each in shown)
