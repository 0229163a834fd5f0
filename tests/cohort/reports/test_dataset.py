"""Opening cohorts, choosing rows, and refusing to mix what does not belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.errors import CallerError


def test_rows(cohort: Cohort, frame: pd.DataFrame) -> None:
    """All rows of all parts, in a folder whose name looks like a pattern."""
    assert len(cohort) == len(frame) == 400
    assert cohort.table["id"].to_pylist() == frame["id"].tolist()
    assert cohort.label_names() == ["age", "fraud", "period", "segment"]
    assert cohort.variants() == [""]


def test_choices(cohort: Cohort, frame: pd.DataFrame) -> None:
    """Conditions and labels narrow the rows, one after the other; quotes in values are harmless."""
    name = "<b>bold</b> & 'quoted'"
    chosen = cohort.labelled("segment", name).where("length > 10 -- a comment")
    wanted = frame[(frame["segment"] == name) & (frame["length"] > 10)]
    assert chosen.table["id"].to_pylist() == wanted["id"].tolist()
    assert len(cohort.labelled("segment", "' OR true --")) == 0
    assert len(cohort) == 400


@pytest.mark.parametrize("condition", ["nope > 1", "length >", "1; DROP TABLE x", ") OR (true", ""])
def test_wrong_conditions(cohort: Cohort, condition: str) -> None:
    with pytest.raises(CallerError, match="is not a condition on the rows of a cohort"):
        cohort.where(condition)


def test_times_in_conditions_are_utc(cohort: Cohort, frame: pd.DataFrame) -> None:
    times = pd.to_datetime(frame["time"], utc=True)
    assert len(cohort.where("time >= '2026-02-01'")) == (times >= "2026-02-01").sum()


def test_wrong_label(cohort: Cohort) -> None:
    with pytest.raises(NotInCohort, match="no row has the label 'nope'; the labels are age, fraud"):
        cohort.labelled("nope", "1")


def test_a_single_file_and_several_folders(folder: Path, tmp_path: Path) -> None:
    first = Cohort.open(folder / "part-00000.parquet")
    assert len(first) == 64
    strangers = [{**row, "id": "x" + row["id"]} for row in rows(10)]
    both = Cohort.open(folder, write(tmp_path / "more", strangers, metadata(FEATURES)))
    assert len(both) == 410


def test_paths_without_a_cohort(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="needs the folder"):
        Cohort.open()
    with pytest.raises(CallerError, match="does not exist; name a folder that sequela explain-all wrote"):
        Cohort.open(tmp_path / "nope")
    with pytest.raises(CallerError, match=r"has no part-\*\.parquet"):
        Cohort.open(tmp_path)
    (tmp_path / "part-00000.parquet").write_bytes(b"not Parquet at all")
    with pytest.raises(CallerError, match="not a readable Parquet file"):
        Cohort.open(tmp_path)
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "part-00000.parquet")
    with pytest.raises(
        CallerError, match=r"is not a file of a cohort: its metadata has no sequela\.cohort_schema"
    ):
        Cohort.open(tmp_path)


def test_another_version(tmp_path: Path) -> None:
    write(tmp_path, rows(3), metadata(version="2"))
    with pytest.raises(CallerError, match="version 2 of the cohort schema; this release reads version 1"):
        Cohort.open(tmp_path)


def test_two_targets_are_refused(tmp_path: Path) -> None:
    """Whether the files say so or the rows."""
    write(tmp_path / "a", rows(3), metadata(target="fraud"))
    write(tmp_path / "b", rows(3), metadata(target="churn"))
    with pytest.raises(CallerError, match=r"the target 'fraud' and .* the target 'churn'"):
        Cohort.open(tmp_path / "a", tmp_path / "b")
    mixed = rows(40)
    next(row for row in mixed if row["status"] == "explained")["target"] = "churn"
    with pytest.raises(CallerError, match=r"2 targets \('churn', 'fraud'\)"):
        Cohort.open(write(tmp_path / "mixed", mixed, metadata()))


def test_the_same_sequence_twice_is_refused(folder: Path) -> None:
    with pytest.raises(CallerError, match="'account-00000' occurs more than once"):
        Cohort.open(folder, folder)


def test_other_features_are_refused(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", rows(3), metadata(("x",)))
    with pytest.raises(CallerError, match="different features"):
        Cohort.open(folder, tmp_path / "other")


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Four variants of twenty rows. No test writes to its files."""
    drawn: list[dict[str, Any]] = []
    for checkpoint in ("1", "200"):
        for seed in (0, 1):
            name = f"checkpoint={checkpoint},seed={seed}"
            drawn += rows(20, checkpoint=checkpoint, seed=seed, variant=name)
    return Cohort.open(
        write(tmp_path_factory.mktemp("variants"), drawn, metadata(FEATURES, first_positive=0.5))
    )


