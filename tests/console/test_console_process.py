"""`sequela console` as a process: its options, its help, its end, and what it writes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner
from console.running_console import running_console
from sent_at_once import noted
from sequela_console.command import console as command
from sequela_console.http.bounded_protocol import BoundedProtocol
from serving import Serving
from waiting import PATIENCE


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the log of this process to pytest."""
    monkeypatch.setattr("sequela_console.logs.configure", lambda: None)


@contextmanager
def process(server: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts the command, and yields the process and the address that it prints."""
    arguments = ["console", "--server", server, "--port", "0", "--state-dir", str(folder)]
    running = subprocess.Popen(
        [sys.executable, "-c", "from sequela_command import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert running.stdout is not None
        yield running, running.stdout.readline().split()[4]
    finally:
        running.kill()
        running.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("is_up", [True, False])
def test_it_ends_soon_and_closes_its_file(
    server: Serving, tmp_path: Path, sign: signal.Signals, is_up: bool
) -> None:
    with process(server.bound.grpc if is_up else "127.0.0.1:1", tmp_path) as (running, url):
        httpx.post(f"{url}/api/links", json={"path": "/alerts", "state": ""}, timeout=PATIENCE)
        # Somebody who keeps a connection open, and somebody in the middle of a request.
        address = httpx.URL(url)
        with (
            socket.create_connection((address.host, address.port or 0), PATIENCE) as idle,
            httpx.Client(timeout=PATIENCE) as kept,
        ):
            kept.get(f"{url}/healthz")
            head = b"POST /api/links HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
            idle.sendall(head + b"Expect: 100-continue\r\n\r\n")
            # The console reads the body now.
            assert idle.recv(1 << 16).startswith(b"HTTP/1.1 100")
            idle.sendall(b"{")
            running.send_signal(sign)
            if sign is signal.SIGTERM:
                # As from a supervisor that tells the process and then its group.
                for seconds in (0.0, 0.001, 0.1, 0.3):
                    time.sleep(seconds)
                    running.send_signal(sign)
            # By itself it would wait for the rest of the request.
            _, log = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0, log
    lines = [json.loads(each) for each in log.splitlines()]
    # Whoever was in the middle of a request is cut off after the time for an orderly end.
    cut_off = "Cancel 1 running task(s), timeout graceful shutdown exceeded"
    assert [each["event"] for each in lines] == ["listening", "stopping", cut_off]
    assert lines[0]["address"] == url
    assert not [each for each in lines if "exception" in each]
    assert not (tmp_path / "console.db-wal").exists() or (tmp_path / "console.db-wal").stat().st_size == 0
    with closing(sqlite3.connect(tmp_path / "console.db")) as kept_file:
        assert kept_file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept_file.execute("SELECT COUNT(*) FROM link").fetchone() == (int(is_up),)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cohort", "no-such-folder"], "there is no folder 'no-such-folder'"),
        (["--cohort", "a=.", "--cohort", "a=."], "two cohorts are called 'a'"),
        (["--cohorts-dir", "no-such-folder"], "no-such-folder"),
        (["--threshold", "high"], "'high' is not a score"),
        (["--threshold", "nan"], "'nan' is not a score"),
        (["--threshold", "payments=inf"], "is not a score"),
        (["--port", "65536"], "0<=x<=65535"),
        (["--tls-cert", "no-such-file"], "no-such-file"),
        (["--tls-key", "{file}"], "--tls-cert and --tls-key go together"),
        (["--host", "0.0.0.0"], "--insecure"),
        (["--public-url", "console.example"], "is not an origin"),
        (["--public-url", "https://console.example/path"], "more than an origin"),
        (["--public-url", "http://console.example"], "let the proxy serve HTTPS"),
        (["--embed-origin", "*"], "is not an origin"),
        (["--embed-origin", "https://a.example; script-src *"], "origin"),
        (["--embed-origin", "https://anna@a.example"], "is not an origin"),
        (["--state-dir", "{file}"], "--state-dir"),
        (["--token-file", "no-such-file"], "no-such-file"),
        (["--ca", "no-such-file"], "no-such-file"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_a_wrong_option_is_told(
    tmp_path: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "file").write_text("")
    given = [each.replace("{file}", str(tmp_path / "file")) for each in arguments]
    found = CliRunner().invoke(command, given)
    assert found.exit_code not in (0, None)
    assert words in " ".join((found.output + str(found.exception or "")).split())


def test_a_wrong_certificate_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sequela_client.retries.Retries.backoff_seconds", lambda *_: 0.0)
    (tmp_path / "cert.pem").write_text("not a certificate")
    arguments = [
        "--tls-cert",
        str(tmp_path / "cert.pem"),
        "--tls-key",
        str(tmp_path / "cert.pem"),
        "--port",
        "0",
    ]
    found = CliRunner().invoke(command, [*arguments, "--state-dir", str(tmp_path / "state")])
    assert found.exit_code != 0
    assert "--tls-cert" in str(found.exception or found.output)


def test_help_names_every_option_with_words() -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    for option in command.params:
        assert isinstance(option, click.Option)
        assert option.opts[-1] in text or option.hidden
        assert option.help or option.hidden


def test_an_answer_on_a_kept_connection_waits_for_nothing(
    server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body would come 40 ms after its head if it waited until the browser has acknowledged the head."""
    delays = noted(monkeypatch, BoundedProtocol)
    with running_console(server.bound.grpc, tmp_path) as console:
        assert httpx.get(f"{console.url}/api/alerts").status_code == 200
    assert delays == [1]


def test_behind_a_proxy(server: Serving, tmp_path: Path) -> None:
    """Cookies and links are those of the public address, and no other name is answered."""
    public = "https://console.example"
    with running_console(server.bound.grpc, tmp_path, public_url=public, insecure=True) as console:
        headers = {"Host": "console.example", "Origin": public}
        with httpx.Client(base_url=console.url, headers=headers, timeout=PATIENCE) as person:
            answer = person.post("/api/session", json={"name": "Anna"})
            assert answer.status_code == 200
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-")
            assert "Secure" in cookie.split("; ")
            for host in ("evil.example", "localhost", "console.example:8050"):
                assert person.get("/api/alerts", headers={"Host": host}).status_code == 403
            assert person.get("/healthz", headers={"Host": "localhost"}).status_code == 200
    with running_console(server.bound.grpc, tmp_path, public_url=public) as console:
        answer = httpx.get(f"{console.url}/api/alerts", headers={"Host": "console.example"}, timeout=PATIENCE)
        assert answer.json()["error"]["reason"] == "LOGIN_NOT_ASKED_FOR"
