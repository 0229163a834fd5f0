"""The document of a row against the explanation that the service stores, and what a row lacks."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sequela
from client import file_models
from cohort.cohorts import accounts, explained
from console.cohort_files import read_rows, write_cohort, write_rows
from console.running_console import running_console
from sequela_client import Sequela
from sequela_client.cohort import BulkQuestion
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.cohorts.row_explanation import explanation_of
from sequela_console.cohorts.warning_texts import warning_text
from serving import Serving

# What files of cohorts do not have, or have in their own way.
NOT_IN_ROWS = {
    *("create_time", "caller_id", "labels", "feature_info", "warnings", "event_values", "sequence_state"),
    *("reasons", "pruning", "cost", "sequence", "options", "requested_by"),
}
NOT_IN_QUALITY = {"seconds", "detail", "clipped_coalitions", "selection_truncated", "near_misses"}


@pytest.fixture(scope="module")
def made(server: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """A console with a cohort that a server explained, at all three levels and with pruning."""
    folder = tmp_path_factory.mktemp("made")
    model = file_models.written(
        folder / "toy", file_models.weighted(2), file_models.features("amount", "hour")
    )
    question = BulkQuestion(
        str(model),
        np.zeros(2),
        options={"levels": ("event", "feature", "cell"), "pruning_tolerance": 0.05, "max_coalitions": 512},
        entity="account",
        time="when",
        labels=("fraud",),
    )
    accounts(12).to_parquet(folder / "events.parquet")
    explained(folder / "events.parquet", folder / "toys", server.bound.grpc, question)
    with (
        running_console(server.bound.grpc, folder, cohorts={"toys": folder / "toys"}) as console,
        httpx.Client(base_url=console.url, timeout=60) as client,
    ):
        yield client, folder / "toys"


def test_a_row_has_the_numbers_of_the_stored_explanation(
    made: tuple[httpx.Client, Path], server: Serving
) -> None:
    """Every number of a row's document is that of the explanation which the service stores."""
    client, folder = made
    with Sequela(server.bound.grpc) as service:
        for row in read_rows(folder):
            document = client.get(f"/api/cohorts/toys/rows/{row['row']}").json()
            stored = service.get_explanation(row["explanation"]).to_dict()
            found = document["explanation"]
            for name in set(stored) - NOT_IN_ROWS - {"event_level", "feature_level", "cell_level"}:
                assert found[name] == stored[name], name
            for name in ("event_level", "feature_level", "cell_level"):
                assert _players(found[name]) == _players(stored[name]), name
                assert _quality(found[name]) == _quality(stored[name]), name
            known = {key: value for key, value in stored["pruning"].items() if key != "quality"}
            assert {key: found["pruning"][key] for key in known} == known
            assert [each["text"] for each in found["reasons"]] == [each["text"] for each in stored["reasons"]]
            ranks = [(each["rank"], each["tied"]) for each in stored["reasons"]]
            assert [(each["rank"], each["tied"]) for each in found["reasons"]] == ranks
            assert found["labels"] == {"fraud": row["labels"][0][1]}
            texts = {each["t"]: each["values"] for each in stored["event_values"]}
            own = {each["t"]: each["values"] for each in found["event_values"]}
            assert own == {t: values for t, values in texts.items() if t in own}
            assert len(own) == row["length"] - row["pruned_events"]


