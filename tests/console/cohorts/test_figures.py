"""Figures, densities and descriptions of cohorts, against numpy and plain Python over the rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import pytest
from console.cohort_files import Row, labels_of, rows_once
from httpx import Client
from sequela_client.cohort import Cohort

VARIANT = "checkpoint=600"


def _figure(client: Client, name: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/cohorts/payments/figures/{name}", params={"variant": VARIANT, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["explanation"]
    assert all(each.endswith(".") for each in found["explanation"])
    return found


def _lines(table: dict[str, Any]) -> list[dict[str, Any]]:
    names = [each["name"] for each in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


def _explained(folder: Path) -> list[Row]:
    return [row for row in rows_once(folder) if row["variant"] == VARIANT and row["status"] == "explained"]


@pytest.fixture(scope="module")
def report(folder: Path) -> Cohort:
    """The same rows as Python's reports see them."""
    return Cohort.open(folder).variant(VARIANT)


@pytest.mark.parametrize("of", ["events", "features"])
def test_density_counts_are_numpys(client: Client, folder: Path, of: str) -> None:
    """Counts of each strip over the given edges, n, means, and every value in some bin; 0 is an edge."""
    found = client.get(f"/api/cohorts/payments/density/{of}", params={"variant": VARIANT}).json()
    values: dict[str, list[float]] = {}
    for row in _explained(folder):
        for each in row[of]:
            values.setdefault(str(each["t"] if of == "events" else each["feature"]), []).append(each["value"])
    edges = np.array(found["edges"])
    assert 0.0 in found["edges"]
    assert 40 <= len(edges) - 1 <= 81
    assert {each["key"] for each in found["rows"]} == set(values)
    for strip, counts in zip(found["rows"], found["counts"], strict=True):
        own = np.array(values[strip["key"]])
        places = np.searchsorted(edges, own, side="right") - 1
        assert counts == np.bincount(places, minlength=len(edges) - 1).tolist()
        assert strip["n"] == len(own)
        assert strip["mean"] == pytest.approx(own.mean(), abs=1e-12)


def test_the_sample_is_of_the_same_sequences_at_every_call(client: Client, folder: Path) -> None:
    """Dots are values of their sequences, all strips have the same sequences, and the next call gives the same."""
    calls = [
        client.get("/api/cohorts/payments/density/events", params={"variant": VARIANT, "limit": limit}).json()
        for limit in (50, 50, 49)
    ]
    assert calls[0] == calls[1]
    assert calls[0]["sample"] == calls[2]["sample"], "12 events are fewer than both limits"
    rows = {row["row"]: row for row in _explained(folder)}
    for dot in calls[0]["sample"]:
        t = int(calls[0]["rows"][dot["row"]]["key"])
        assert dot["value"] == next(e["value"] for e in rows[dot["sequence"]]["events"] if e["t"] == t)


def test_events_are_means_over_the_sequences_that_have_them(client: Client, folder: Path) -> None:
    """Figure 3: n, share and mean of each index."""
    rows = _explained(folder)
    for line in _lines(_figure(client, "events")["tables"]["events"]):
        own = [e["value"] for row in rows for e in row["events"] if e["t"] == line["t"]]
        assert (line["n"], line["share"]) == (len(own), pytest.approx(len(own) / len(rows)))
        assert line["mean"] == pytest.approx(mean(own), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("features", {}),
        ("latest-share", {}),
        ("constant-features", {}),
        ("first-positive", {}),
        ("pruning", {"tolerances": "0.01,0.05"}),
        (
            "fairness",
            {"feature": "client_age", "by": "region", "outcome": "outcome=fraud", "threshold": "0.2"},
        ),
        ("drift", {"before": "2026-01", "after": "2026-02"}),
        ("drift", {"by": "region"}),
        ("score-drift", {"by": "region"}),
        ("quality", {}),
        ("statuses", {}),
        ("event-weights", {}),
    ],
)
def test_each_figure_has_the_numbers_of_the_report(
    client: Client, report: Cohort, name: str, query: dict[str, str]
) -> None:
    """The first table of each figure is what the same report gives in Python."""
    found = _figure(client, name, **query)
    assert found["missing"] == ""
    periods = {key: query[key] for key in ("by", "before", "after") if key in query}
    reports = {
        "features": ("features", report.features),
        "latest-share": ("share", report.latest_share),
        "constant-features": ("features", report.constant_features),
        "first-positive": ("steps", report.first_positive),
        "pruning": ("pruning", lambda: report.pruning((0.01, 0.05))),
        "fairness": ("groups", lambda: report.fairness("client_age", "region", 0.2, "outcome=fraud")),
        "drift": ("drift", lambda: report.drift(**periods)),
        "score-drift": ("bins", lambda: report.score_drift(**periods).bins),
        "quality": ("quality", report.quality),
        "statuses": ("statuses", report.statuses),
        "event-weights": ("weights", report.event_weights),
    }
    table, own = reports[name]
    for one, two in zip(_lines(found["tables"][table]), own().to_pylist(), strict=True):
        assert one.keys() == two.keys()
        for column, value in two.items():
            expected = pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
            assert one[column] == expected, column


