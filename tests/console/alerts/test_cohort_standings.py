"""Where values stand among the events of a cohort that a reader chose, against plain counting over its files."""

from __future__ import annotations

import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sequela_console
from console.alerts.conftest import AlertConsole
from console.cohort_files import rows_once
from console.running_console import running_console
from sequela_client.client import Sequela
from sequela_client.cohort import schema
from sequela_console.cohort_files.feature_schema import features_of

FOLDER = Path(sequela_console.__file__).parent / "demo" / "cohorts" / "accounts"
EVENTS = 200


@pytest.fixture(scope="module")
def console(filled: str, indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertConsole]:
    """A console before the server with alerts, and with a cohort."""
    folder = tmp_path_factory.mktemp("standings")
    shutil.copytree(indexed, folder / "console")
    with (
        running_console(filled, folder, cohorts={"accounts": FOLDER}) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
        Sequela(filled) as service,
    ):
        server.console.index.refresh()
        yield AlertConsole(server, http, service, filled)


def texts_of(feature: str) -> list[str]:
    """The texts of a feature at the latest events of all sequences."""
    names = [each.name for each in features_of(next(FOLDER.glob(schema.PART_PATTERN)))]
    place = names.index(feature)
    rows = [row for row in rows_once(FOLDER) if row["status"] == "explained"]
    assert len({row["id"] for row in rows}) == len(rows)
    return [
        each["values"][place] for row in rows for each in row["event_values"] or () if each["t"] > -EVENTS
    ]


def test_standings_are_those_of_plain_counting(console: AlertConsole) -> None:
    """Of a number the share of smaller ones with half of the equal ones, of a word the share that have it."""
    id = console.id_of("takeover-47")
    recent, chosen = (console.get(f"/api/alerts/{id}", reference=name) for name in ("", "accounts"))
    assert (recent["reference"], chosen["reference"]) == ("", "accounts")
    amounts = sorted(float(each.replace(",", "")) for each in texts_of("amount") if each)
    devices = [each for each in texts_of("device") if each]
    assert chosen["cohortEvents"] == len(texts_of("amount"))
    for event in chosen["history"]:
        amount, device = event["values"]["amount"], event["values"]["device"]
        low, high = (find(amounts, amount["number"]) for find in (bisect_left, bisect_right))
        assert amount["cohort"]["percent"] == pytest.approx(100 * (low + high) / 2 / len(amounts), abs=0.02)
        assert amount["cohort"]["n"] == len(amounts)
        word = device["modelText"] or device["text"]
        assert device["cohort"]["percent"] == pytest.approx(100 * devices.count(word) / len(devices))
    # Only these standings differ.
    for one, other in zip(recent["history"], chosen["history"], strict=True):
        for name in one["values"]:
            assert {**one["values"][name], "cohort": None} == {**other["values"][name], "cohort": None}


def test_an_unknown_cohort(console: AlertConsole) -> None:
    id = console.id_of("takeover-47")
    answer = console.refused("GET", f"/api/alerts/{id}", params={"reference": "nobody"})
    assert answer[:2] == (404, "COHORT_NOT_FOUND")
