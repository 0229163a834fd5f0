"""What people say of alerts, and the trail of what they did."""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from console.alerts.conftest import AlertConsole
from console.running_console import running_console
from sequela_console.state import database


@pytest.fixture
def fresh(filled: str, alerts: AlertConsole, indexed: Path, tmp_path: Path) -> Iterator[AlertConsole]:
    """A console without any labels."""
    shutil.copytree(indexed, tmp_path / "console")
    with (
        running_console(filled, tmp_path) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        server.console.index.refresh()
        yield AlertConsole(server, http, alerts.service, filled)


def test_decisions_and_remarks(fresh: AlertConsole) -> None:
    """The latest decision counts, all labels are kept, and remarks are counted."""
    id = fresh.id_of("takeover-47")
    labels = f"/api/alerts/{id}/labels"
    first = fresh.post(labels, verdict="fraud", note="called the customer", previous=None)
    remark = fresh.post(labels, verdict="note", note="second look")
    reason = {"kind": "cell", "t": -1, "feature": "device", "template": "templates[3]"}
    wrong = fresh.post(labels, verdict="reason_wrong", reason=reason)
    second = fresh.post(labels, verdict="undecided", previous=first["id"])
    assert fresh.get(labels) == [first, remark, wrong, second]
    assert wrong["reason"] == reason
    assert fresh.get(f"/api/alerts/{id}")["labels"] == [first, remark, wrong, second]
    line = fresh.get("/api/alerts", q="takeover-47")["alerts"][0]
    kept = {name: second[name] for name in ("id", "verdict", "who", "verified", "when")}
    assert line["decision"] == kept == {**kept, "verdict": "undecided", "who": "", "verified": False}
    assert line["notes"] == 3
    trail = fresh.get(f"/api/alerts/{id}/trail")
    assert [each["detail"] for each in trail] == ["", "undecided", "a reason is wrong", "note", "fraud"]
    assert [each["action"] for each in trail] == ["opened", *["labelled"] * 4]


def test_somebody_else_decided_meanwhile(fresh: AlertConsole) -> None:
    """Who has not seen the latest decision is told, and nothing is written."""
    id = fresh.id_of("takeover-47")
    labels = f"/api/alerts/{id}/labels"
    first = fresh.post(labels, verdict="fraud", previous=None)
    for previous in (None, first["id"] + 1):
        answer = fresh.refused("POST", labels, json={"verdict": "false_positive", "previous": previous})
        assert answer == (409, "DECIDED_MEANWHILE", "")
    assert fresh.get(labels) == [first]
    fresh.post(labels, verdict="false_positive", previous=first["id"])
    assert fresh.refused("POST", labels, json={"verdict": "fraud", "previous": first["id"]})[0] == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "verdict"),
        ({"verdict": "guilty"}, "verdict"),
        ({"verdict": ["fraud"]}, "verdict"),
        ({"verdict": "fraud", "previous": "1"}, ""),
        ({"verdict": "fraud", "previous": True}, "previous"),
        ({"verdict": "fraud", "previous": -1}, "previous"),
        ({"verdict": "fraud", "note": 5}, "note"),
        ({"verdict": "note"}, "note"),
        ({"verdict": "note", "note": " "}, "note"),
        ({"verdict": "note", "note": "x" * 20_000}, "note"),
        ({"verdict": "reason_wrong"}, "reason"),
        ({"verdict": "reason_wrong", "reason": []}, "reason"),
        ({"verdict": "reason_wrong", "reason": {"kind": "colour"}}, "kind"),
        ({"verdict": "reason_wrong", "reason": {"kind": "cell", "t": 5}}, "t"),
        ({"verdict": "reason_wrong", "reason": {"kind": "cell", "feature": 5}}, "feature"),
    ],
    ids=str,
)
def test_wrong_labels(alerts: AlertConsole, body: dict[str, object], field: str) -> None:
    """A label of the wrong shape is refused with the name of the field, or is one that nobody saw."""
    id = alerts.id_of("takeover-47")
    answer = alerts.refused("POST", f"/api/alerts/{id}/labels", json=body)
    assert answer == ((400, "PARAMETER_INVALID", field) if field else (409, "DECIDED_MEANWHILE", ""))
    assert alerts.get(f"/api/alerts/{id}/labels") == []


@pytest.mark.parametrize("content", [b"[]", b"{", b'"x"', b"\xff", b'{"verdict": NaN}', b"[" * 100_000])
def test_bodies_that_are_no_objects(alerts: AlertConsole, content: bytes) -> None:
    id = alerts.id_of("takeover-47")
    headers = {"Content-Type": "application/json"}
    answer = alerts.refused("POST", f"/api/alerts/{id}/labels", content=content, headers=headers)
    assert answer[:2] == (400, "BODY_INVALID")


def test_labels_of_an_unknown_alert(alerts: AlertConsole) -> None:
    answer = alerts.refused("POST", "/api/alerts/beef/labels", json={"verdict": "fraud"})
    assert answer[:2] == (404, "ALERT_NOT_FOUND")


