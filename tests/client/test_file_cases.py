"""Files as the field sends them, through the command: the model's own score of the right rows, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client import file_models as models
from client.file_answers import Ask, refused, scored, text, zeros
from sequela_client import CallerError
from sequela_client.files import load
from sequela_client.model_inputs import file_inputs
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.rows import RowOptions
from sequela_client.resources import ModelFeature, ModelInput
from sequela_client.tables import Table as NamedColumns
from small_onnx import FLOAT, scoring

FIXTURES = Path(__file__).parents[1] / "fixtures"
DATA = FIXTURES / "cases" / "data"
AREM = FIXTURES / "arem" / "arem_gru.onnx"


@pytest.mark.parametrize("name", ["p_no_header.csv", "p_default_columns.csv"])
def test_pandas_numbers_for_names_are_a_header(ask: Ask, name: str) -> None:
    """0.0707 of 8 events; never 0.7777 of 9, the header as the oldest."""
    rows = np.loadtxt(DATA / "p_no_header.csv", delimiter=",")
    right = models.score(AREM, rows)
    assert right == pytest.approx(0.0707, abs=1e-4)
    assert scored(ask(AREM, DATA / name)) == (pytest.approx(right, abs=1e-6), 8)


@pytest.mark.parametrize("name", ["arem_raw.csv", "with_time.csv", "semicolon.csv"])
def test_comments_time_columns_and_semicolons(ask: Ask, name: str) -> None:
    """The features' columns are taken, by the names in a header or in a comment; what is left out is said."""
    rows = np.loadtxt(DATA / "semicolon.csv", delimiter=";", skiprows=1)
    done = ask(AREM, DATA / name)
    assert scored(done) == (pytest.approx(models.score(AREM, rows), abs=1e-6), len(rows))
    assert done.stderr == ("" if name == "semicolon.csv" else f"Note: {name}: left out: time\n")


