"""Two cohorts on the same sequences, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.conftest import players
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def others() -> list[dict[str, Any]]:
    """Another model's explanations of most of the same sequences; some attributions are tied."""
    drawn = rows(300, seed=9)
    for row in drawn:
        for feature in row.get("features") or []:
            feature["value"] = round(feature["value"], 2)
    return drawn


@pytest.fixture(scope="module")
def other(others: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Cohort.open(write(tmp_path_factory.mktemp("other"), others, metadata(FEATURES)))


def test_features(
    cohort: Cohort, other: Cohort, feature_frame: pd.DataFrame, others: list[dict[str, Any]]
) -> None:
    """Paired differences of each feature, over the sequences that both have."""
    found = cohort.compare(other).features.to_pandas().set_index("feature")
    second = players(pd.DataFrame([row for row in others if row["status"] == "explained"]), "features")
    both = feature_frame.merge(second, on=["id", "feature"], suffixes=("_1", "_2"))
    both["difference"] = both["value_2"] - both["value_1"]
    both["variance"] = both["standard_error_1"] ** 2 + both["standard_error_2"] ** 2
    groups = both.groupby("feature")
    wanted = pd.DataFrame(
        {
            "n": groups.size(),
            "mean_first": groups["value_1"].mean(),
            "mean_second": groups["value_2"].mean(),
            "change": groups["difference"].mean(),
            "standard_error": groups["difference"].sem(),
            "mean_absolute_difference": groups["difference"].apply(lambda d: d.abs().mean()),
            "sampling_error": np.sqrt(groups["variance"].mean()),
        }
    ).sort_values("change", key=lambda c: -c.abs())
    pd.testing.assert_frame_equal(found[wanted.columns], wanted, check_names=False, check_dtype=False)
    moving = both[both["feature"] != "unused"].groupby("feature")
    correlation = moving.apply(lambda g: g["value_1"].corr(g["value_2"]), include_groups=False)
    assert found["correlation"].dropna().to_dict() == pytest.approx(correlation.to_dict())
    t = wanted["change"] / wanted["standard_error"].replace(0, np.nan)
    assert found["statistic"].dropna().to_dict() == pytest.approx(t.dropna().to_dict())


def test_summary(
    cohort: Cohort, other: Cohort, explained: pd.DataFrame, others: list[dict[str, Any]]
) -> None:
    """Scores, Spearman's correlation within each sequence, and the same strongest feature."""
    found = cohort.compare(other).summary.to_pylist()[0]
    first = explained.set_index("id")
    second = pd.DataFrame([row for row in others if row["status"] == "explained"]).set_index("id")
    ids = first.index.intersection(second.index)
    difference = second.loc[ids, "score"] - first.loc[ids, "score"]
    pairs = [
        (
            pd.Series({f["feature"]: f["value"] for f in first.loc[each, "features"]}),
            pd.Series({f["feature"]: f["value"] for f in second.loc[each, "features"]}),
        )
        for each in ids
    ]
    # Spearman's is Pearson's of the ranks, where ties share the mean rank.
    spearman = pd.Series([a.rank().corr(b.rank()) for a, b in pairs])
    # Of several that are largest, one in common is enough.
    same = np.mean([any((a.abs() == a.abs().max()) & (b.abs() == b.abs().max())) for a, b in pairs])
    wanted = {
        "n": len(ids),
        "only_first": len(first) - len(ids),
        "only_second": len(second) - len(ids),
        "mean_score_first": first.loc[ids, "score"].mean(),
        "mean_score_second": second.loc[ids, "score"].mean(),
        "mean_score_difference": difference.mean(),
        "mean_score_difference_standard_error": difference.sem(),
        "n_ranked": spearman.count(),
        "mean_rank_correlation": spearman.mean(),
        "median_rank_correlation": spearman.median(),
        "p05_rank_correlation": spearman.quantile(0.05),
        "same_top_share": same,
    }
    assert found == pytest.approx(wanted)
    assert 0 < found["only_second"] < found["n"]


def test_the_same_twice(cohort: Cohort) -> None:
    """A cohort agrees with itself."""
    found = cohort.compare(cohort).summary.to_pylist()[0]
    assert (found["mean_rank_correlation"], found["same_top_share"]) == pytest.approx((1.0, 1.0))
    assert (found["mean_score_difference"], found["only_first"], found["only_second"]) == (0.0, 0, 0)


def test_variants_of_one_cohort(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """Two checkpoints in one folder are compared by choosing each."""
    both = [
        {**row, "checkpoint": each, "variant": f"checkpoint={each}"} for each in ("1", "2") for row in known
    ]
    cohort = Cohort.open(write(tmp_path / "checkpoints", both, metadata(FEATURES), 100))
    found = cohort.variant("checkpoint=1").compare(cohort.variant("checkpoint=2")).summary.to_pylist()[0]
    assert found["mean_rank_correlation"] == pytest.approx(1.0)


@pytest.mark.slow
def test_other_features(cohort: Cohort, tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """Features that only one has are named and left out."""
    renamed = [
        {
            **row,
            "features": [{**f, "feature": f["feature"].replace("unused", "new")} for f in row["features"]],
        }
        for row in known
        if row["status"] == "explained"
    ]
    found = cohort.compare(Cohort.open(write(tmp_path / "renamed", renamed, metadata())))
    assert (found.only_first, found.only_second) == (("unused",), ("new",))
    assert sorted(found.features["feature"].to_pylist()) == ["amount", "clients_age", "new_device"]


@pytest.mark.slow
def test_nothing_in_common(cohort: Cohort, tmp_path: Path, known: list[dict[str, Any]]) -> None:
    strangers = [{**row, "id": "x" + row["id"]} for row in known]
    with pytest.raises(NotInCohort, match="no sequence with the same id"):
        cohort.compare(Cohort.open(write(tmp_path / "strangers", strangers, metadata())))