def _players(level: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The attributions of a level, in an order that does not depend on where they come from."""
    names = ("kind", "t", "feature", "first_t", "last_t", "values", "standard_errors")
    return sorted(
        (tuple(str(each[name]) for name in names) for each in level["attributions"]),
    )


def _quality(level: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in level["quality"].items() if name not in NOT_IN_QUALITY}


def test_reading_a_row_leaves_a_trace(made: tuple[httpx.Client, Path]) -> None:
    """Each row once a minute."""
    client, folder = made
    for row in (4, 5, 5):
        assert client.get(f"/api/cohorts/toys/rows/{row}").status_code == httpx.codes.OK
    with closing(sqlite3.connect(next(folder.parent.rglob("console.db")))) as database:
        found = database.execute(
            "SELECT action, detail, verified FROM trail WHERE detail GLOB 'row [45] *'"
        ).fetchall()
    assert found == [("opened", f"row {row} of the cohort toys", 0) for row in (4, 5)]


def test_a_row_says_what_it_lacks(made: tuple[httpx.Client, Path]) -> None:
    """The history shows the explained events, and nothing can be asked or labelled."""
    client, _ = made
    document = client.get("/api/cohorts/toys/rows/3").json()
    assert document["source"] == {"kind": "cohort", "cohort": "toys", "row": 3, "variant": ""}
    assert document["capabilities"]["history"]["ok"]
    for name in ("score", "explain", "replay", "changes", "similar", "label", "percentiles"):
        assert not document["capabilities"][name]["ok"], name
        assert document["capabilities"][name]["why"].endswith("."), name
    assert document["history"][0]["t"] == 0


def test_rows_that_cannot_be_shown_are_told_by_reason(client: httpx.Client) -> None:
    """Unknown rows, rows of several variants, failed rows and rows below the minimum."""
    for path, status, reason in (
        ("rows/99?variant=checkpoint=1", 404, "ROW_NOT_FOUND"),
        ("rows/-1?variant=checkpoint=1", 404, "ROW_NOT_FOUND"),
        ("rows/9999999999999999999?variant=checkpoint=1", 404, "ROW_NOT_FOUND"),
        ("rows/3", 400, "VARIANT_NOT_CHOSEN"),
        ("rows/3?variant=checkpoint=2", 404, "VARIANT_NOT_FOUND"),
        ("rows/7?variant=checkpoint=1", 409, "ROW_NOT_EXPLAINED"),
        ("rows/8?variant=checkpoint=1", 409, "ROW_NOT_EXPLAINED"),
    ):
        answer = client.get(f"/api/cohorts/payments/{path}")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason), path


def test_thresholds_come_from_the_run_or_the_operator(client: httpx.Client) -> None:
    """The run looked for predictions from 0.5 on, which is the threshold of its rows."""
    document = client.get("/api/cohorts/payments/rows/3?variant=checkpoint=1").json()
    assert document["threshold"] == {"value": 0.5, "source": "setting"}
    assert document["alert"] is (document["explanation"]["targets"][0]["raw_score"] >= 0.5)


def test_ties_and_warnings_of_a_row_are_told(tmp_path: Path) -> None:
    """Reasons that are equally strong within their errors share a rank, and each warning is a sentence."""
    rows = read_rows(write_cohort(tmp_path / "made", 20, ["600"]))
    row = next(row for row in rows if row["status"] == "explained")
    first = row["reasons"][0]
    strengths = [(0.5, 0.01), (0.49, 0.01), (0.47, 0.01), (0.1, 0.0), (-0.1, 0.1)]
    row["reasons"] = [{**first, "value": value, "standard_error": error} for value, error in strengths]
    row["warnings"] = ["TOLERANCE_EXCEEDS_DIFFERENCE", "OF_TOMORROW"]
    cohort = CohortCatalogue({"c": write_rows(tmp_path / "ties", rows)}).cohort("c")
    found = explanation_of(cohort, row, datetime(2026, 1, 1, tzinfo=UTC))
    assert [(each.rank, each.tied) for each in found.reasons] == [
        *((1, False), (1, True), (1, True)),
        *((4, False), (5, False)),
    ]
    assert found.warnings[0].message.startswith("A tolerance exceeds the whole")
    assert "OF_TOMORROW" in found.warnings[1].message


def test_every_warning_of_the_service_has_a_sentence() -> None:
    """Codes are found in the service's sources."""
    folder = Path(sequela.__file__).parent
    sources = [path.read_text() for path in folder.rglob("*.py")]
    codes = {code for text in sources for code in re.findall(r'ExplanationWarning\(\s*"([A-Z_]+)"', text)}
    assert len(codes) > 15
    assert [code for code in codes if "does not know" in warning_text(code)] == []
