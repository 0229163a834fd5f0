"""The index keeps in step with the service: new alerts, deleted ones, a service that is down."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import httpx
import pytest
from console.filled_service import MODEL, simulated_sequence
from console.filled_serving import MODELS, demo_serving
from console.running_console import running_console
from free_ports import free_ports
from sequela_client.client import Sequela
from sequela_client.local_server import start_server
from sequela_console.alert_index import index, loss
from sequela_console.alert_index.index import AlertIndex
from sequela_console.alert_index.reader import IndexReader
from sequela_console.alerts import marks
from sequela_console.server import ConsoleServer
from sequela_console.sessions.visitor import Visitor
from sequela_console.state import links, removal
from sequela_console.state.alerts import AlertRow, add_alerts, known_ids, undetailed_alerts
from sequela_console.state.database import StateDatabase
from sequela_console.state.labels import NewLabel, add_label, all_labels
from sequela_console.state.links import SavedView, save_view, saved_view
from sequela_console.state.removal import forget_alerts
from sequela_console.state.trail import record_once, trail_of
from waiting import PATIENCE, eventually

SHORT = 26
"""From this simulated account on, there are some with short histories."""


@pytest.fixture(scope="module")
def own_service() -> Iterator[Sequela]:
    """A server of which these tests may delete what they like."""
    with demo_serving() as address, Sequela(address) as service:
        service.address = address  # type: ignore[attr-defined]
        yield service


@pytest.fixture
def console(own_service: Sequela, tmp_path: Path) -> Iterator[ConsoleServer]:
    with running_console(own_service.address, tmp_path) as server:  # type: ignore[attr-defined]
        yield server


def explained(service: Sequela, index: int, **arguments: str) -> str:
    """Has an alert explained, and returns its id."""
    explanation = service.explain(
        simulated_sequence(SHORT + index),
        model=MODEL,
        levels=["feature"],
        target_standard_error=0.05,
        **arguments,
    )
    return explanation.name.removeprefix("explanations/")


def listed(console: ConsoleServer) -> set[str]:
    answer = httpx.get(f"{console.url}/api/alerts", params={"limit": 500}, timeout=PATIENCE).json()
    return {each["id"] for each in answer["alerts"]}


def row_named(id: str) -> AlertRow:
    return AlertRow(id, 1.0, "caller", {"k": "Value"}, "m", "d", "t", "T", 0.5, None, True, 3)


@pytest.fixture
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread asks the service for new alerts every 0.2 s instead of every five."""
    monkeypatch.setattr(index, "POLL_SECONDS", 0.2)


@pytest.mark.usefixtures("_quick_polls")
def test_new_alerts_appear_by_themselves(own_service: Sequela, console: ConsoleServer) -> None:
    """The thread finds an alert without being asked, and reads its details."""
    id = explained(own_service, 0)
    eventually(lambda: id in listed(console))
    eventually(lambda: console.console.index.state().pending == 0)
    state = httpx.get(f"{console.url}/api/index", timeout=PATIENCE).json()
    assert state["complete"]
    assert state["updated"]


def test_deleted_alerts_leave_everything(own_service: Sequela, console: ConsoleServer) -> None:
    """Notes, vectors, values and links go with the alert; the decision stays without its text, as does the trail."""
    id = explained(own_service, 1, caller_id="case-1")
    explanation = own_service.get_explanation(f"explanations/{id}")
    kept = explained(own_service, 2)
    console.console.index.refresh()
    with httpx.Client(base_url=console.url, timeout=PATIENCE) as http:
        http.post(
            f"/api/alerts/{id}/labels", json={"verdict": "fraud", "note": "a secret note", "previous": None}
        )
        http.post(f"/api/alerts/{id}/labels", json={"verdict": "note", "note": "another, a secret note"})
        link = http.post("/api/links", json={"path": "/compare", "state": {"left": f"alert:{id}"}}).json()[
            "id"
        ]
        document_threshold = http.get(f"/api/alerts/{id}").json()["threshold"]["value"]
        own_service.delete_explanations(name=f"explanations/{id}")
        console.console.index.refresh()
        assert id not in listed(console)
        assert kept in listed(console)
        assert http.get(f"/api/links/{link}").status_code == 404
        trail = http.get(f"/api/alerts/{id}/trail").json()
        label = next(each for each in http.get("/api/labels.json").json() if each["alert"] == id)
    assert [each["action"] for each in trail] == ["opened", "labelled", "labelled"]
    assert (label["verdict"], label["note"], label["is_latest_decision"]) == ("fraud", "", True)
    assert (label["caller_id"], label["model"]) == ("case-1", explanation.model)
    assert label["model_digest"] == explanation.model_digest
    assert (label["target"], label["score"]) == (
        explanation.targets[0].name,
        explanation.targets[0].raw_score,
    )
    assert label["explained_at"] == explanation.create_time.isoformat()
    assert label["threshold"] == document_threshold
    database = console.console.state.read
    for table in ("alert_label", "alert_reason", "alert_effect", "reference_values"):
        assert database.execute(f"SELECT COUNT(*) FROM {table} WHERE alert = ?", (id,)).fetchone()[0] == 0
    # Nor do the bytes of the file and of its log have the text any more.
    for file in console.console.state.file.parent.glob("console.db*"):
        assert b"a secret note" not in file.read_bytes()


