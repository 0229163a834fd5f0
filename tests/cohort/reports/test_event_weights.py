"""The model's own weights of events beside their attributions, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from cohort.reports.test_figures import check_inside, texts
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.sections import ReportChoices, sections

pytestmark = pytest.mark.slow

UNTRAINED, TRAINED, EQUAL = "checkpoint=1", "checkpoint=2", "checkpoint=3"


def weighted(variant: str) -> list[dict[str, Any]]:
    """Weights at random, weights that follow the attributions, and equal weights; pruned events have weights too."""
    random = np.random.default_rng(7)
    drawn = rows(120, variant=variant)
    for row in drawn:
        if row["status"] != "explained":
            continue
        weights = random.random(row["length"])
        if variant == TRAINED:
            for place, event in enumerate(row["events"]):
                weights[place] = abs(event["value"]) + 0.02 * weights[place]
        if variant == EQUAL:
            weights[:] = 1.0
        row["event_weights"] = (weights / weights.sum()).tolist()
    return drawn


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, Any]]:
    return [row for variant in (UNTRAINED, TRAINED, EQUAL) for row in weighted(variant)]


@pytest.fixture(scope="module")
def attention(drawn: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Cohort.open(write(tmp_path_factory.mktemp("attention"), drawn, metadata(FEATURES), 50))


@pytest.fixture(scope="module")
def frame(drawn: list[dict[str, Any]]) -> pd.DataFrame:
    """A row for each event."""
    return pd.DataFrame(
        [
            {
                "variant": row["variant"],
                "id": row["id"],
                "t": -place,
                "weight": weight,
                "size": abs(row["events"][place]["value"]) if place < len(row["events"]) else None,
            }
            for row in drawn
            if row["status"] == "explained"
            for place, weight in enumerate(row["event_weights"])
        ]
    )


def correlation(group: pd.DataFrame) -> float:
    """Of weights and sizes where both are known; NaN for fewer than three, or where one does not vary."""
    known = group.dropna()
    varies = len(known) > 2 and known["weight"].std() > 1e-10 and known["size"].std() > 1e-10
    return float(known["weight"].corr(known["size"])) if varies else np.nan


def test_by_index(attention: Cohort, frame: pd.DataFrame) -> None:
    found = attention.event_weights(limit=20).to_pandas()
    groups = frame[frame["t"] > -20].groupby(["variant", "t"])
    assert len(found) == len(groups)
    for row in found.to_dict("records"):
        group = groups.get_group((row["variant"], row["t"]))
        assert (row["n"], row["n_attributed"]) == (len(group), group["size"].count())
        assert row["mean"] == pytest.approx(group["weight"].mean())
        assert row["spread"] == pytest.approx(group["weight"].std(), abs=1e-9)
        assert row["standard_error"] == pytest.approx(group["weight"].sem(), abs=1e-9)
        assert row["mean_absolute"] == pytest.approx(group["size"].mean(), nan_ok=True)
        assert row["correlation"] == pytest.approx(correlation(group), nan_ok=True)
    assert found["t"].tolist()[:20] == list(range(0, -20, -1))


def test_within_sequences(attention: Cohort, frame: pd.DataFrame) -> None:
    """Weights that follow the attributions agree with them, those at random do not, and equal ones say nothing."""
    found = attention.event_weight_agreement().to_pandas().set_index("variant")
    for variant, group in frame.groupby("variant"):
        own = pd.Series([correlation(each) for _, each in group.groupby("id")]).dropna()
        row = found.loc[variant]
        assert row["n"] == len(own)
        assert row["mean"] == pytest.approx(own.mean(), nan_ok=True)
        assert row["standard_error"] == pytest.approx(own.sem(), nan_ok=True)
        assert row["median"] == pytest.approx(own.median(), nan_ok=True)
    assert found.loc[EQUAL, "n"] == 0
    assert abs(found.loc[UNTRAINED, "mean"]) < 0.2
    assert found.loc[TRAINED, "mean"] > 0.9


def test_the_figure(attention: Cohort) -> None:
    """One line for each variant, with its correlation as a number, and nothing cut off."""
    figure = attention.plot.event_weights()
    check_inside(figure)
    keys = [text.get_text() for text in texts(figure) if text.get_text().startswith("checkpoint=")]
    assert len(keys) == 3
    assert keys[1].startswith("checkpoint=2 (correlation within sequences +0.9")
    assert keys[2] == "checkpoint=3 (no correlation within sequences)"


def test_a_model_without_weights(cohort: Cohort) -> None:
    for call in (cohort.event_weights, cohort.event_weight_agreement, cohort.plot.event_weights):
        with pytest.raises(NotInCohort, match=r"name it as event_weights in schema\.json") as refused:
            call()
        assert refused.value.reason == "EVENT_WEIGHTS_MISSING"


def test_weights_without_the_event_level(drawn: list[dict[str, Any]], tmp_path: Path) -> None:
    without = [{**row, "events": None} for row in drawn]
    with pytest.raises(NotInCohort, match="--level event"):
        Cohort.open(write(tmp_path / "without", without, metadata(FEATURES))).event_weights()


def test_no_sequence_was_explained(attention: Cohort) -> None:
    nobody = attention.where("false")
    assert nobody.event_weights().num_rows == nobody.event_weight_agreement().num_rows == 0
    check_inside(nobody.plot.event_weights())


def test_the_report_has_a_section(attention: Cohort, cohort: Cohort) -> None:
    """With the figure, the correlations within sequences and the table by event; none where rows have no weights."""
    chosen = attention.variant(TRAINED)
    found = {each.name: each for each in sections(chosen, ReportChoices(limit=20))}
    assert list(found).index("event-weights") == list(found).index("pruning") + 1
    section = found["event-weights"]
    assert section.figure
    within, by_event = section.tables
    mean = chosen.event_weight_agreement()["mean"][0].as_py()
    assert dict(within.rows)["mean"] == f"{mean:+.4f}"
    assert len(by_event.rows) == chosen.event_weights(20).num_rows == 20
    assert "event-weights" not in {each.name for each in sections(cohort, ReportChoices())}
    assert 'id="event-weights"' in chosen.to_html(limit=20)