@pytest.mark.parametrize(
    "kind", ["decimal commas", "UTF-16", "tabs", "records", "split", "columns", "columns, lists"]
)
def test_the_same_rows_written_otherwise(ask: Ask, tmp_path: Path, kind: str) -> None:
    """The model's own score of the rows, whatever the file's kind."""
    plain = (DATA / "semicolon.csv").read_text()
    names, *lines = (line.split(";") for line in plain.splitlines())
    rows = [[float(cell) for cell in line] for line in lines]
    path = tmp_path / ("alert.csv" if kind in ("decimal commas", "UTF-16", "tabs") else "alert.json")
    match kind:
        case "decimal commas":
            path.write_text(plain.replace(".", ","))
        case "UTF-16":
            path.write_bytes(plain.encode("utf-16"))
        case "tabs":
            path.write_text(plain.replace(";", "\t"))
        case "records":
            path.write_text(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        case "split":
            path.write_text(json.dumps({"columns": names[::-1], "data": [row[::-1] for row in rows]}))
        case "columns":
            by_row = {name: {str(i): row[at] for i, row in enumerate(rows)} for at, name in enumerate(names)}
            path.write_text(json.dumps(by_row))
        case _:
            path.write_text(json.dumps({name: [row[at] for row in rows] for at, name in enumerate(names)}))
    assert scored(ask(AREM, path)) == (pytest.approx(models.score(AREM, rows), abs=1e-6), len(rows))


def test_a_missing_value_is_never_dropped(ask: Ask, tmp_path: Path) -> None:
    """Refused with line and column, or NaN where the model reads it so."""
    assert "p_value_missing.csv: line 4, column 3: the value is missing" in refused(
        ask(AREM, DATA / "p_value_missing.csv")
    )
    model = models.written(tmp_path / "plain", models.weighted(1))
    full = ask(model, DATA / "u_full.csv", *zeros(tmp_path, 1))
    rows = np.loadtxt(DATA / "u_full.csv")[:, None]
    assert scored(full) == (pytest.approx(models.score(model, rows), abs=1e-6), 9)
    assert "u_gap.csv: line 5, column 1: the value is missing" in refused(
        ask(model, DATA / "u_gap.csv", *zeros(tmp_path, 1))
    )


def test_json_null_is_a_missing_value(ask: Ask, tmp_path: Path) -> None:
    """In rows and in records, named by its place."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    rows = text(tmp_path, "rows.json", "[[1, 2], [3, null]]")
    assert "rows.json: row 2, column 2: the value is missing" in refused(
        ask(model, rows, *zeros(tmp_path, 2))
    )
    records = text(tmp_path, "records.json", '[{"a": 1, "b": 2}, {"a": 3, "b": null}]')
    assert "record 2, column 2 (b): the value is missing" in refused(ask(model, records, *zeros(tmp_path, 2)))


def test_columns_of_different_lengths(ask: Ask, tmp_path: Path) -> None:
    """Columns by name that do not make rows are refused with their lengths."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    path = text(tmp_path, "t.json", '{"a": [1, 2], "b": [3]}')
    assert "its columns differ in length: a 2, b 1" in refused(ask(model, path, *zeros(tmp_path, 2)))


def test_words_are_read_by_the_schemas_categories(ask: Ask, tmp_path: Path) -> None:
    """The event log of the field: activity and resource are words, the costs a number; features stand in any order."""
    activities, people = ["check ticket", "register request", "examine casually"], ["Ellen", "Mike", "Pete"]
    schema = {
        "features": [
            {"name": "Resource", "columns": {"x": [2]}, "kind": "categorical", "categories": people},
            {"name": "Activity", "columns": {"x": [0]}, "kind": "categorical", "categories": activities},
            {"name": "Costs", "columns": {"x": [1]}},
        ]
    }
    model = models.written(tmp_path / "m", models.weighted(3, models.INT64), schema)
    more = zeros(tmp_path, 3)
    right = models.score(model, [[1, 50, 2], [2, 400, 1], [0, 100, 0]])
    assert scored(ask(model, DATA / "log_strings.csv", *more)) == (pytest.approx(right, abs=1e-6), 3)
    wrong = text(tmp_path, "wrong.csv", "Activity,Costs,Resource\nregister request,50,Sue\n")
    said = "line 2, column 3 (Resource): 'Sue' is not one of the categories: Ellen, Mike, Pete"
    assert said in refused(ask(model, wrong, *more))


def test_one_hot_columns_from_one_column_of_words_or_from_dummies(ask: Ask, tmp_path: Path) -> None:
    """A one-hot feature is read from names of its categories, or from pandas' get_dummies."""
    schema = {
        "features": [
            {"name": "amount", "columns": {"x": [3]}},
            {
                "name": "shop",
                "columns": {"x": [0, 1, 2]},
                "kind": "one_hot",
                "categories": ["web", "app", "pos"],
            },
        ]
    }
    model = models.written(tmp_path / "m", models.weighted(4), schema)
    right = models.score(model, [[0, 1, 0, 2.5], [0, 0, 1, -1]])
    words = text(tmp_path, "words.csv", "amount,shop\n2.5,app\n-1,pos\n")
    dummies = text(
        tmp_path,
        "dummies.csv",
        "amount,shop_app,shop_pos,shop_web\n2.5,True,False,False\n-1,False,True,False\n",
    )
    for path in (words, dummies):
        assert scored(ask(model, path, *zeros(tmp_path, 4))) == (pytest.approx(right, abs=1e-6), 2)


def test_a_category_that_may_be_an_id_is_refused(ask: Ask, tmp_path: Path) -> None:
    """'2' is the name of category 1, and the id of another."""
    schema = {
        "features": [
            {"name": "floor", "columns": {"x": [0]}, "kind": "categorical", "categories": ["1", "2", "3"]}
        ]
    }
    model = models.written(tmp_path / "m", models.weighted(1, models.INT64), schema)
    path = text(tmp_path, "floors.csv", "floor\n2\n")
    assert "'2' is the name of category 1" in refused(ask(model, path, *zeros(tmp_path, 1)))


def test_large_ids_stay_whole(ask: Ask, tmp_path: Path) -> None:
    """An id past 2^53 reaches the model as it stands, from CSV and from JSON: no neighbour's score."""
    model = models.written(tmp_path / "m", models.odd(), models.features("user"))
    ids = [2**53 + 1, 2**60 + 1, 4]
    path = text(tmp_path, "ids.csv", "user\n" + "".join(f"{each}\n" for each in ids))
    records = text(tmp_path, "ids.json", json.dumps([{"user": each} for each in ids]))
    for each in (path, records):
        assert scored(ask(model, each, *zeros(tmp_path, 1))) == (pytest.approx(2 / 3, abs=1e-6), 3)


def test_an_index_column(ask: Ask, tmp_path: Path) -> None:
    """pandas' index is left out and said, with names and without; any other extra column needs --columns."""
    named = models.written(tmp_path / "named", models.weighted(2), models.features("a", "b"))
    bare = models.written(tmp_path / "bare", models.weighted(2))
    more, right = zeros(tmp_path, 2), models.score(named, [[1.5, 2], [3.5, -4]])
    path = text(tmp_path, "indexed.csv", ",a,b\n0,1.5,2\n1,3.5,-4\n")
    for model in (named, bare):
        done = ask(model, path, *more)
        assert scored(done) == (pytest.approx(right, abs=1e-6), 2)
        assert "left out: " in done.stderr
    other = text(tmp_path, "other.csv", "shop,a,b\n7,1.5,2\n9,3.5,-4\n")
    assert "other.csv: 3 columns (shop, a, b)" in refused(ask(bare, other, *more))
    assert scored(ask(bare, other, *more, "--columns", "a,b")) == (pytest.approx(right, abs=1e-6), 2)
    unnamed = text(tmp_path, "unnamed.csv", "7,1.5,2\n9,3.5,-4\n")
    assert "--columns 2,… names those to take" in refused(ask(named, unnamed, *more))
    assert scored(ask(named, unnamed, *more, "--columns", "2-3")) == (pytest.approx(right, abs=1e-6), 2)


def test_columns_that_are_misplaced_or_twice(ask: Ask, tmp_path: Path) -> None:
    """A name in another place than the model's, one that is there twice, one that is nowhere: refused."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    path, more = text(tmp_path, "t.csv", "a,b,c\n1.5,2,3\n"), zeros(tmp_path, 2)
    assert "--columns has a in place 2, but the model has it in place 1" in refused(
        ask(model, path, *more, "--columns", "c,a")
    )
    assert "there is no column 'd'; it has a, b, c" in refused(ask(model, path, *more, "--columns", "a,d"))
    assert "--columns lists 1, and the model takes 2 columns, in this order: a, b" in refused(
        ask(model, path, *more, "--columns", "a")
    )
    turned = scored(ask(model, path, *more, "--columns", "b,a"))
    assert turned == (pytest.approx(models.score(model, [[1.5, 2]]), abs=1e-6), 1)
    twice = text(tmp_path, "twice.csv", "a,b,a\n1.5,2,3\n")
    assert "there are 2 columns named 'a'" in refused(ask(model, twice, *more))


def test_a_series_as_background(ask: Ask, tmp_path: Path) -> None:
    """`frame.mean().to_csv()` has a feature a line, in any order; the base value is the model's of that row."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    path = text(tmp_path, "t.csv", "a,b\n1.5,2\n3,4\n")
    mean = text(tmp_path, "mean.csv", ",0\nb,0.5\na,-0.25\n")
    told = json.loads(ask(model, path, "--background", mean).stdout)
    right = models.score(model, [[-0.25, 0.5]] * 2)
    assert told["targets"][0]["base_value"] == pytest.approx(right, abs=1e-6)
    assert told["targets"][0]["score"] == pytest.approx(models.score(model, [[1.5, 2], [3, 4]]), abs=1e-6)


def test_arrays_with_a_batch_axis(ask: Ask, tmp_path: Path) -> None:
    """One sequence in a batch is that sequence, and said; several are refused; numpy's name for an array will do."""
    model, more = models.written(tmp_path / "m", models.weighted(2)), zeros(tmp_path, 2)
    x = np.array([[1.5, 2], [3, 4]], np.float32)
    right = pytest.approx(models.score(model, x), abs=1e-6)
    np.save(tmp_path / "one.npy", x[None])
    done = ask(model, tmp_path / "one.npy", *more)
    assert scored(done) == (right, 2)
    assert "the shape (1, 2, 2) was read as one sequence of shape (2, 2)" in done.stderr
    np.save(tmp_path / "two.npy", np.stack([x, x]))
    assert (
        "a batch of 2 sequences, and one can be explained at a time; write one of them, such as x[0]"
        in refused(ask(model, tmp_path / "two.npy", *more))
    )
    np.savez(tmp_path / "z.npz", x)
    assert scored(ask(model, tmp_path / "z.npz", *more)) == (right, 2)


def test_options_that_go_with_tables_only(ask: Ask, tmp_path: Path) -> None:
    """An option that would do nothing is refused."""
    model = models.written(tmp_path / "m", models.weighted(2))
    np.save(tmp_path / "x.npy", np.ones((2, 2), np.float32))
    said = refused(ask(model, tmp_path / "x.npy", *zeros(tmp_path, 2), "--entity", "a=1"))
    assert "--entity can be used only for a table" in said


def test_a_model_of_several_inputs_from_one_table(ask: Ask, tmp_path: Path) -> None:
    """Named columns find their inputs; a static input's column repeats its value, or is refused."""
    inputs: dict[str, Any] = {"x": (FLOAT, ["n", "l", 2]), "profile": (FLOAT, ["n", 1])}
    schema = {
        "inputs": [
            {"name": "x", "role": "events", "width": 2},
            {"name": "profile", "role": "static", "width": 1},
        ],
        "features": [
            {"name": "amount", "columns": {"x": [0]}},
            {"name": "hour", "columns": {"x": [1]}},
            {"name": "age", "columns": {"profile": [0]}},
        ],
    }
    model = models.written(tmp_path / "m", scoring(inputs), schema)
    base = text(tmp_path, "base.json", '{"inputs": {"x": [0, 0], "profile": [0]}}')
    rows = text(tmp_path, "t.csv", "age,hour,amount\n40,2,1\n40,4,3\n")
    told = scored(ask(model, rows, "--background", base))
    assert told == (pytest.approx(1 / (1 + np.exp(-0.1 * (2.5 + 40))), abs=1e-6), 2)
    other = text(tmp_path, "other.csv", "age,hour,amount\n40,2,1\n41,4,3\n")
    said = refused(ask(model, other, "--background", base))
    assert (
        "line 3, column 1 (age): '41', but '40' in the rows before; the static input 'profile' must have one value"
        in said
    )


def test_pandas_numbers_beside_its_index(ask: Ask, tmp_path: Path) -> None:
    """`,0,1` is a header with an index, for a model with names too."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    path = text(tmp_path, "t.csv", ",0,1\n0,1.5,2\n1,3.5,-4\n")
    done = ask(model, path, *zeros(tmp_path, 2))
    assert scored(done) == (pytest.approx(models.score(model, [[1.5, 2], [3.5, -4]]), abs=1e-6), 2)
    assert "left out: the first column (it numbers the rows)" in done.stderr


def test_nan_goes_to_a_model_that_takes_it(tmp_path: Path) -> None:
    """A missing value is NaN where the model's input has `allow_nan`; infinity is not."""
    values = (("x", "events", "float32", 2),)
    inputs = tuple(ModelInput(*each, allow_nan=True) for each in values)
    columns = tuple(
        ModelFeature(name, "", "", "", False, "numeric", (), {"x": (at,)})
        for at, name in enumerate(("a", "b"))
    )
    layout = Layout(inputs, columns)
    for name, content in (
        ("t.csv", "b,a\n2,1.5\nNA,3\n"),
        ("t.json", '[{"b": 2, "a": 1.5}, {"b": null, "a": 3}]'),
    ):
        found = file_inputs.sequence(
            load(text(tmp_path, name, content)), layout, RowOptions(), file_inputs.Notes()
        )
        np.testing.assert_array_equal(found.inputs, [[1.5, 2], [3, np.nan]])
    rows = file_inputs.sequence(
        load(text(tmp_path, "r.json", "[[1.5, 2], [3, null]]")), layout, RowOptions(), file_inputs.Notes()
    )
    np.testing.assert_array_equal(rows.inputs, [[1.5, 2], [3, np.nan]])
    endless = load(text(tmp_path, "i.csv", "a,b\n1.5,inf\n"))
    with pytest.raises(CallerError, match="not a finite number"):
        file_inputs.sequence(endless, layout, RowOptions(), file_inputs.Notes())


def test_columns_of_a_model_that_nothing_is_known_of(tmp_path: Path) -> None:
    """Their names go along, so that the server matches them with its features or says that it could not."""
    loaded = load(text(tmp_path, "t.csv", "b,a\n2,1.5\n"))
    given = file_inputs.sequence(loaded, None, RowOptions(), file_inputs.Notes()).inputs
    assert isinstance(given, NamedColumns)
    np.testing.assert_array_equal(given.values, [[2, 1.5]])
    assert given.columns == ("b", "a")


@pytest.mark.parametrize("word", [".", "\\N", "NA", "null"])
def test_missing_values_as_programs_write_them(ask: Ask, tmp_path: Path, word: str) -> None:
    """SAS, Hive and PostgreSQL, R, Spark: the value is missing, by line and column."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    path = text(tmp_path, "t.csv", f"a,b\n1,2\n{word},3\n")
    assert "line 3, column 1 (a): the value is missing" in refused(ask(model, path, *zeros(tmp_path, 2)))


def test_a_name_in_capitals_is_asked_about(ask: Ask, tmp_path: Path) -> None:
    """Which column may be meant is said; it is not taken unasked."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    path = text(tmp_path, "t.csv", "A,b\n1,2\n")
    assert "missing: a (the file has 'A')" in refused(ask(model, path, *zeros(tmp_path, 2)))


@pytest.mark.parametrize("content", ["{'a': 1}", '[{"a": 1, "b": 2},]'])
def test_what_is_not_json_is_called_so(ask: Ask, tmp_path: Path, content: str) -> None:
    """Python's own text of a dict, and a comma too many."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    assert "t.json: not valid JSON: " in refused(
        ask(model, text(tmp_path, "t.json", content), *zeros(tmp_path, 2))
    )


def test_statistics_are_no_background(ask: Ask, tmp_path: Path) -> None:
    """What describe() gives has the mean in one of its rows."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    rows = text(tmp_path, "t.csv", "a,b\n1,2\n")
    given = text(tmp_path, "b.csv", ",a,b\ncount,2,2\nmean,1,2\nstd,1,1\nmin,0,0\n50%,1,1\nmax,2,2\n")
    assert "b.csv: its rows are statistics, as describe() gives" in refused(
        ask(model, rows, "--background", given)
    )


def test_a_feature_of_several_columns_is_told(ask: Ask, tmp_path: Path) -> None:
    """One column by its name is not enough."""
    schema = {"features": [{"name": "place", "columns": {"x": [0, 1]}, "kind": "group"}]}
    model = models.written(tmp_path / "m", models.weighted(2), schema)
    path = text(tmp_path, "t.csv", "place,b\n1,2\n")
    assert "missing: place (2 columns: place.0, …)." in refused(ask(model, path, *zeros(tmp_path, 2)))
