"""A level that is coarser than it could be says why, wherever people read how accurate it is."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from client.made_explanations import demo_alerts
from rich.console import Console
from sequela_client import Explanation
from sequela_client.alert_document.material import read_material
from sequela_client.alert_document.quality import level_qualities
from sequela_client.attributions import StopReason
from sequela_client.cli.report import report

DETAIL = "the history was not refined further: a larger pruning_tolerance prunes more events"
ON_A_TERMINAL = DETAIL.replace("pruning_tolerance", "--pruning-tolerance")
"""The command speaks of its options."""
COMPUTED = [each for each in StopReason if each is not StopReason.NOT_COMPUTED]


@pytest.fixture(params=COMPUTED)
def coarse(request: pytest.FixtureRequest) -> Explanation:
    """An explanation whose event level has a detail, however it ended."""
    alert = demo_alerts()["takeover-47"]
    level = alert.levels["event"]
    told = replace(level.quality, stop_reason=request.param, detail=DETAIL)
    return replace(alert, levels={**alert.levels, "event": replace(level, quality=told)})


def test_the_command_says_why(coarse: Explanation) -> None:
    """Behind the other words on the level, once."""
    console = Console(file=io.StringIO(), width=1000, markup=False, emoji=False, highlight=False)
    report(console, coarse, 10)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    (line,) = (each for each in printed.splitlines() if each.startswith("Events  "))
    assert f"; {ON_A_TERMINAL}" in line
    assert printed.count("was not refined further") == 1


def test_the_page_of_an_explanation_says_why(coarse: Explanation) -> None:
    assert f"; {DETAIL}" in coarse.to_html()


def test_the_document_of_an_alert_says_why(coarse: Explanation) -> None:
    """The console shows its texts."""
    texts = {each.level: each.text for each in level_qualities(read_material(coarse, 0, None, None))}
    assert texts["event"].endswith(f"; {DETAIL}")
    assert not texts["feature"].endswith("; ")


def test_a_game_without_players_has_one_coalition() -> None:
    """And no word says "all 1 coalitions"."""
    alert = demo_alerts()["takeover-47"]
    level = alert.levels["event"]
    told = replace(level.quality, stop_reason=StopReason.EXACT, coalitions=1, detail="")
    alone = replace(alert, levels={**alert.levels, "event": replace(level, quality=told)})
    texts = {each.level: each.text for each in level_qualities(read_material(alone, 0, None, None))}
    assert texts["event"] == "exact: 1 combination was computed"
    assert "exact: 1 coalition" in alone.to_html()
    assert "all 1 " not in alone.to_html()
