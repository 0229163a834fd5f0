"""The table of events against a count over the rows, one by one in plain Python."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console.cohort_files import CHECKPOINTS, Row, as_json, rows_once
from console.cohorts.event_tables import CLASS_BY_LABEL, class_of, events_of, level_of, read_table
from httpx import Client

ONE, THREE = ["checkpoint=200"], [f"checkpoint={each}" for each in CHECKPOINTS]
SPECS: list[dict[str, Any]] = [
    {"class": CLASS_BY_LABEL, "variants": ONE},
    {"class": CLASS_BY_LABEL, "variants": ONE, "bins": {"kind": "width", "count": 4}, "steps": 5},
    {"class": {"kind": "decision", "threshold": 0.2}, "variants": THREE, "weight": "model"},
]


def _table(client: Client, spec: dict[str, Any]) -> Any:
    answer = client.get("/api/cohorts/payments/event-table", params={"spec": as_json(spec)})
    assert answer.status_code == 200, answer.text
    return read_table(answer.content)


def _chosen(rows: list[Row], spec: dict[str, Any]) -> list[tuple[int, Row, int]]:
    """Variant, row and class of each sequence that all variants have, in the order of the table."""
    found: dict[str, dict[int, tuple[Row, int]]] = {}
    for row in rows:
        known = class_of(row, spec) if row["status"] == "explained" else None
        if row["variant"] in spec["variants"] and known is not None:
            found.setdefault(row["id"], {})[spec["variants"].index(row["variant"])] = (row, known)
    kept = [each for each in found.values() if len(each) == len(spec["variants"])]
    listed = [(variant, row, known) for each in kept for variant, (row, known) in each.items()]
    return sorted(listed, key=lambda each: (each[0], each[1]["row"]))


@pytest.mark.parametrize("spec", SPECS)
def test_every_event_is_as_in_the_rows(client: Client, folder: Path, spec: dict[str, Any]) -> None:
    """Sequence, step, weight, levels and class of every event are those of a count in plain Python."""
    table = _table(client, spec)
    chosen = _chosen(rows_once(folder), spec)
    steps = table.header["steps"]
    assert steps == min(max(row["length"] for _, row, _ in chosen), spec.get("steps", 64))
    assert table.classes.tolist() == [known for _, _, known in chosen]
    assert table.row.tolist() == [row["row"] for _, row, _ in chosen]
    assert table.variant.tolist() == [variant for variant, _, _ in chosen]
    expected = [
        (
            number,
            t + steps - 1,
            weight,
            [level_of(*pair) for pair in zip(table.header["attributes"], values, strict=True)],
        )
        for number, (_, row, _) in enumerate(chosen)
        for t, weight, values in events_of(row, spec.get("weight", "attribution"))
        if t + steps - 1 >= 0
    ]
    found = zip(
        table.sequence.tolist(),
        table.step.tolist(),
        table.weight.tolist(),
        table.levels.T.tolist(),
        strict=True,
    )
    assert list(found) == expected


@pytest.mark.parametrize("spec", SPECS)
def test_bins_and_levels_are_made_once_over_all_variants(
    client: Client, folder: Path, spec: dict[str, Any]
) -> None:
    """Edges are numpy's quantiles, or equally wide, over the shown values of all sequences of all variants."""
    table = _table(client, spec)
    steps = table.header["steps"]
    amounts = np.array(
        [
            float(values[0].replace(",", ""))
            for _, row, _ in _chosen(rows_once(folder), spec)
            for t, _, values in events_of(row, "attribution")
            if values[0] and t + steps > 0
        ]
    )
    amount, visits, _, country, shop = table.header["attributes"]
    bins = spec.get("bins", {"kind": "quantile", "count": 9})
    if bins["kind"] == "width":
        expected = np.linspace(amounts.min(), amounts.max(), bins["count"] + 1)
    else:
        expected = np.quantile(amounts, np.arange(bins["count"] + 1) / bins["count"])
    np.testing.assert_allclose(amount["edges"], expected, rtol=1e-12)
    assert visits["levels"] == ["0", "1", "2", "3"]
    assert visits["kind"] == "ordinal"
    assert country["levels"] == ["home", "abroad"], (
        "levels are in the schema's order, and unknown never occurs"
    )
    assert shop["levels"] == [f"shop {number}" for number in range(7)]


