"""Table 1, against a plain reading of Algorithm 1 and numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, curve, explained
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.sections import ReportChoices, sections
from sequela_client.errors import CallerError

pytestmark = pytest.mark.slow

ETAS = (0.005, 0.0075, 0.01, 0.025, 0.05)


def length_after(row: dict[str, Any], eta: float) -> int:
    """Algorithm 1: i from l − 1 down to 1; the first |w1| < η is the cut."""
    events, importance = int(row["length"]), {p["t"]: p["importance"] for p in row["pruning"]["curve"]}
    for pruned in range(events - 1, 0, -1):
        # The oldest `pruned` events are all up to t = pruned − events.
        if abs(importance[pruned - events]) < eta:
            return events - pruned + 1
    return events


def test_lengths(cohort: Cohort, explained: pd.DataFrame) -> None:
    """Mean, median, maximum, and the shares, for each tolerance and for the original sequences."""
    rows = explained.to_dict("records")
    found = cohort.pruning(coalitions=2**12 + 1).to_pylist()
    assert [row["tolerance"] for row in found] == [None, *ETAS]
    for row in found:
        eta = row["tolerance"] or 0.0
        lengths = np.array([length_after(each, eta) for each in rows])
        cut = np.array(
            [min((abs(p["importance"]) for p in each["pruning"]["curve"]), default=1) < eta for each in rows]
        )
        assert row["sequences"] == len(rows)
        assert row["mean_length"] == pytest.approx(lengths.mean())
        assert row["median_length"] == np.median(lengths)
        assert row["max_length"] == lengths.max()
        assert row["exact_share"] == pytest.approx((lengths <= 12).mean())
        assert row["pruned_share"] == pytest.approx(cut.mean())
        assert row["rsd"] is None


def test_the_papers_numbers_stand_beside(cohort: Cohort) -> None:
    """Table 1 of the paper; a tolerance that it does not have gets none."""
    found = cohort.pruning((0.025, 0.1)).to_pylist()
    assert [row["paper_mean_length"] for row in found] == [182.1, 32.9, None]
    assert [row["paper_rsd"] for row in found] == [1.71, 0.98, None]
    assert [row["paper_exact_share"] for row in found] == [0.1, 0.583, None]


def seeds(count: int = 40, runs: int = 4) -> list[dict[str, Any]]:
    """The same sequences with several seeds at two tolerances; the seeds move the values."""
    rows = []
    for place in range(count):
        base = explained(np.random.default_rng(place), 20)
        for tolerance in (0.0, 0.025):
            for seed in range(runs):
                random = np.random.default_rng([place, seed, int(tolerance * 1000)])
                moved = [{**e, "value": e["value"] * random.normal(1, 0.2)} for e in base["events"]]
                block = base["pruning"]["value"]
                pruning = {
                    **base["pruning"],
                    "tolerance": tolerance,
                    "value": None if block is None else block * random.normal(1, 0.5),
                }
                rows.append(
                    {
                        **base,
                        "id": f"s{place}",
                        "row": place,
                        "seed": seed,
                        "status": "explained",
                        "length": 20,
                        "variant": f"pruning_tolerance={tolerance},seed={seed}",
                        "events": moved,
                        "pruning": pruning,
                    }
                )
    return rows


def test_rsd(tmp_path: Path) -> None:
    """The mean of σ/|μ| over events and the pruned block, where |μ| ≥ 0.01; lengths count each sequence once."""
    rows = seeds()
    found = Cohort.open(write(tmp_path / "seeds", rows, metadata(), 50)).pruning().to_pylist()
    for row in found:
        values: dict[tuple[str, int | None], list[float]] = {}
        for each in rows:
            if each["pruning"]["tolerance"] == (row["tolerance"] or 0.0):
                for event in each["events"]:
                    values.setdefault((each["id"], event["t"]), []).append(event["value"])
                if each["pruned_events"]:
                    values.setdefault((each["id"], None), []).append(each["pruning"]["value"])
        ratios = [np.std(v, ddof=1) / abs(np.mean(v)) for v in values.values() if abs(np.mean(v)) >= 0.01]
        assert row["sequences"] == 40
        if row["tolerance"] in (None, 0.025):
            assert row["rsd"] == pytest.approx(np.mean(ratios))
            assert (row["rsd_players"], row["rsd_seeds"]) == (len(ratios), 4)
            assert any(key[1] is None for key in values)
        else:
            assert row["rsd"] is None


def test_a_sequence_that_failed_with_a_seed_is_left_out_of_the_rsd(tmp_path: Path) -> None:
    rows = seeds(count=6)
    failed = {**{key: rows[0][key] for key in ("id", "row", "seed", "variant")}, "status": "failed"}
    whole = Cohort.open(write(tmp_path / "whole", rows[8:], metadata())).pruning((0.025,)).to_pylist()
    found = (
        Cohort.open(write(tmp_path / "failed", [failed, *rows[1:]], metadata())).pruning((0.025,)).to_pylist()
    )
    assert found[0]["rsd"] == pytest.approx(whole[0]["rsd"])
    assert found[1]["rsd"] != pytest.approx(whole[1]["rsd"])


def test_exact_explanations_have_no_deviation(tmp_path: Path) -> None:
    rows = [{**row, "events": [{"t": 0, "value": 0.3, "standard_error": 0.0}]} for row in seeds(count=3)]
    rows = [{**row, "pruned_events": 0} for row in rows]
    found = Cohort.open(write(tmp_path / "exact", rows, metadata())).pruning((0.025,)).to_pylist()
    assert [row["rsd"] for row in found] == [0.0, 0.0]


def test_incomplete_curve(tmp_path: Path) -> None:
    """A curve that ends early is enough if the cut is in it; otherwise the error says what to run."""
    row = {
        **explained(np.random.default_rng(0), 30),
        "id": "a",
        "variant": "",
        "row": 0,
        "status": "explained",
        "length": 30,
    }
    short = [{"t": -t, "importance": size} for t, size in enumerate((0.3, 0.1, 0.04), start=1)]
    row["pruning"] = {**row["pruning"], "curve": short}
    cohort = Cohort.open(write(tmp_path / "short", [row], metadata()))
    assert cohort.pruning((0.05,))["max_length"].to_pylist() == [30, 4]
    with pytest.raises(NotInCohort, match=r"tolerance 0\.025 is; run .* --full-pruning-curve"):
        cohort.pruning((0.025, 0.05))


def with_a_short_curve(known: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """The rows, of which one has the first point of its curve only, which is above all tolerances; and its id."""
    rows = [dict(row) for row in known]
    row = next(row for row in rows if row["status"] == "explained" and row["length"] > 5)
    row["pruning"] = {**row["pruning"], "curve": [{"t": -1, "importance": 0.9}]}
    return rows, str(row["id"])


def test_one_short_curve_costs_one_sequence(known: list[dict[str, Any]], tmp_path: Path) -> None:
    """The table is that of a cohort without it, and says how many sequences are left out."""
    rows, short = with_a_short_curve(known)
    found = Cohort.open(write(tmp_path / "short", rows, metadata())).pruning()
    others = [row for row in rows if row["id"] != short]
    wanted = Cohort.open(write(tmp_path / "others", others, metadata())).pruning()
    assert found["incomplete"].to_pylist() == [1] * 6
    assert wanted["incomplete"].to_pylist() == [0] * 6
    assert found.drop_columns(["incomplete"]).equals(wanted.drop_columns(["incomplete"]))


def test_the_report_keeps_its_section_on_pruning(known: list[dict[str, Any]], tmp_path: Path) -> None:
    """With the table, the figure, the verdicts, and a sentence about the sequence that is left out."""
    rows, _ = with_a_short_curve(known)
    cohort = Cohort.open(write(tmp_path / "short", rows, metadata(FEATURES)))
    (found,) = [each for each in sections(cohort, ReportChoices()) if each.name == "pruning"]
    assert not found.missing
    assert found.figure
    assert len(found.tables) == 3
    explained = sum(row["status"] == "explained" for row in rows)
    assert found.explanation[-1].startswith(f"1 of {explained} explained sequences are left out")


def test_one_event(tmp_path: Path) -> None:
    """A sequence of one event has no split, and stays as it is."""
    row = {
        **explained(np.random.default_rng(0), 1),
        "id": "a",
        "variant": "",
        "row": 0,
        "status": "explained",
        "length": 1,
    }
    for number, points in enumerate(([], None)):
        row["pruning"] = {**row["pruning"], "curve": points}
        found = Cohort.open(write(tmp_path / str(number), [row], metadata())).pruning((0.025,)).to_pylist()
        assert [each["mean_length"] for each in found] == [1.0, 1.0]
        assert [each["exact_share"] for each in found] == [1.0, 1.0]


def test_checkpoints_are_not_mixed(tmp_path: Path) -> None:
    """Rows of two checkpoints need a choice, which seeds and tolerances do not."""
    rows = [
        {**row, "checkpoint": each, "variant": f"checkpoint={each},{row['variant']}"}
        for each in ("1", "200")
        for row in seeds(count=4)
    ]
    cohort = Cohort.open(write(tmp_path / "checkpoints", rows, metadata()))
    with pytest.raises(CallerError, match="checkpoint=1, checkpoint=200"):
        cohort.pruning()
    chosen = cohort.variant("checkpoint=200,seed=1,pruning_tolerance=0.0")
    assert chosen.pruning()["rsd_seeds"].to_pylist()[0] == 4


@pytest.mark.parametrize("tolerances", [(0.0,), (-1.0,), (float("nan"),), (float("inf"),)])
def test_bad_tolerances(cohort: Cohort, tolerances: tuple[float, ...]) -> None:
    with pytest.raises(CallerError, match="allowed are numbers above 0"):
        cohort.pruning(tolerances)


def test_curve_helper_covers_all_splits() -> None:
    """The curve of these tests has a point for each split."""
    assert [point["t"] for point in curve(np.random.default_rng(0), 5)] == [-1, -2, -3, -4]
