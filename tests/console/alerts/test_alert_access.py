"""Who may do what with alerts: the roles of the service hold for the console, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from console.filled_service import MODEL, simulated_sequence
from console.filled_serving import demo_serving
from console.running_console import running_console
from credential_files import tokens_by_role
from sequela_client.client import Sequela
from sequela_client.credentials import Credentials
from waiting import PATIENCE


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str], str]]:
    """A console before a service that asks for tokens, the tokens by role, and the id of an alert."""
    folder = tmp_path_factory.mktemp("closed")
    tokens = dict(tokens_by_role(folder / "tokens"))
    with demo_serving(tokens=folder / "tokens") as address:
        with Sequela(address, credentials=Credentials(token=tokens["explain"])) as explainer:
            explanation = explainer.explain(simulated_sequence(3), model=MODEL, target_standard_error=0.05)
        with running_console(address, folder, credentials=Credentials(token=tokens["read"])) as console:
            yield console.url, tokens, explanation.name.removeprefix("explanations/")


@contextmanager
def client(url: str, token: str) -> Iterator[httpx.Client]:
    """Somebody who has logged in."""
    with httpx.Client(base_url=url, timeout=60) as http:
        assert http.post("/api/session", json={"token": token}).status_code == httpx.codes.OK
        yield http


def test_who_only_reads(closed: tuple[str, dict[str, str], str]) -> None:
    """A reader sees everything and leaves labels, but makes the service compute nothing."""
    url, tokens, id = closed
    with client(url, tokens["read"]) as http:
        document = http.get(f"/api/alerts/{id}").json()
        assert document["id"] == id
        for name in ("score", "explain", "replay", "changes"):
            assert not document["capabilities"][name]["ok"]
            assert "role explain" in document["capabilities"][name]["why"]
        answer = http.post(f"/api/alerts/{id}/labels", json={"verdict": "fraud", "previous": None})
        assert answer.json()["who"] == "client-read"
        for path in ("score", "explain", "replay", "changes"):
            answer = http.post(f"/api/alerts/{id}/{path}", json={})
            assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "ROLE_MISSING")
        assert {each["who"] for each in http.get(f"/api/alerts/{id}/trail").json()} == {"client-read"}


def test_who_may_explain(closed: tuple[str, dict[str, str], str]) -> None:
    """With the role explain, everything can be done, under the person's own name."""
    url, tokens, id = closed
    with client(url, tokens["explain"]) as http:
        assert http.get(f"/api/alerts/{id}").status_code == 403  # the role explain alone may not read
        assert http.post(f"/api/alerts/{id}/score", json={"edits": []}).status_code == 403
    with client(url, tokens["admin"]) as http:
        assert http.post(f"/api/alerts/{id}/score", json={"edits": []}).status_code == 200
        assert http.get(f"/api/alerts/{id}").json()["explanation"]["requested_by"] == "client-explain"


def test_nobody(closed: tuple[str, dict[str, str], str]) -> None:
    """Without a login, no route of alerts answers."""
    url, _, id = closed
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        for path in ("", f"/{id}", f"/{id}/labels", f"/{id}/trail", f"/{id}/similar", f"/{id}/export.json"):
            assert http.get(f"/api/alerts{path}").status_code == 401
        for path in ("labels.csv", "labels.json", "models", "backgrounds", "index", "links/x"):
            assert http.get(f"/api/{path}").status_code == 401
        assert http.post("/api/links", json={"path": "/", "state": ""}).status_code == 401