def test_a_label_of_an_alert_that_has_just_gone(
    own_service: Sequela, console: ConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert that leaves between the first look and the write keeps no note."""
    id = explained(own_service, 9)
    console.console.index.refresh()
    monkeypatch.setattr(marks, "known", lambda console, *_: forget_alerts(console.state, [id]))
    answer = httpx.post(
        f"{console.url}/api/alerts/{id}/labels", json={"verdict": "note", "note": "late"}, timeout=PATIENCE
    )
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "ALERT_NOT_FOUND")
    assert httpx.get(f"{console.url}/api/alerts/{id}/labels", timeout=PATIENCE).json() == []


def test_an_empty_service_takes_nothing_at_once(
    own_service: Sequela, console: ConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When most alerts are missing, they stay for ten minutes, and people are told."""
    state, index = console.console.state, console.console.index
    eventually(lambda: index.state().updated is not None)
    real = explained(own_service, 10)
    index.refresh()
    known = len(known_ids(state))
    add_alerts(state, [row_named(f"gone{i}") for i in range(2 * known + 20)])
    add_label(state, "gone0", NewLabel("fraud", "text", None, "me", False, 0.5), None)
    index.refresh()
    assert {"gone0", real} <= known_ids(state)
    session = httpx.get(f"{console.url}/api/session", timeout=PATIENCE).json()
    assert f"no longer lists {2 * known + 20} of {3 * known + 20} alerts" in session["index"]["warning"]
    assert httpx.get(f"{console.url}/api/alerts/gone0", timeout=PATIENCE).status_code == 404
    assert "gone0" in known_ids(state)
    monkeypatch.setattr(loss, "CONFIRMATION_SECONDS", 0.0)
    index.refresh()
    assert "gone0" not in known_ids(state)
    assert real in known_ids(state)
    assert httpx.get(f"{console.url}/api/session", timeout=PATIENCE).json()["index"]["warning"] == ""
    labels = [
        each
        for each in httpx.get(f"{console.url}/api/labels.json", timeout=PATIENCE).json()
        if each["alert"] == "gone0"
    ]
    assert [(each["verdict"], each["note"]) for each in labels] == [("fraud", "")]
    add_alerts(state, [row_named("gone0")])
    assert state.read.execute("SELECT decision FROM alert WHERE id = 'gone0'").fetchone()[0] == "fraud"


def test_a_wrong_service_adds_its_own() -> None:
    """Alerts of the wrong service do not make the loss look small, and a list that has them again ends it."""
    guard, old, wrong = loss.LossGuard(), {f"a{i}" for i in range(30)}, {f"b{i}" for i in range(100)}
    assert guard.removable(old, old) == set()
    assert guard.removable(old | wrong, old) == set()
    assert guard.warning
    assert guard.removable(old | wrong, {"a1"}) == {"a1"}
    assert guard.warning == ""
    assert guard.removable({"x", "y"}, {"x", "y"}) == {"x", "y"}


def test_many_are_removed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction removes more than a hundred, and links go that name one of them as a whole word."""
    state = StateDatabase(tmp_path / "console.db")
    add_alerts(state, [row_named(f"a{i}") for i in range(250)])
    save_view(state, SavedView("/alerts/a1", ""))
    kept = save_view(state, SavedView("/alerts/a1000", ""))
    counts: list[int] = []
    one = removal._forget
    monkeypatch.setattr(removal, "_forget", lambda *of: (counts.append(state.read.total_changes), one(*of)))
    write, transactions = StateDatabase.write, []

    def counted(self: StateDatabase) -> object:
        transactions.append(len(counts))
        return write.__get__(self)()

    monkeypatch.setattr(StateDatabase, "write", counted)
    forget_alerts(state, known_ids(state))
    assert transactions[:3] == [0, 100, 200]
    assert known_ids(state) == set()
    assert [row[0] for row in state.read.execute("SELECT id FROM link")] == [kept]


def later(state: StateDatabase, days: int) -> None:
    """Makes links as old as if so many days had passed."""
    with state.write() as database:
        database.execute("UPDATE link SET at = at - ?", (86_400 * days,))


def test_names_that_the_service_vouches_for_are_verified(tmp_path: Path) -> None:
    """Labels and the trail keep who is verified; the same name that somebody typed is another person."""
    state = StateDatabase(tmp_path / "console.db")
    add_alerts(state, [row_named("a")])
    for verified in (True, False, True):
        record_once(state, "a", "opened", Visitor("anna", frozenset(), cast(Sequela, None), verified))
    assert [each.verified for each in trail_of(state, "a")] == [False, True]
    assert add_label(state, "a", NewLabel("fraud", "", None, "anna", True, None), None).verified


def test_old_links_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links go that nobody has saved for 90 days, and above a number the oldest."""
    state = StateDatabase(tmp_path / "console.db")
    first, second = (save_view(state, SavedView("/alerts", text)) for text in ("1", "2"))
    later(state, days=60)
    save_view(state, SavedView("/alerts", "1"))
    later(state, days=40)
    save_view(state, SavedView("/alerts", "3"))
    assert saved_view(state, first) is not None
    assert saved_view(state, second) is None
    monkeypatch.setattr(links, "MAX_LINKS", 1)
    later(state, days=1)
    last = save_view(state, SavedView("/alerts", "4"))
    assert [row[0] for row in state.read.execute("SELECT id FROM link")] == [last]


def test_a_file_of_the_first_version_gains_the_copies(tmp_path: Path) -> None:
    """Decisions that were made before keep what their alert is, and nothing is lost."""
    file = tmp_path / "console.db"
    with closing(sqlite3.connect(file)) as old, old:
        old.executescript(
            "CREATE TABLE alert (id TEXT PRIMARY KEY, created REAL, happened REAL, moment REAL, caller_id TEXT,"
            "model TEXT, model_digest TEXT, target TEXT, target_label TEXT, score REAL, base REAL,"
            "in_unit_interval INTEGER, events INTEGER, labels TEXT, reasons TEXT, detailed INTEGER, search TEXT,"
            "decision TEXT);"
            "CREATE TABLE verdict (id INTEGER PRIMARY KEY AUTOINCREMENT, alert TEXT NOT NULL, verdict TEXT NOT NULL,"
            "note TEXT NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL, at REAL NOT NULL);"
            "CREATE TABLE trail (id INTEGER PRIMARY KEY AUTOINCREMENT, alert TEXT NOT NULL, action TEXT NOT NULL,"
            "detail TEXT NOT NULL, who TEXT NOT NULL, at REAL NOT NULL);"
            "INSERT INTO alert VALUES ('a', 1, NULL, 1, 'c', 'm', 'd', 't', 'T', 0.75, NULL, 1, 3, '{}', '[]', 1,"
            "'', 'fraud');"
            "INSERT INTO verdict VALUES (1, 'a', 'fraud', 'n', 'null', 'me', 5);"
            "PRAGMA user_version = 1;"
        )
    (row,) = all_labels(StateDatabase(file))
    copies = ("caller_id", "model", "model_digest", "target", "score", "created", "threshold", "verified")
    assert [row[each] for each in copies] == ["c", "m", "d", "t", 0.75, 1.0, None, 0]
    assert (row["note"], row["who"]) == ("n", "me")
    assert StateDatabase(file).read.execute("SELECT COUNT(*) FROM verdict").fetchone()[0] == 1


def test_the_file_of_version_2_reads_its_alerts_again(tmp_path: Path) -> None:
    """It does not know the targets of an alert, which only the service can tell."""
    file = tmp_path / "console.db"
    state = StateDatabase(file)
    add_alerts(state, [replace(row_named("a"), detailed=True)])
    with state.write() as old:
        old.execute("DROP TABLE alert_target")
        old.execute("PRAGMA user_version = 2")
    state.close()
    again = StateDatabase(file)
    assert [each.id for each in undetailed_alerts(again, 10)] == ["a"]
    assert again.read.execute("SELECT COUNT(*) FROM alert_target").fetchone()[0] == 0


def test_an_alert_that_was_deleted_leaves_when_it_is_opened(
    own_service: Sequela, console: ConsoleServer
) -> None:
    id = explained(own_service, 3)
    console.console.index.refresh()
    own_service.delete_explanations(name=f"explanations/{id}")
    answer = httpx.get(f"{console.url}/api/alerts/{id}", timeout=PATIENCE)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "ALERT_NOT_FOUND")
    assert id not in listed(console)


