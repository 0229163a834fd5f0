"""What Python callers hand in: arrays of every make, and what is no array at all."""

from __future__ import annotations

import array
import collections
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from field.asking import SEQUENCE, assert_true, or_refused
from field.parts import built, constant, node, pooled
from field.truth import truth
from sequela_client import CallerError, EventInfo, Explanation, Sequela, SequelaError, Sequence
from small_onnx import FLOAT, value

NODES, STORED = pooled("x")
POOLED = built(NODES, STORED)
TRUE = truth(POOLED, SEQUENCE)
ROWS = SEQUENCE.tolist()
READ_ONLY = SEQUENCE.copy()
READ_ONLY.flags.writeable = False
START = datetime(2026, 1, 1, tzinfo=UTC)


class Wrapped:
    """As data frames and tensors are: no array, but one on demand."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return SEQUENCE


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of one input `x` of three columns."""
    path = tmp_path / "model.onnx"
    path.write_bytes(POOLED)
    return path


def asked(sequela: Sequela, model: Path, sequence: Any, **more: Any) -> Explanation:
    """Every coalition of events, nothing pruned, from zeros."""
    more = {
        "background": np.zeros(3),
        "pruning_tolerance": 0,
        "target_standard_error": 0,
        "levels": ["event"],
    } | more
    return sequela.explain(sequence, model=model, **more)


RIGHT = {
    # cases of microsoft/onnxruntime#26408, AXERA-TECH/pyaxengine#47, microsoft/CNTK#1090, nmslib/nmslib#230
    "another byte order, double": SEQUENCE.astype(">f8"),
    "another byte order": SEQUENCE.astype(">f4"),
    "columns first in memory": np.asfortranarray(SEQUENCE),
    "a transposed view": SEQUENCE.T.copy().T,
    "a reversed view": SEQUENCE[::-1].copy()[::-1],
    "every second row of a larger array": np.repeat(SEQUENCE, 2, axis=0)[::2],
    "read only": READ_ONLY,
    "a memory view": memoryview(SEQUENCE),
    "lists": ROWS,
    "tuples": tuple(map(tuple, ROWS)),
    "a deque of lists": collections.deque(ROWS),
    "a list of rows": list(SEQUENCE),
    "a list of array.array": [array.array("f", row) for row in ROWS],
    "what becomes an array": Wrapped(),
    "by its input's name": {"x": SEQUENCE},
}


@pytest.mark.parametrize("name", RIGHT)
def test_arrays_of_any_make(sequela: Sequela, model: Path, name: str) -> None:
    """The same numbers, however they lie in memory."""
    assert_true(asked(sequela, model, RIGHT[name]), TRUE)


REFUSED = {
    "times": np.datetime64("2026-01-01") + np.arange(15).reshape(5, 3),
    "spans of time": np.arange(15).reshape(5, 3).astype("m8[ns]"),
    "complex numbers": SEQUENCE.astype(complex),
    "rows of two lengths": [[1, 2, 3], [1, 2]],
    "a value missing": [[1, 2, None]] * 3,
    "not a number": np.where(np.arange(15).reshape(5, 3) == 4, np.nan, SEQUENCE),
    "infinity": np.where(np.arange(15).reshape(5, 3) == 4, np.inf, SEQUENCE),
    "thousands as text": [["1,234.5", "1", "2"]],
    "one row of no sequence": SEQUENCE[0],
    "columns and events swapped": SEQUENCE.T,
    "a path": "sequence.csv",
    "nothing": None,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sequence_is_refused(sequela: Sequela, model: Path, name: str) -> None:
    """An error of the client, never a number and never a bare TypeError."""
    with pytest.raises(SequelaError):
        asked(sequela, model, REFUSED[name])


@pytest.mark.parametrize("empty", [np.empty((0, 3)), []])
def test_no_events(sequela: Sequela, model: Path, empty: Any) -> None:
    """A history without events says so, not how tensors are packed."""
    with pytest.raises(CallerError, match="at least one event"):
        asked(sequela, model, empty)


# needs: models-in, a finite value that the model's type does not hold. Before: "holds a value that is not finite".
def test_a_finite_value_too_large_for_the_model(sequela: Sequela, model: Path) -> None:
    """1e39 is finite, but float32 ends at 3.4e38: both are said."""
    large = np.where(np.arange(15).reshape(5, 3) == 4, 1e39, SEQUENCE.astype(float))
    with pytest.raises(CallerError, match=r"float32.* 3\.40.*1e\+39"):
        asked(sequela, model, large)


def timed(*days: int) -> Sequence:
    return Sequence(SEQUENCE, tuple(EventInfo(time=START + timedelta(days=day)) for day in days))


def test_events_newest_first_are_refused(sequela: Sequela, model: Path) -> None:
    """feedzai/timeshap#39: a sequence in falling order would be explained upside down, t = 0 being the oldest."""
    with pytest.raises(
        CallerError, match=r"backwards, from 2026-01-06 .* to 2026-01-02 .* oldest event first"
    ):
        asked(sequela, model, timed(5, 4, 3, 2, 1))
    with pytest.raises(CallerError, match="oldest event first"):
        asked(sequela, model, timed(5, 5, 3, 3, 1))


@pytest.mark.parametrize(
    "days", [(1, 2, 3, 4, 5), (1, 1, 2, 2, 2), (3, 3, 3, 3, 3), (1, 3, 2, 4, 5), (5, 4, 3, 4, 2)]
)
def test_events_recorded_out_of_order_are_taken(sequela: Sequela, model: Path, days: tuple[int, ...]) -> None:
    """Only times that never run forward tell of a sequence turned around."""
    assert_true(asked(sequela, model, timed(*days)), TRUE)


def test_numpy_scalars_as_options(sequela: Sequela, model: Path) -> None:
    """Settings often come out of arrays."""
    answer = asked(
        sequela,
        model,
        SEQUENCE,
        pruning_tolerance=np.float32(0),
        seed=np.int64(3),
        max_coalitions=np.int64(4096),
        targets=[np.int64(0)],
        levels=np.array(["event"]),
        timeout=np.float64(20),
        caller_id=np.str_("alert"),
    )
    assert_true(answer, TRUE)


def test_texts_in_any_script(sequela: Sequela, model: Path) -> None:
    """Ids and labels are kept as they are."""
    answer = asked(sequela, model, SEQUENCE, caller_id="Prüfung-🦊", labels={"Prüfer": "Zoë"})
    listed = list(sequela.list_explanations(caller_id="Prüfung-🦊"))
    assert [each.name for each in listed] == [answer.name]


# needs: arrays, what holds numbers but not in one of five types. Before: "holds no numbers that a model takes".
@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param(SEQUENCE.astype(object), id="objects"),
        pytest.param([[Decimal(str(value)) for value in row] for row in ROWS], id="decimals"),
        pytest.param(SEQUENCE.astype(np.longdouble), id="long double"),
        pytest.param(SEQUENCE.astype(str), id="text"),
    ],
)
def test_numbers_of_other_types(sequela: Sequela, model: Path, sequence: Any) -> None:
    """Taken as the numbers they are."""
    assert_true(asked(sequela, model, sequence), TRUE)