def test_cells_edges_and_variance_of_the_bytes_are_those_of_the_rows(client: Client, folder: Path) -> None:
    """Heat by cell, class and step, its temporal variance, and edges: numpy on the bytes against loops over rows."""
    spec = SPECS[0]
    table = _table(client, spec)
    chosen = _chosen(rows_once(folder), spec)
    steps, (low, high), pair = table.header["steps"], (0.2, 0.9), (3, 4)
    attributes = [table.header["attributes"][each] for each in pair]
    heat = np.zeros((2, steps, len(attributes[0]["levels"]), len(attributes[1]["levels"])))
    edges: dict[tuple[int, int, int, int, int], int] = {}
    for _, row, known in chosen:
        selected = []
        for t, weight, values in events_of(row, "attribution"):
            if round(low * 65535) <= weight <= round(high * 65535):
                level = [
                    level_of(attribute, values[at]) for attribute, at in zip(attributes, pair, strict=True)
                ]
                heat[known, t + steps - 1, level[0], level[1]] += weight
                selected.append((t + steps - 1, level[0]))
        for one, two in combinations(selected, 2):
            edges[known, *one, *two] = edges.get((known, *one, *two), 0) + 1
    weight = table.weight.astype(np.int64)
    mask = (weight >= round(low * 65535)) & (weight <= round(high * 65535))
    again = np.zeros_like(heat)
    place = (table.classes[table.sequence], table.step, table.levels[pair[0]], table.levels[pair[1]])
    np.add.at(again, tuple(each[mask] for each in place), weight[mask])
    assert (again == heat).all()
    total = heat.sum(axis=1)
    variance = ((heat - total[:, None] / steps) ** 2).sum(axis=1) / steps
    np.testing.assert_allclose(again.var(axis=1), variance, rtol=1e-12)
    counted: dict[tuple[int, int, int, int, int], int] = {}
    for number in range(table.header["sequences"]):
        here = np.flatnonzero(mask & (table.sequence == number))
        events = [(int(table.step[each]), int(table.levels[pair[0]][each])) for each in here]
        for one, two in combinations(events, 2):
            key = (int(table.classes[number]), *one, *two)
            counted[key] = counted.get(key, 0) + 1
    assert counted == edges


def test_classes_are_named_by_their_values(client: Client) -> None:
    """A label with two values gives both names; a decision is named by its threshold."""
    names = [_table(client, spec).header["class"] for spec in (SPECS[0], SPECS[2])]
    assert [(each["name"], each["positive"], each["negative"]) for each in names] == [
        ("outcome", "fraud", "genuine"),
        ("score", "0.2 or more", "below 0.2"),
    ]


def test_a_sequence_without_effects_has_weights_of_zero(client: Client) -> None:
    """Row 9 has only zeros, which are not divided by zero."""
    table = _table(client, SPECS[0])
    assert (table.weight[table.row[table.sequence] == 9] == 0).all()


def test_what_is_left_out_is_counted_once(client: Client, pruned: Path) -> None:
    """Pruned events, older events, sequences without a class and unmatched ones, against a count by hand."""
    spec = {"class": CLASS_BY_LABEL, "variants": ["a", "b"], "steps": 6}
    rows = rows_once(pruned)
    answer = client.get("/api/cohorts/pruned/event-table", params={"spec": as_json(spec)})
    table = read_table(answer.content)
    chosen = _chosen(rows, spec)
    kept = [row for _, row, _ in chosen]
    shown = sum(min(row["length"] - row["pruned_events"], 6) for row in kept)
    assert table.header["events"] == shown
    assert table.header["leftOut"] == {
        "prunedEvents": sum(min(row["length"], 6) for row in kept) - shown,
        "olderEvents": sum(max(row["length"] - 6, 0) for row in kept),
        "sequencesWithoutClass": sum(class_of(row, spec) is None for row in rows),
        "unmatched": len(
            {row["id"] for row in rows if class_of(row, spec) is not None} - {row["id"] for row in kept}
        ),
        "eventsWithoutWeight": 0,
    }


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.class"),
        ({"class": CLASS_BY_LABEL, "weight": "size"}, "spec.weight"),
        ({"class": CLASS_BY_LABEL, "bins": {"kind": "quantile", "count": 1}}, "spec.bins.count"),
        ({"class": CLASS_BY_LABEL, "steps": 0}, "spec.steps"),
        ({"class": CLASS_BY_LABEL, "variants": ["a", "a"]}, "spec.variants"),
        ({"class": {"kind": "decision", "threshold": "0.5"}}, "spec.class"),
        ([], "spec"),
    ],
)
def test_a_wrong_spec_is_refused_by_field(client: Client, spec: Any, field: str) -> None:
    """The answer says which field is wrong."""
    answer = client.get("/api/cohorts/payments/event-table", params={"spec": as_json(spec)})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


def test_a_cohort_or_variant_that_does_not_exist_is_not_found(client: Client) -> None:
    """404 with a reason; without a variant, a cohort of several asks for one."""
    assert client.get("/api/cohorts/nobody").json()["error"]["reason"] == "COHORT_NOT_FOUND"
    for variants, reason in ((["checkpoint=2"], "VARIANT_NOT_FOUND"), ([], "VARIANT_NOT_CHOSEN")):
        spec = {"class": CLASS_BY_LABEL, "variants": variants}
        answer = client.get("/api/cohorts/payments/event-table", params={"spec": as_json(spec)})
        assert answer.json()["error"]["reason"] == reason
