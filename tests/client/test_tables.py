"""DataFrames, Series and other tables: what they know is used or refused, and the numbers are those of plain arrays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matrix import BY_NAME, copy_models
from sequela_client import CallerError, EventInfo, Explanation, Sequela, Sequence
from serving import Serving, embedded

AREM = str(Path(__file__).resolve().parents[1] / "fixtures" / "arem" / "arem_gru.onnx")
NAMES = ["avg_rss12", "var_rss12", "avg_rss13", "var_rss13", "avg_rss23", "var_rss23"]
ROWS = np.random.default_rng(5).normal(size=(5, 6))
AVERAGE = np.linspace(-0.2, 0.3, 6)
TURNED = NAMES[::-1]


@pytest.fixture(scope="module")
def sequela(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequela]:
    root = copy_models(tmp_path_factory.mktemp("models"), ("gru", "one_hot"))
    with Serving(embedded(model_repository=root)) as serving, Sequela(serving.bound.grpc) as client:
        yield client


@pytest.fixture(scope="module")
def plain(sequela: Sequela) -> Explanation:
    """What arrays in the model's order give."""
    return sequela.explain(ROWS, model=AREM, background=AVERAGE, pruning_tolerance=0)


def explain(sequela: Sequela, sequence: Any, background: Any = AVERAGE, **options: Any) -> Explanation:
    return sequela.explain(sequence, model=AREM, background=background, pruning_tolerance=0, **options)


def assert_same(found: Explanation, wanted: Explanation) -> None:
    assert (found.score, found.base_value) == (wanted.score, wanted.base_value)
    assert [item.values for item in found.events] == [item.values for item in wanted.events]
    assert {name: item.values for name, item in found.features.items()} == {
        name: item.values for name, item in wanted.features.items()
    }


def turned() -> pd.DataFrame:
    """The rows with their columns in another order."""
    return pd.DataFrame(ROWS, columns=NAMES)[TURNED]


TABLES: dict[str, Any] = {
    "pandas": turned(),
    "polars": pl.DataFrame(turned().to_dict("list")),
    "arrow": pa.table(turned().to_dict("list")),
    "records": turned().to_dict("records"),
    "structured": turned().to_records(index=False),
    "nullable": turned().convert_dtypes(),
    "arrow_backed": turned().convert_dtypes(dtype_backend="pyarrow"),
    "text": turned().map(repr).astype(object),
    "objects": turned().astype(object),
}


@pytest.mark.parametrize("kind", TABLES)
def test_columns_are_matched_by_name(sequela: Sequela, plain: Explanation, kind: str) -> None:
    """Columns in another order than the model's give the same numbers, whichever library holds them."""
    assert_same(explain(sequela, TABLES[kind]), plain)


def test_a_series_is_a_background_by_name(sequela: Sequela, plain: Explanation) -> None:
    """`df.mean()` has the columns as its index; they are matched too."""
    average = pd.Series(AVERAGE, index=NAMES)[TURNED]
    assert_same(explain(sequela, turned(), average), plain)
    assert_same(explain(sequela, ROWS, average), plain)
    frame = pl.DataFrame({name: [average[name]] for name in TURNED})
    assert_same(explain(sequela, ROWS, frame), plain)


def test_other_columns_are_left_out_and_said(sequela: Sequela, plain: Explanation) -> None:
    """A column that the model does not take is left out, and the answer says so."""
    frame = turned().assign(account=17)
    answer = explain(sequela, frame)
    assert_same(answer, plain)
    (warning,) = answer.warnings
    assert warning.reason == "COLUMNS_LEFT_OUT"
    assert "account" in warning.message
    assert explain(sequela, turned()).warnings == ()


def test_a_missing_column_is_refused(sequela: Sequela) -> None:
    """The message names what is missing, and what may be meant."""
    frame = turned().rename(columns={"var_rss13": "var_rss_13"})
    with pytest.raises(CallerError, match="missing: var_rss13 \\(did you mean 'var_rss_13'") as caught:
        explain(sequela, frame)
    assert caught.value.reason == "COLUMNS_DIFFER"
    assert caught.value.violations[0].field == "sequence"