# needs: arrays, unsigned 64-bit numbers (pandas and Arrow make them of ids). Before: "an array of uint64 holds no
# numbers that a model takes".
def test_unsigned_numbers(sequela: Sequela, model: Path) -> None:
    """Taken where they fit."""
    counts = np.abs(SEQUENCE * 3).astype(np.uint64)
    assert_true(asked(sequela, model, counts), truth(POOLED, counts))


# needs: arrays, columns by name: structured arrays (DataFrame.to_records) and dicts of columns (to_dict("list")).
# Before: "holds no numbers", "'f0' is not an input; the model takes x".
@pytest.mark.parametrize("order", [("f0", "f1", "f2"), ("f2", "f0", "f1")])
def test_columns_by_name(sequela: Sequela, model: Path, order: tuple[str, ...]) -> None:
    """Matched by the features' names, or refused with them; never by place."""
    columns = {name: SEQUENCE[:, int(name[1])] for name in order}
    for given in (np.rec.fromarrays(list(columns.values()), names=",".join(order)), columns):
        answer = or_refused(lambda given=given: asked(sequela, model, given), r"f\d")
        if answer is not None:
            assert_true(answer, TRUE)


# needs: arrays and machine, wrong types of ids, labels, names and targets: bare TypeErrors and a
# UnicodeEncodeError before.
@pytest.mark.parametrize(
    "more",
    [
        {"caller_id": 17},
        {"caller_id": uuid.UUID(int=1)},
        {"caller_id": "a\udcff"},
        {"labels": {"a": 1}},
        {"labels": {"a": None}},
        {"labels": ["a"]},
        {"targets": 0},
    ],
    ids=str,
)
def test_wrong_types_are_errors_of_the_client(sequela: Sequela, model: Path, more: dict[str, Any]) -> None:
    """Taken, or a SequelaError that names the field."""
    answer = or_refused(lambda: asked(sequela, model, SEQUENCE, **more), next(iter(more)))
    if answer is not None:
        assert_true(answer, TRUE)


# needs: arrays, as above: an input's name that is no text. Before: "bad argument type for built-in operation".
def test_a_number_as_an_input_name(sequela: Sequela, model: Path) -> None:
    """`{0: array}`"""
    with pytest.raises(SequelaError):
        asked(sequela, model, {0: SEQUENCE})


# needs: arrays or defaults, a data set as the background (`x_train[:100]`, as shap's explainers take it:
# shap/shap#1226, #2614). Before: its last rows became the background of each position, without a word.
def test_a_data_set_as_the_background(sequela: Sequela, model: Path) -> None:
    """A thousand rows for five events: refused, or said in the answer's warnings."""
    samples = np.random.default_rng(1).normal(size=(1000, 3))
    answer = or_refused(lambda: asked(sequela, model, SEQUENCE, background=samples), "background")
    if answer is not None:
        assert any("background" in each.message for each in getattr(answer, "warnings", ()))


# needs: arrays, one reading of a nested list. explain() takes it for one sequence of three events with one column,
# score() for three sequences of one event.
def test_a_nested_list_is_one_thing(sequela: Sequela, tmp_path: Path) -> None:
    """`explain(rows)` and `score(rows)` speak of the same sequence, or score() refuses."""
    first = node("MatMul", ["x", "spread"], "wide")
    nodes, stored = pooled("wide")
    content = built(
        [first, *nodes], [*stored, constant("spread", np.ones((1, 3)))], [value("x", FLOAT, ["n", "l", 1])]
    )
    path = tmp_path / "one_column.onnx"
    path.write_bytes(content)
    rows = [[1.0], [2.0], [3.0]]
    explained = sequela.explain(rows, model=path, background=[0.0])
    try:
        scored = sequela.score(rows, model=path)
    except SequelaError:
        return
    assert scored.values.tolist() == [[pytest.approx(explained.score)]]
