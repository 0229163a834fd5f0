"""Reasons and event weights in the client: ranks, targets, JSON, CSV, and the summary of the command."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from math import inf

import pytest
from api import made
from sequela.contract.explanations import explanation as encode
from sequela.explain.explanation import Reason
from sequela.timeshap.players import PlayerKind
from sequela_client import Explanation
from sequela_client.responses import explanation as decode
from sequela_client.summary import summary_lines


def reason(target: str, text: str, value: float, event: int, tied: bool = False) -> Reason:
    feature = f"f{-event}"
    return Reason(target, text, "default", "1", PlayerKind.CELL, value, 0.01, event, feature, tied)


REASONS = (
    reason("t", "One.", 0.5, 0),
    reason("t", "Two.", 0.4, -1),
    reason("t", "Three.", 0.39, -2, tied=True),
    reason("t", "Four.", -0.3, -3),
    reason("u", "Other.", -0.25, 0),
)


@pytest.fixture
def told() -> Explanation:
    """Two targets; the reasons of the first are tied in places two and three."""
    kind = PlayerKind.CELL
    levels = {"cell": made.level(kind, kind, kind, kind)}
    return decode(encode(replace(made.explanation(), reasons=REASONS, levels=levels, event_count=2)))


def test_reasons_are_those_of_the_first_target(told: Explanation) -> None:
    """As all numbers without a target are; `target` gives the others'."""
    assert [each.text for each in told.reasons] == ["One.", "Two.", "Three.", "Four."]
    assert [each.text for each in told.target("u").reasons] == ["Other."]
    assert told.target("t").reasons == told.reasons
    assert [each.target for each in told.target("u").reasons] == ["u"]


def test_tied_reasons_share_a_rank(told: Explanation) -> None:
    """The place of the next one counts those before it."""
    assert [(each.rank, each.tied) for each in told.reasons] == [
        (1, False),
        (2, False),
        (2, True),
        (4, False),
    ]


def test_every_field_arrives(told: Explanation) -> None:
    """What the service says of a reason is what the client reads."""
    first = told.reasons[1]
    assert (first.kind, first.t, first.feature) == ("cell", -1, "f1")
    assert (first.value, first.standard_error) == (0.4, 0.01)
    assert (first.template, first.template_version, first.target) == ("default", "1", "t")
    assert told.event_weights == (0.25, 0.75)


def test_json_has_the_reasons_of_all_targets(told: Explanation) -> None:
    """Each names its target."""
    written = json.loads(told.to_json())
    assert [(each["target"], each["text"], each["rank"]) for each in written["reasons"]] == [
        ("t", "One.", 1),
        ("t", "Two.", 2),
        ("t", "Three.", 2),
        ("t", "Four.", 4),
        ("u", "Other.", 1),
    ]
    assert written["event_weights"] == [0.25, 0.75]
    assert "reasons_by_target" not in written


def test_csv_has_each_reason_beside_its_attribution(told: Explanation) -> None:
    """In the row of its cell and target, and nowhere else; weights stand in the rows of their events."""
    rows = list(csv.DictReader(io.StringIO(told.to_csv())))
    found = {(row["target"], row["t"]): (row["reason_rank"], row["reason"]) for row in rows if row["reason"]}
    assert found == {
        ("t", "0"): ("1", "One."),
        ("t", "-1"): ("2", "Two."),
        ("t", "-2"): ("2", "Three."),
        ("t", "-3"): ("4", "Four."),
        ("u", "0"): ("1", "Other."),
    }
    weights = {row["t"]: row["event_weight"] for row in rows}
    assert weights == {"0": "0.75", "-1": "0.25", "-2": "", "-3": ""}


def test_a_reason_cannot_be_a_formula() -> None:
    """A template or value that begins like a formula is guarded, as all texts of the CSV are."""
    bad = replace(made.explanation(), reasons=(reason("t", "=cmd()", 0.5, 0),))
    whole = replace(bad, levels={"cell": made.level(PlayerKind.CELL)})
    (row, _) = csv.DictReader(io.StringIO(decode(encode(whole)).to_csv()))
    assert row["reason"] == "'=cmd()"


def test_the_summary_tells_at_most_four_with_ties(told: Explanation) -> None:
    """Tied reasons have the same number, marked by =, with a line that says what that means."""
    lines = list(summary_lines(told))
    start = lines.index("Reasons:")
    assert lines[start + 1 : start + 6] == [
        "  1. +0.5  One.",
        "  2= +0.4  Two.",
        "  2= +0.4  Three.",
        "  4. -0.3  Four.",
        "  (= marks reasons that are equally strong within their errors.)",
    ]


def test_the_summary_without_ties_or_reasons(told: Explanation) -> None:
    """No line about ties, and no empty part."""
    untied = replace(told, reasons_by_target={"t": told.reasons[:2]})
    assert not any("equally strong" in line for line in summary_lines(untied))
    assert "Reasons:" in list(summary_lines(untied))
    assert "Reasons:" not in list(summary_lines(replace(told, reasons_by_target={})))


def test_control_characters_do_not_reach_the_terminal(told: Explanation) -> None:
    """Not even from a server that is not ours."""
    evil = replace(told.reasons[0], text="\x1b[31mred")
    lines = list(summary_lines(replace(told, reasons_by_target={"t": (evil,)})))
    assert all("\x1b" not in line for line in lines)


def test_an_older_server_sends_none(told: Explanation) -> None:
    """Its answers have no such fields."""
    message = encode(made.explanation())
    message.ClearField("reasons")
    message.ClearField("event_weights")
    assert decode(message).reasons == ()
    assert decode(message).event_weights == ()
    assert told.target("t").score < inf