def test_a_feature_without_effects_is_named(client: Client) -> None:
    """Visits never have an effect in these rows."""
    lines = _lines(_figure(client, "constant-features")["tables"]["features"])
    assert [(each["feature"], each["finding"], each["distinct_values"]) for each in lines] == [
        ("visits", "zero", 4)
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"other_variant": "checkpoint=1"},
        pytest.param({"other": "payments", "other_variant": "checkpoint=1"}, marks=pytest.mark.slow),
        {"other": "pruned", "other_variant": "a"},
    ],
)
def test_two_variants_or_two_cohorts_are_compared(
    client: Client, folder: Path, query: dict[str, str]
) -> None:
    """Mean differences on the sequences that both have; the second cohort has the rows of checkpoint 1."""
    found = _figure(client, "comparison", **query)
    one = {row["id"]: row for row in _explained(folder)}
    two = {
        row["id"]: row
        for row in rows_once(folder)
        if row["variant"] == "checkpoint=1" and row["status"] == "explained"
    }
    for line in _lines(found["tables"]["features"]):
        changes = [
            next(e["value"] for e in two[id]["features"] if e["feature"] == line["feature"])
            - next(e["value"] for e in one[id]["features"] if e["feature"] == line["feature"])
            for id in one
        ]
        assert line["n"] == len(changes)
        assert line["change"] == pytest.approx(mean(changes), abs=1e-12)


def test_what_a_cohort_lacks_is_said_instead_of_a_figure(client: Client) -> None:
    """Periods of time that have no rows."""
    found = _figure(client, "drift", before="2020-01", after="2020-02")
    assert found["tables"] == {}
    assert "no rows of this period" in found["missing"]


def test_the_list_has_a_line_for_each_cohort_and_says_which_cannot_be_read(
    client: Client, folder: Path
) -> None:
    """One of the folders is empty."""
    cards = {each["name"]: each for each in client.get("/api/cohorts").json()}
    assert set(cards) == {"payments", "pruned", "linked", "broken"}
    assert "explain-all" in cards["broken"]["problem"]
    assert "the folder of 'broken'" in cards["broken"]["problem"]
    assert str(folder.parent) not in cards["broken"]["problem"], (
        "folders of the machine are nobody's business"
    )
    assert cards["payments"]["problem"] == ""
    assert (cards["payments"]["sequences"], cards["payments"]["explained"]) == (60, 174)
    assert cards["payments"]["target"] == "Probability of fraud"
    assert client.get("/api/cohorts/broken").status_code == 409


def test_a_description_counts_labels_lengths_and_statuses(client: Client, folder: Path) -> None:
    """Labels over sequences, lengths over explained rows, and the class that a grid begins with."""
    found = client.get("/api/cohorts/payments").json()
    rows = rows_once(folder)
    one = [row for row in rows if row["variant"] == VARIANT]
    counted = Counter(labels_of(row).get("outcome") for row in one)
    assert {each["value"]: each["count"] for each in found["labels"]["outcome"]} == {
        name: count for name, count in counted.items() if name
    }
    lengths = [row["length"] for row in rows if row["status"] == "explained"]
    assert found["length"] == {"min": min(lengths), "median": median(lengths), "max": max(lengths)}
    statuses = Counter(row["status"] for row in rows)
    assert {each["status"]: each["count"] for each in found["statuses"]} == statuses
    assert found["suggested"] == {
        "label": "outcome",
        "positive": "fraud",
        "variant": VARIANT,
        "threshold": 0.5,
    }
    assert found["from"].startswith(min(row["time"] for row in rows).strftime("%Y-%m-%dT"))
    assert (found["eventWeights"], found["values"], found["levels"]) == (True, True, ["event", "feature"])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("figures/events?limit=0", "limit"),
        ("figures/events?limit=1e9", "limit"),
        ("figures/pruning?tolerances=a", "tolerances"),
        ("figures/pruning?coalitions=-1", "coalitions"),
        ("figures/fairness?threshold=nan&feature=a&by=b", "threshold"),
        ("figures/fairness?by=region", "feature"),
        ("density/events?limit=x", "limit"),
    ],
)
def test_wrong_parameters_are_refused_by_name(client: Client, path: str, field: str) -> None:
    """400 with the parameter."""
    answer = client.get(f"/api/cohorts/payments/{path}&variant={VARIANT}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("figures/nothing", 404),
        (f"density/nothing?variant={VARIANT}", 404),
        ("figures/events?variant=nothing", 404),
        ("figures/events", 400),
        (f"figures/drift?variant={VARIANT}", 400),
        (f"figures/drift?variant={VARIANT}&before=x&after=y", 400),
        (f"figures/pruning?variant={VARIANT}&tolerances=-1", 400),
        (f"figures/comparison?variant={VARIANT}&other=nobody", 404),
    ],
)
def test_what_does_not_exist_is_told(client: Client, path: str, status: int) -> None:
    """Never 500."""
    answer = client.get(f"/api/cohorts/payments/{path}")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