def test_export(fresh: AlertConsole) -> None:
    """The files have every label, say which decision counts, and have nothing that a spreadsheet would run."""
    id = fresh.id_of("takeover-20")
    labels = f"/api/alerts/{id}/labels"
    first = fresh.post(labels, verdict="fraud", note='=HYPERLINK("http://x")', previous=None)
    fresh.post(labels, verdict="false_positive", note="line\nbreak, comma", previous=first["id"])
    fresh.post(labels, verdict="note", note="+1")
    rows = fresh.get("/api/labels.json")
    assert [each["verdict"] for each in rows] == ["fraud", "false_positive", "note"]
    assert [each["is_latest_decision"] for each in rows] == [False, True, False]
    assert {each["caller_id"] for each in rows} == {"takeover-20"}
    answer = fresh.http.get("/api/labels.csv")
    assert "attachment" in answer.headers["content-disposition"]
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(table[0]) == list(rows[0])
    assert [each["note"] for each in table] == ['\'=HYPERLINK("http://x")', "line\nbreak, comma", "'+1"]
    assert [float(each["score"]) for each in table] == [each["score"] for each in rows]


def test_a_redacted_export_names_nobody(fresh: AlertConsole) -> None:
    """Without ids, notes and people; what is of one alert has the same number, and the decisions can be learnt from."""
    fresh.post("/api/session", name="The Boss")
    for caller_id in ("takeover-20", "takeover-47"):
        id = fresh.id_of(caller_id)
        label = fresh.post(f"/api/alerts/{id}/labels", verdict="fraud", note="about Mr Smith", previous=None)
        fresh.post(f"/api/alerts/{id}/labels", verdict="undecided", previous=label["id"])
    whole, rows = fresh.get("/api/labels.json"), fresh.get("/api/labels.json", redact="true")
    table = fresh.http.get("/api/labels.csv?redact=true").text
    for name in {"The Boss", "Mr Smith", *(each[key] for each in whole for key in ("alert", "caller_id"))}:
        assert name not in str(rows)
        assert name not in table
    assert [each["alert"] for each in rows] == ["1", "1", "2", "2"]
    for column in ("verdict", "is_latest_decision", "model_digest", "score", "threshold"):
        assert [each[column] for each in rows] == [each[column] for each in whole]
    details = fresh.server.console.state.read.execute("SELECT detail FROM trail WHERE alert = '' ORDER BY id")
    assert [each[0] for each in details][1:] == ["labels as JSON, redacted", "labels as CSV, redacted"]


def test_alerts_can_be_read_while_the_file_cannot_be_written(
    fresh: AlertConsole, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only who opened it is lost, which the log says; what must be kept is refused."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    id = fresh.id_of("takeover-20")
    with closing(sqlite3.connect(fresh.server.console.state.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert fresh.get(f"/api/alerts/{id}")["id"] == id
        assert fresh.http.get(f"/api/alerts/{id}/export.json").status_code == 503
        assert fresh.refused("POST", f"/api/alerts/{id}/labels", json={"verdict": "fraud"})[0] == 503
        other.execute("ROLLBACK")
    (line,) = [each for each in caplog.records if each.message == "state not written"]
    assert line.__dict__["detail"] == "who opened an alert"
    assert "locked" in line.__dict__["reason"]
    assert fresh.get(f"/api/alerts/{id}/trail") == []


def test_the_trail(fresh: AlertConsole) -> None:
    """Reading, sharing, exporting and embedding leave entries, the newest first; reading again at once leaves none."""
    id = fresh.id_of("takeover-20")
    for _ in range(3):
        fresh.get(f"/api/alerts/{id}")
    assert fresh.http.post(f"/api/alerts/{id}/opened", json={}).status_code == 204
    assert fresh.http.post(f"/api/alerts/{id}/shared", json={"as": "html"}).status_code == 204
    assert fresh.http.get(f"/api/alerts/{id}/export.csv").status_code == 200
    assert fresh.http.get(f"/api/alerts/{id}/export.json?redact=true").status_code == 200
    _, _, key = fresh.post(f"/api/alerts/{id}/embed-link")["url"].partition("#")
    headers = {"Authorization": f"Embed {key}"}
    for _ in range(2):
        assert fresh.http.get(f"/api/embed/{id}", headers=headers).status_code == 200
    trail = fresh.get(f"/api/alerts/{id}/trail")
    assert [(each["action"], each["detail"]) for each in trail] == [
        ("opened", "panel of a case tool"),
        ("embedded", ""),
        ("exported", "JSON, redacted"),
        ("exported", "CSV"),
        ("shared", "html"),
        ("opened", ""),
    ]
    assert {each["verified"] for each in trail} == {False}


def test_exports_of_labels_leave_a_trace(fresh: AlertConsole) -> None:
    fresh.get("/api/labels.json")
    assert fresh.http.get("/api/labels.csv").status_code == 200
    entries = fresh.server.console.state.read.execute("SELECT action, detail FROM trail WHERE alert = ''")
    assert [tuple(each) for each in entries] == [
        ("exported", "labels as JSON"),
        ("exported", "labels as CSV"),
    ]


def test_typed_names_are_not_verified(fresh: AlertConsole) -> None:
    """Labels, the trail, files and the message about another decision say so."""
    id = fresh.id_of("takeover-20")
    fresh.post("/api/session", name="The Boss")
    label = fresh.post(f"/api/alerts/{id}/labels", verdict="fraud", previous=None)
    assert (label["who"], label["verified"]) == ("The Boss", False)
    answer = fresh.http.post(f"/api/alerts/{id}/labels", json={"verdict": "fraud", "previous": None})
    assert answer.json()["error"]["message"].startswith("The Boss (not verified) decided “fraud”")
    assert fresh.get(f"/api/alerts/{id}/trail")[0]["verified"] is False
    assert fresh.get("/api/labels.json")[0]["who_is_verified"] is False
    listed = next(each for each in fresh.get("/api/alerts")["alerts"] if each["id"] == id)
    assert (listed["decision"]["who"], listed["decision"]["verified"]) == ("The Boss", False)
