"""A console before a server with alerts in it, for the tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from console.filled_serving import filled_serving
from console.running_console import running_console
from sequela_client.client import Sequela
from sequela_console.alert_index.index import AlertIndex
from sequela_console.server import ConsoleServer
from sequela_console.state.database import StateDatabase

ACCOUNTS = (4, 5, 6, 7, 9, 10, 3, 11, 13, 14, 15, 17)
"""Simulated accounts whose histories are not very long; some have more than the 200 events that are compared.

There are others before and after number 3, which is compared with them."""


@dataclass(frozen=True, slots=True)
class AlertConsole:
    """A console whose index is complete.

    Args:
        server: the console.
        http: asks it over HTTP, as a browser does.
        service: asks the service behind it.
        address: where the service is.
    """

    server: ConsoleServer
    http: httpx.Client
    service: Sequela
    address: str

    def get(self, path: str, /, **parameters: Any) -> Any:
        """Returns the JSON of a GET that succeeds."""
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def post(self, path: str, /, **body: Any) -> Any:
        """Returns the JSON of a POST that succeeds."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def refused(self, method: str, path: str, **arguments: Any) -> tuple[int, str, str]:
        """Returns status, reason and field of a request that is refused."""
        answer = self.http.request(method, path, **arguments)
        error = answer.json()["error"]
        return answer.status_code, error["reason"], error.get("field", "")

    def id_of(self, caller_id: str) -> str:
        """Returns the id of the alert with this caller id."""
        found = [each["id"] for each in self.get("/api/alerts", q=caller_id)["alerts"]]
        assert len(found) == 1
        return str(found[0])


@pytest.fixture(scope="session")
def filled() -> Iterator[str]:
    """The address of a server with alerts in it. All tests share it, so they must not delete any."""
    with filled_serving(ACCOUNTS) as address:
        yield address


@pytest.fixture(scope="session")
def indexed(filled: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a console that has read all alerts of that server and is closed, for others to begin with."""
    folder = tmp_path_factory.mktemp("indexed")
    with Sequela(filled) as service, closing(StateDatabase(folder / "console.db")) as state:
        index = AlertIndex(service, state, {})
        index.refresh()
        index.close()
    return folder


@pytest.fixture(scope="module")
def alerts(filled: str, indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertConsole]:
    """A console before that server, with a folder of its own."""
    folder = tmp_path_factory.mktemp("alerts")
    shutil.copytree(indexed, folder / "console")
    with (
        running_console(filled, folder) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
        Sequela(filled) as service,
    ):
        server.console.index.refresh()
        yield AlertConsole(server, http, service, filled)