def test_a_time_index_becomes_the_events_times(sequela: Sequela) -> None:
    """Oldest first: the times stand beside the events; the other way round is refused."""
    times = pd.date_range("2026-03-01", periods=5, freq="h", tz="UTC")
    answer = explain(sequela, turned().set_index(times))
    assert answer.event_values[0].info.time == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert [each.info.time for each in answer.event_values] == list(times[::-1].to_pydatetime())
    with pytest.raises(CallerError, match=r"its times go back.*sort the rows by time"):
        explain(sequela, turned().set_index(times[::-1]))


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_a_column_of_times_becomes_the_events_times(sequela: Sequela, plain: Explanation, kind: str) -> None:
    """One column of times says when events happened; two of them are refused by name."""
    times = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(5)]
    held = {"when": times, **turned().to_dict("list")}
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[kind]
    answer = explain(sequela, make(held))
    assert_same(answer, plain)
    assert answer.event_values[0].info.time == times[-1]
    with pytest.raises(CallerError, match="columns when, booked hold times"):
        explain(sequela, make({**held, "booked": times}))


def test_other_indices_become_ids(sequela: Sequela) -> None:
    """An index that somebody made names the events; one that counts does not. The caller's own notes go first."""
    frame = turned().set_index(pd.Index([f"tx-{number}" for number in range(5)]))
    assert explain(sequela, frame).event_values[0].info.id == "tx-4"
    assert explain(sequela, turned()).event_values[0].info.id == ""
    mine = tuple(EventInfo(id=f"mine-{number}") for number in range(5))
    assert explain(sequela, Sequence(frame, mine)).event_values[0].info.id == "mine-4"
    levels = pd.MultiIndex.from_product([["a"], range(5)])
    with pytest.raises(CallerError, match="several levels; take the rows of one entity"):
        explain(sequela, turned().set_index(levels))