def test_an_alert_is_opened_before_the_index_knows_it(own_service: Sequela, tmp_path: Path) -> None:
    """Any id opens, and the alert is in the list from then on."""
    id = explained(own_service, 4)
    with Sequela(own_service.address) as service:  # type: ignore[attr-defined]
        index = AlertIndex(service, StateDatabase(tmp_path / "console.db"), {})
        explanation = service.get_explanation(f"explanations/{id}")
        index.ensure(explanation, service.get_model(MODEL))
        index.ensure(explanation, service.get_model(MODEL))
        assert index.state().alerts == 1
        assert index.state().pending == 0
        index.close()


def test_only_unknown_alerts_are_read(
    own_service: Sequela, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start goes on from what is known: no explanation is read twice."""
    explained(own_service, 5)
    read: list[str] = []
    whole = IndexReader._details

    def counted(self: IndexReader, alert: object, sequence: bool) -> object:
        read.append(alert.id)  # type: ignore[attr-defined]
        return whole(self, alert, sequence)  # type: ignore[arg-type]

    monkeypatch.setattr(IndexReader, "_details", counted)
    state = StateDatabase(tmp_path / "console.db")
    for _ in range(2):
        index = AlertIndex(own_service, state, {})
        index.refresh()
        index.close()
    assert sorted(read) == sorted(known_ids(state))
    another = explained(own_service, 6)
    index = AlertIndex(own_service, state, {})
    index.refresh()
    index.close()
    assert read[-1] == another
    assert len(read) == len(known_ids(state))


@pytest.mark.slow
def test_the_list_goes_on_while_the_service_is_down(tmp_path: Path) -> None:
    """The list answers from the index, the page of an alert says what is wrong, and all of it comes back."""
    store = ["--model-repository", str(MODELS), "--store", str(tmp_path / "store.db")]
    # A port that nobody else is given while the service is away.
    store += ["--port", str(free_ports(1)[0])]
    server = start_server(store)
    try:
        with Sequela(server.address) as service:
            id = explained(service, 7)
        with running_console(server.address, tmp_path) as console:
            console.console.index.refresh()
            server.stop()
            assert listed(console) == {id}
            answer = httpx.get(f"{console.url}/api/alerts/{id}", timeout=60)
            assert answer.status_code == 503
            assert answer.json()["error"]["message"]
            eventually(
                lambda: (
                    httpx.get(f"{console.url}/api/session", timeout=PATIENCE).json()["service"]["state"]
                    == "down"
                )
            )
            server = start_server(store)
            address = f"{console.url}/api/alerts/{id}"
            eventually(lambda: httpx.get(address, timeout=60).status_code == httpx.codes.OK)
            with Sequela(server.address) as service:
                other = explained(service, 8)
            eventually(lambda: listed(console) == {id, other})
    finally:
        server.stop()


def test_rows_of_a_summary_are_searchable_at_once(tmp_path: Path) -> None:
    """Before details have been read, everything that a list has can be found."""
    state = StateDatabase(tmp_path / "console.db")
    row = row_named("a1")
    add_alerts(state, [row, row])
    assert known_ids(state) == {"a1"}
    assert state.read.execute("SELECT search FROM alert").fetchone()[0] == "\na1\ncaller\nvalue"