def test_variants_are_not_mixed(variants: Cohort) -> None:
    """Every report asks for a choice, and names the variants."""
    reports = [
        *(variants.events, variants.features, variants.constant_features, variants.latest_share),
        *(variants.first_positive, variants.quality, variants.warnings, variants.verdicts),
        lambda: variants.fairness("amount", "segment"),
        lambda: variants.drift("period"),
        lambda: variants.score_drift("period"),
        lambda: variants.compare(variants),
        variants.to_html,
    ]
    for report in reports:
        with pytest.raises(CallerError, match=r"4 variants.*--variant.*'checkpoint=1,seed=0'") as raised:
            report()
        assert raised.value.reason == "VARIANT_NOT_CHOSEN"


def test_choosing_a_variant(variants: Cohort) -> None:
    """By its whole name, in any order, or by a part; a part that leaves several is not enough."""
    assert len(variants.variant("seed=1, checkpoint=200")) == 20
    assert variants.variant("seed=1").variants() == ["checkpoint=1,seed=1", "checkpoint=200,seed=1"]
    with pytest.raises(CallerError, match="2 variants"):
        variants.variant("seed=1").events()
    with pytest.raises(NotInCohort, match="no variant 'seed=7'; the cohort has 'checkpoint=1,seed=0'"):
        variants.variant("seed=7")
    assert variants.variant("checkpoint=1,seed=0").events().num_rows > 0


def test_models_are_not_mixed(tmp_path: Path) -> None:
    """Two models under one variant, as when two runs are opened together."""
    both = rows(40) + [{**row, "id": "x" + row["id"], "model_digest": "sha256:cc"} for row in rows(40)]
    cohort = Cohort.open(write(tmp_path / "models", both, metadata(FEATURES)))
    with pytest.raises(CallerError, match="2 models and 1 backgrounds; choose one"):
        cohort.events()
    assert cohort.where("model_digest = 'sha256:aa'").events().num_rows > 0


def test_in_a_notebook(cohort: Cohort, variants: Cohort) -> None:
    """A few lines without scripts; several variants are named in place of mixed numbers."""
    card = cohort._repr_html_()
    assert "400 sequences: 334 explained" in card
    assert "<script" not in card
    assert "choose it with" in variants._repr_html_()


def test_in_a_terminal(cohort: Cohort, frame: pd.DataFrame, tmp_path: Path) -> None:
    """One line with the numbers of rows, without folders."""
    counts = frame["status"].value_counts()
    assert repr(cohort) == (
        f"<Cohort: 400 rows, {counts['explained']} explained, {counts['below_minimum']} below the minimum, "
        f"{counts['failed']} failed, model fraud.onnx, target fraud>"
    )
    about = metadata(FEATURES, model=f"{tmp_path}/churn-{{checkpoint}}.onnx")
    several = [row for name in ("a", "b") for row in rows(3, variant=f"checkpoint={name}")]
    shown = repr(Cohort.open(write(tmp_path / "several", several, about)))
    assert "model churn-{checkpoint}.onnx, target fraud, variants 'checkpoint=a', 'checkpoint=b'>" in shown
    assert str(tmp_path) not in shown