REFUSED: dict[str, tuple[Any, str]] = {
    "words": (
        turned().assign(avg_rss12=["low", "high", "low", "low", "low"]),
        "column 'avg_rss12': holds text",
    ),
    "twice": (pd.DataFrame(ROWS, columns=["a", *NAMES[:4], "a"]), "column 'a' occurs twice"),
    "levels": (
        pd.DataFrame(ROWS, columns=pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]])),
        "several levels; give each column one name",
    ),
    "missing": (turned().mask(turned() == turned().iloc[3, 2]), "contains nan, first at \\[3, 3\\]"),
    "no time": (
        turned().set_index(pd.DatetimeIndex(["2026-03-01", None, *["2026-03-02"] * 3])),
        "has no time",
    ),
    "ragged records": ([{"a": 1.0}, {"b": 1.0}], "record 1 differs from the first in its keys: a, b"),
    "lazy": (pl.LazyFrame({"a": [1]}), "LazyFrame is not an array of numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_table_cannot_say_is_refused(sequela: Sequela, case: str) -> None:
    given, text = REFUSED[case]
    with pytest.raises(CallerError, match=text):
        explain(sequela, given)


def test_a_model_without_names_takes_the_callers(sequela: Sequela) -> None:
    """Columns go by position, features are called as the columns are, and the answer says that nothing was checked."""
    case = BY_NAME["gru"]
    rows = case.sample(6)["events"]
    width = rows.shape[1]
    columns = [f"column {number}" for number in range(width)]
    frame, average = pd.DataFrame(rows, columns=columns), pd.Series(case.average()["events"], index=columns)
    wanted = sequela.explain(rows, model="gru", background=average.to_numpy())
    found = sequela.explain(frame, model="gru", background=average)
    assert found.score == wanted.score
    assert list(found.features) == columns
    assert [item.values for item in found.features.values()] == [
        item.values for item in wanted.features.values()
    ]
    assert "COLUMNS_NOT_CHECKED" in {warning.reason for warning in found.warnings}
    turned = sequela.explain(frame, model="gru", background=average[::-1])
    assert [item.values for item in turned.features.values()] == [
        item.values for item in wanted.features.values()
    ]
    assert next(iter(wanted.features)) == "f0"
    with pytest.raises(CallerError, match=f"it takes {width} columns, which have no names"):
        sequela.explain(frame.assign(extra=1.0), model="gru", background=average)


def test_frames_without_names_are_arrays(sequela: Sequela, plain: Explanation) -> None:
    """Labels that pandas and polars make up say nothing."""
    for frame in (pd.DataFrame(ROWS), pl.DataFrame(ROWS)):
        answer = explain(sequela, frame)
        assert_same(answer, plain)
        assert answer.warnings == ()


def test_score_takes_a_table(sequela: Sequela, plain: Explanation) -> None:
    """One table, nested list or tensor is one sequence; a list of tables holds several."""
    one = sequela.score(turned(), model=AREM)
    several = sequela.score([turned(), ROWS, ROWS.tolist()], model=AREM)
    assert one.values.shape == (1, 1)
    assert sequela.score(ROWS.tolist(), model=AREM).values.shape == (1, 1)
    np.testing.assert_allclose(several.values, np.repeat(one.values, 3, axis=0), rtol=0, atol=0)
    assert one.values[0, 0] == pytest.approx(plain.score, abs=1e-6)


def test_one_hot_columns_by_category(sequela: Sequela) -> None:
    """Columns of a one-hot feature are called as `pandas.get_dummies` does, those of a group by their place."""
    case = BY_NAME["one_hot"]
    rows = case.sample(4)["events"]
    columns = ["amount", "channel_branch", "channel_web", "channel_phone", "place_0", "place_1"]
    wanted = sequela.explain(rows, model="one_hot")
    found = sequela.explain(pd.DataFrame(rows, columns=columns)[columns[::-1]], model="one_hot")
    assert_same(found, wanted)


def test_samples_sent_as_a_background_are_noticed(sequela: Sequela, plain: Explanation) -> None:
    """A data set is not a background: its last rows would stand for the events, so the answer says what it took."""
    samples = np.random.default_rng(1).normal(size=(50, 6))
    told = {each.reason: each.message for each in explain(sequela, ROWS, samples).warnings}
    assert "50 rows, but the sequence has 5 events" in told["BACKGROUND_LONGER_THAN_SEQUENCE"]
    for answer in (explain(sequela, ROWS, samples[:5]), plain):
        assert "BACKGROUND_LONGER_THAN_SEQUENCE" not in {each.reason for each in answer.warnings}


def test_averaged_tables_are_matched_with_each_other(sequela: Sequela) -> None:
    """Tables in different orders average by name, also where the model's own columns have none."""
    case = BY_NAME["gru"]
    rows = [case.sample(6, seed)["events"] for seed in range(2)]
    columns = [f"column {number}" for number in range(rows[0].shape[1])]
    first, second = (pd.DataFrame(each, columns=columns) for each in rows)
    made = sequela.average_background("by-name", [first, second[columns[::-1]]], model="gru")
    found = sequela.get_background(made.name).values["events"]
    np.testing.assert_allclose(found, np.concatenate(rows).mean(axis=0), rtol=1e-6)
    other = second.rename(columns={"column 0": "other"}).assign(more=1.0)
    with pytest.raises(CallerError, match="missing: column 0"):
        sequela.average_background("by-name-too", [first, other], model="gru")


def test_a_mapping_of_columns_is_told_from_inputs(sequela: Sequela) -> None:
    """`df.to_dict("list")` maps columns, not inputs; the message says how columns are sent."""
    with pytest.raises(CallerError, match=r"'avg_rss12' is a feature: send all columns .* in a table"):
        explain(sequela, turned()[NAMES].to_dict("list"))


def test_a_background_follows_the_order_of_each_sequence(sequela: Sequela) -> None:
    """A model without names takes columns in the sequence's order, and the background's by the same names: what a
    client learnt of one order does not serve another, in single questions and in a stream.
    """
    case = BY_NAME["gru"]
    rows = case.sample(6)["events"]
    columns = [f"column {number}" for number in range(rows.shape[1])]
    frame, average = pd.DataFrame(rows, columns=columns), pd.Series(case.average()["events"], index=columns)
    reverse = frame[columns[::-1]]
    wanted = {
        "one": sequela.explain(rows, model="gru", background=average.to_numpy()).base_value,
        "other": sequela.explain(rows, model="gru", background=average.to_numpy()[::-1]).base_value,
    }
    assert wanted["one"] != wanted["other"]
    asked = [("one", frame), ("other", reverse), ("one", rows), ("other", reverse), ("one", frame)]
    for order, sequence in asked:
        found = sequela.explain(sequence, model="gru", background=average)
        assert found.base_value == wanted[order]
    many = sequela.explain_many([sequence for _, sequence in asked * 5], model="gru", background=average)
    for (order, _), outcome in zip(asked * 5, many, strict=True):
        assert outcome.explanation is not None
        assert outcome.explanation.base_value == wanted[order]
