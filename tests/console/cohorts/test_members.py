"""The sequences behind each mark: the same number as the mark has, and the same sequences as a loop over the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from console.cohort_files import START, Row, as_json, labels_of, rows_once
from console.cohorts.event_tables import CLASS_BY_LABEL, class_of, events_of, level_of, read_table
from httpx import Client
from sweeps import size

VARIANT = "checkpoint=600"
SPEC = {
    "class": CLASS_BY_LABEL,
    "variants": ["checkpoint=200", VARIANT],
    "bins": {"kind": "quantile", "count": 4},
    "steps": 12,
    "weight": "attribution",
}


def _members(client: Client, body: dict[str, Any], cohort: str = "payments") -> dict[str, Any]:
    answer = client.post(f"/api/cohorts/{cohort}/members", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _ids(client: Client, body: dict[str, Any]) -> set[str]:
    found = _members(client, {"variant": VARIANT, "limit": 500, **body})
    assert found["total"] == len(found["rows"])
    return {each["id"] for each in found["rows"]}


def _rows(folder: Path) -> list[Row]:
    return [row for row in rows_once(folder) if row["variant"] == VARIANT]


def _explained(row: Row) -> bool:
    return bool(row["status"] == "explained")


def _effect(row: Row, feature: str) -> float:
    return float(next(each["value"] for each in row["features"] if each["feature"] == feature))


def _pruned_length(row: Row, tolerance: float) -> int:
    """Events left, and one for those that Algorithm 1 prunes: the older ones at the first split below the tolerance."""
    for point in sorted(row["pruning"]["curve"], key=lambda each: -each["t"]):
        if abs(point["importance"]) < tolerance:
            kept = -int(point["t"])
            return kept + (kept < row["length"])
    return int(row["length"])


CASES: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
    ({"kind": "all"}, lambda row: True),
    ({"kind": "status", "status": "failed"}, lambda row: row["status"] == "failed"),
    ({"kind": "failure", "reason": "SEQUENCE_EMPTY"}, lambda row: row["reason"] == "SEQUENCE_EMPTY"),
    (
        {"kind": "event_bin", "t": -3, "low": 0.0, "high": 0.05},
        lambda row: _explained(row) and any(e["t"] == -3 and 0 <= e["value"] < 0.05 for e in row["events"]),
    ),
    (
        {"kind": "event_bin", "t": -9, "low": None, "high": None},
        lambda row: _explained(row) and row["length"] > 9,
    ),
    (
        {"kind": "feature_bin", "feature": "amount", "low": 0.02, "high": None},
        lambda row: _explained(row) and _effect(row, "amount") >= 0.02,
    ),
    (
        {"kind": "score_bin", "low": None, "high": 0.2},
        lambda row: _explained(row) and row["score"] < 0.2,
    ),
    (
        {"kind": "first_positive", "t": -2},
        lambda row: row["status"] != "failed" and row["first_positive"] == -2,
    ),
    (
        {"kind": "first_positive", "t": None},
        lambda row: row["status"] != "failed" and row["first_positive"] is None,
    ),
    (
        {"kind": "label", "key": "outcome", "value": "fraud"},
        lambda row: labels_of(row).get("outcome") == "fraud",
    ),
    (
        {"kind": "label", "key": "outcome", "value": "fraud", "other": True},
        lambda row: labels_of(row).get("outcome") == "genuine",
    ),
    ({"kind": "label", "key": "outcome", "value": None}, lambda row: "outcome" not in labels_of(row)),
    ({"kind": "period", "period": "2026-02"}, lambda row: row["time"].strftime("%Y-%m") == "2026-02"),
    (
        {"kind": "period", "period": "2026-01-10/2026-01-20"},
        lambda row: (
            datetime(2026, 1, 10, tzinfo=START.tzinfo)
            <= row["time"]
            < datetime(2026, 1, 20, tzinfo=START.tzinfo)
        ),
    ),
    (
        {"kind": "warning", "code": "TOLERANCE_EXCEEDS_DIFFERENCE"},
        lambda row: _explained(row) and bool(row["warnings"]),
    ),
    ({"kind": "verdict", "verdict": None}, _explained),
    ({"kind": "pruned_length", "tolerance": None, "low": None, "high": None}, _explained),
    (
        {"kind": "pruned_length", "tolerance": None, "low": 9, "high": 12},
        lambda row: _explained(row) and 9 <= row["length"] < 12,
    ),
    (
        {"kind": "pruned_length", "tolerance": 0.05, "low": None, "high": 6},
        lambda row: _explained(row) and _pruned_length(row, 0.05) < 6,
    ),
    ({"kind": "rows", "rows": [3, 5, 1000]}, lambda row: row["row"] in (3, 5)),
    (
        {
            "kind": "every",
            "of": [
                {"kind": "label", "key": "region", "value": "north"},
                {"kind": "score_bin", "low": 0.2, "high": None},
            ],
        },
        lambda row: _explained(row) and row["score"] >= 0.2 and labels_of(row)["region"] == "north",
    ),
]


@pytest.mark.parametrize(("body", "belongs"), CASES)
def test_members_are_those_of_a_loop_over_the_rows(
    client: Client, folder: Path, body: dict[str, Any], belongs: Callable[[Row], bool]
) -> None:
    """The ids are those for which the condition holds in plain Python."""
    assert _ids(client, body) == {row["id"] for row in _rows(folder) if belongs(row)}


def test_groups_have_as_many_members_as_the_figure_says(client: Client) -> None:
    """Each group of the fairness figure, by a label and by bins of a feature, has n members, and all are in one."""
    for by in ("region", "client_age", "shop", "label:outcome"):
        query = {"variant": VARIANT, "feature": "client_age", "by": by}
        table = client.get("/api/cohorts/payments/figures/fairness", params=query).json()["tables"]["groups"]
        names = [each["name"] for each in table["columns"]]
        everybody: set[str] = set()
        for row in table["rows"]:
            held = dict(zip(names, row, strict=True))
            found = _ids(client, {"kind": "group", "by": by, "value": held["group"]})
            assert len(found) == held["n"], (by, held)
            assert not found & everybody
            everybody |= found
        assert len(everybody) == 59, "all but the row that failed"


@pytest.mark.parametrize("of", ["events", "features"])
def test_every_bin_of_the_density_has_as_many_members(client: Client, of: str) -> None:
    """The count of each bin of some strips is the number of sequences that the same range gives."""
    found = client.get(f"/api/cohorts/payments/density/{of}", params={"variant": VARIANT}).json()
    for strip, counts in list(zip(found["rows"], found["counts"], strict=True))[: size(2, 3)]:
        kind = (
            {"kind": "event_bin", "t": int(strip["key"])}
            if of == "events"
            else {
                "kind": "feature_bin",
                "feature": strip["key"],
            }
        )
        assert sum(counts) == strip["n"] == len(_ids(client, {**kind, "low": None, "high": None}))
        # All bins would take a minute; the fullest ones and those at the ends are the most telling.
        fullest = sorted(range(len(counts)), key=lambda place: -counts[place])[: size(4, 6)]
        for place in {0, *fullest, len(counts) - 1}:
            count = counts[place]
            low, high = found["edges"][place], found["edges"][place + 1]
            assert len(_ids(client, {**kind, "low": low, "high": high})) == count


@pytest.mark.parametrize(
    ("variant", "classes"),
    [
        (None, "both"),
        (VARIANT, "positive"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                (None, "positive"),
                (None, "negative"),
                (VARIANT, "negative"),
                (VARIANT, "both"),
            )
        ),
    ],
)
def test_a_cell_has_the_sequences_of_the_rows(
    client: Client, folder: Path, classes: str, variant: str | None
) -> None:
    """Members of each cell of a matrix, for one variant or all, against a loop over rows and events."""
    body = {
        "kind": "grid_cell",
        "spec": SPEC,
        "pair": [0, 3],
        "class": classes,
        "weights": [0.2, 0.9],
        "steps": [2, 10],
        **({"variant": variant} if variant else {}),
    }
    header = _header(client)
    amount, country = header["attributes"][0], header["attributes"][3]
    for levels in [(i, j) for i in range(len(amount["levels"])) for j in range(len(country["levels"]))]:
        found = _members(client, {**body, "levels": list(levels), "limit": 500})
        sequences, events = set(), 0
        for row in _both(folder):
            wanted = classes in ("both", ("negative", "positive")[class_of(row, SPEC) or 0])
            if not wanted or variant not in (None, row["variant"]):
                continue
            for t, weight, values in events_of(row, "attribution"):
                selected = 13107 <= weight <= 58982 and 2 <= t + 11 <= 10
                if selected and (level_of(amount, values[0]), level_of(country, values[3])) == levels:
                    sequences.add((row["id"], row["variant"]))
                    events += 1
        assert {(each["id"], each["variant"]) for each in found["rows"]} == sequences
        assert (found["total"], found["events"]) == (len(sequences), events)


def test_an_edge_has_the_sequences_of_the_rows(client: Client, folder: Path) -> None:
    """Members of edges between two steps of two attributes, against a loop over rows."""
    attributes = _header(client)["attributes"]
    seen = 0
    for first, second in (((0, 0), (0, 0)), ((0, 1), (0, 0)), ((1, 2), (0, 3))):
        body = {
            "kind": "edge",
            "spec": SPEC,
            "attributes": [3, 1],
            "from": {"step": 4, "levels": list(first)},
            "to": {"step": 9, "levels": list(second)},
            "class": "negative",
            "weights": [0, 1],
            "steps": [0, 11],
            "variant": VARIANT,
        }
        found = _members(client, body)
        expected = set()
        for row in _both(folder):
            if row["variant"] != VARIANT or class_of(row, SPEC) != 0:
                continue
            at = {
                t + 11: (level_of(attributes[3], values[3]), level_of(attributes[1], values[1]))
                for t, _, values in events_of(row, "attribution")
            }
            if at.get(4) == first and at.get(9) == second:
                expected.add(row["id"])
        assert {each["id"] for each in found["rows"]} == expected
        assert found["events"] is None
        seen += len(expected)
    assert seen, "the test has found at least one edge"


def _header(client: Client) -> dict[str, Any]:
    answer = client.get("/api/cohorts/payments/event-table", params={"spec": as_json(SPEC)})
    return read_table(answer.content).header


def _both(folder: Path) -> list[Row]:
    """Rows of both variants with a class; every sequence is in both."""
    return [
        row
        for row in rows_once(folder)
        if row["variant"] in SPEC["variants"] and _explained(row) and class_of(row, SPEC) is not None
    ]


def test_pages_have_each_sequence_once_the_highest_scores_first(client: Client) -> None:
    """Going on from page to page gives all, in order."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = _members(client, {"kind": "all", "variant": VARIANT, "limit": 7, "cursor": cursor})
        assert page["total"] == 60
        found += page["rows"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({each["id"] for each in found}) == len(found) == 60
    scores = [each["score"] for each in found if each["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert [each["score"] for each in found[len(scores) :]] == [None] * (60 - len(scores))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "SELECT 1"}, "kind"),
        ({"kind": "event_bin", "t": "0"}, "t"),
        ({"kind": "event_bin", "t": 0, "low": "0) OR (1=1"}, "low"),
        ({"kind": "feature_bin", "feature": 3}, "feature"),
        ({"kind": "rows", "rows": ["1"]}, "rows"),
        ({"kind": "rows", "rows": list(range(10_001))}, "rows"),
        ({"kind": "every", "of": []}, "of"),
        ({"kind": "every", "of": [{"kind": "every", "of": []}]}, "of"),
        ({"kind": "all", "limit": 501}, "limit"),
        ({"kind": "all", "cursor": "-1"}, "cursor"),
        ({"kind": "all", "variant": 1}, "variant"),
        ({"kind": "grid_cell", "pair": [0, 0], "levels": [0, 0]}, "spec"),
        ({"kind": "grid_cell", "spec": {}, "pair": [0, 0], "levels": [0, 0]}, "spec.class"),
        ({"kind": "grid_cell", "spec": SPEC, "pair": [0], "levels": [0, 0]}, "pair"),
        ({"kind": "grid_cell", "spec": SPEC, "pair": [0, 99], "levels": [0, 0]}, "pair"),
        ({"kind": "grid_cell", "spec": SPEC, "pair": [0, 0], "levels": [0, 0], "weights": 1}, "weights"),
        ({"kind": "edge", "spec": SPEC, "attributes": [0], "from": 1, "to": 2}, "from"),
    ],
)
def test_a_wrong_predicate_is_refused_by_field(client: Client, body: dict[str, Any], field: str) -> None:
    """The answer names the field, and nothing of it reaches the database."""
    answer = client.post("/api/cohorts/payments/members", json={"variant": VARIANT, **body})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["field"] == field


@pytest.mark.parametrize("text", ["'; DROP TABLE x; --", '"', "a'b", "\0", "%"])
def test_texts_of_a_browser_are_values_and_never_sql(client: Client, text: str) -> None:
    """Texts with signs of SQL in them find nothing, or are told as unknown."""
    for body in (
        {"kind": "label", "key": text, "value": text},
        {"kind": "feature_bin", "feature": text},
        {"kind": "status", "status": text},
        {"kind": "warning", "code": text},
    ):
        assert _members(client, {**body, "variant": VARIANT})["total"] == 0
    answer = client.post(
        "/api/cohorts/payments/members", json={"kind": "group", "by": text, "value": text, "variant": VARIANT}
    )
    assert answer.status_code == 400


def test_with_a_link_thresholds_and_scores_are_of_the_raw_score(client: Client, linked: Path) -> None:
    """What is flagged at 0.3 are the probabilities from 0.3 on: in rates, in members, and in the classes of a grid."""
    rows = _rows(linked)
    flagged = {row["id"] for row in rows if _explained(row) and row["raw_score"] >= 0.3}
    assert 0 < len(flagged) < len(rows)
    body = {"kind": "score_bin", "low": 0.3, "high": None, "variant": VARIANT, "limit": 500}
    found = _members(client, body, "linked")["rows"]
    assert {each["id"] for each in found} == flagged
    assert [each["score"] for each in found] == sorted(
        (row["raw_score"] for row in rows if row["id"] in flagged), reverse=True
    )
    query = {"variant": VARIANT, "feature": "amount", "by": "label:region", "threshold": 0.3}
    groups = client.get("/api/cohorts/linked/figures/fairness", params=query).json()["tables"]["groups"]
    column = [each["name"] for each in groups["columns"]].index("positives")
    assert sum(line[column] for line in groups["rows"]) == len(flagged)
    spec = {**SPEC, "class": {"kind": "decision", "threshold": 0.3}, "variants": [VARIANT]}
    table = client.get("/api/cohorts/linked/event-table", params={"spec": as_json(spec)})
    assert read_table(table.content).header["class"]["positives"] == len(flagged)
