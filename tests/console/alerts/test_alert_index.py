"""The index keeps in step with the service: new alerts, deleted ones, a service that is down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from console.filled_service import MODEL, simulated_sequence
from console.running_console import running_console
from sequela_client.client import Sequela
from sequela_client.local_server import embedded_server, server_package, start_server
from sequela_console.alert_index.index import AlertIndex
from sequela_console.alert_index.reader import IndexReader
from sequela_console.server import ConsoleServer
from sequela_console.state.alerts import AlertRow, add_alerts, known_ids
from sequela_console.state.database import StateDatabase
from transports import eventually

MODELS = str(server_package() / "demo" / "models")


@pytest.fixture(scope="module")
def own_service() -> Iterator[Sequela]:
    """A server of which these tests may delete what they like."""
    with embedded_server(["--model-repository", MODELS]) as address, Sequela(address) as service:
        service.address = address  # type: ignore[attr-defined]
        yield service


@pytest.fixture
def console(own_service: Sequela, tmp_path: Path) -> Iterator[ConsoleServer]:
    with running_console(own_service.address, tmp_path) as server:  # type: ignore[attr-defined]
        yield server


def explained(service: Sequela, index: int, **arguments: str) -> str:
    """Has an alert explained, and returns its id."""
    explanation = service.explain(
        simulated_sequence(index), model=MODEL, levels=["feature"], target_standard_error=0.05, **arguments
    )
    return explanation.name.removeprefix("explanations/")


def listed(console: ConsoleServer) -> set[str]:
    answer = httpx.get(f"{console.url}/api/alerts", params={"limit": 500}).json()
    return {each["id"] for each in answer["alerts"]}


def test_new_alerts_appear_by_themselves(own_service: Sequela, console: ConsoleServer) -> None:
    """The thread finds an alert without being asked, and reads its details."""
    id = explained(own_service, 0)
    eventually(lambda: id in listed(console))
    eventually(lambda: console.console.index.state().pending == 0)
    state = httpx.get(f"{console.url}/api/index").json()
    assert state["complete"]
    assert state["updated"]


def test_deleted_alerts_leave_everything(own_service: Sequela, console: ConsoleServer) -> None:
    """Labels, vectors, values and links go with the alert; the trail keeps who did what."""
    id = explained(own_service, 1)
    kept = explained(own_service, 2)
    console.console.index.refresh()
    with httpx.Client(base_url=console.url) as http:
        http.post(f"/api/alerts/{id}/labels", json={"verdict": "fraud", "note": "secret", "previous": None})
        link = http.post("/api/links", json={"path": "/compare", "state": {"left": f"alert:{id}"}}).json()[
            "id"
        ]
        own_service.delete_explanations(name=f"explanations/{id}")
        console.console.index.refresh()
        assert id not in listed(console)
        assert kept in listed(console)
        assert http.get(f"/api/links/{link}").status_code == 404
        trail = http.get(f"/api/alerts/{id}/trail").json()
    assert [(each["action"], each["detail"]) for each in trail] == [("labelled", "fraud")]
    database = console.console.state.read
    for table in ("alert_label", "alert_reason", "alert_effect", "reference_values", "verdict"):
        assert database.execute(f"SELECT COUNT(*) FROM {table} WHERE alert = ?", (id,)).fetchone()[0] == 0
        assert "secret" not in str([tuple(row) for row in database.execute(f"SELECT * FROM {table}")])


def test_an_alert_that_was_deleted_leaves_when_it_is_opened(
    own_service: Sequela, console: ConsoleServer
) -> None:
    id = explained(own_service, 3)
    console.console.index.refresh()
    own_service.delete_explanations(name=f"explanations/{id}")
    answer = httpx.get(f"{console.url}/api/alerts/{id}")
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
    store = ["--model-repository", MODELS, "--store", str(tmp_path / "store.db")]
    server = start_server(store)
    port = server.address.rpartition(":")[2]
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
            eventually(lambda: httpx.get(f"{console.url}/api/session").json()["service"]["state"] == "down")
            server = start_server([*store, "--port", port])
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
    row = AlertRow("a1", 1.0, "caller", {"k": "Value"}, "m", "d", "t", "T", 0.5, None, True, 3)
    add_alerts(state, [row, row])
    assert known_ids(state) == {"a1"}
    assert state.read.execute("SELECT search FROM alert").fetchone()[0] == "\na1\ncaller\nvalue"
