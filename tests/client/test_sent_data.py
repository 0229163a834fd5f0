"""What people hand to the client by habit: taken as it is meant, or a CallerError that says what to write instead."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from client import file_models as models
from matrix import BY_NAME
from sequela_client import AsyncSequela, CallerError, EventInfo, Explanation, Sequela, Sequence

NAMES = ["amount", "age", "hours"]
ROWS = np.random.default_rng(3).normal(size=(5, 3))
FRAME = pd.DataFrame(ROWS, columns=NAMES)
ZERO = [0.0, 0.0, 0.0]


@pytest.fixture(scope="module")
def sequela(real: str) -> Iterator[Sequela]:
    with Sequela(real, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three named columns, each of its own weight."""
    return models.written(
        tmp_path_factory.mktemp("sent") / "named", models.weighted(3), models.features(*NAMES)
    )


Ask = Callable[..., Explanation]


@pytest.fixture
def ask(sequela: Sequela, model: Path) -> Ask:
    def explain(sequence: Any = ROWS, background: Any = ZERO, **more: Any) -> Explanation:
        return sequela.explain(sequence, model=model, background=background, pruning_tolerance=0, **more)

    return explain


class Tensor:
    """As torch's: numpy cannot read it while it has gradients, a narrow type or a lazy sign."""

    is_quantized = False
    layout = "torch.strided"

    def __init__(self, values: Any, dtype: str = "torch.float32", *, ready: bool = False) -> None:
        self.values, self.dtype, self.ready = np.asarray(values, np.float32), dtype, ready

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        if self.dtype == "meta":
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        return self

    def resolve_conj(self) -> Tensor:
        return self

    def resolve_neg(self) -> Tensor:
        return Tensor(self.values, self.dtype, ready=True)

    def float(self) -> Tensor:  # shadows the builtin, as torch's does
        return Tensor(self.values, ready=self.ready)

    def __float__(self) -> float:
        return float(self.values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if not self.ready or self.dtype != "torch.float32":
            raise RuntimeError("Can't call numpy() on it")
        return self.values


@pytest.mark.parametrize("kind", ["whole", "rows", "values", "bfloat16", "float8", "rows in float8"])
def test_tensors(ask: Ask, kind: str) -> None:
    """A tensor, a list of them or of lists of them, in types that numpy lacks: the score of the same numbers."""
    dtype = f"torch.{kind.rsplit(maxsplit=1)[-1]}" if "loat" in kind else "torch.float32"
    dtype = dtype.replace("float8", "float8_e4m3fn")
    sent: Any = Tensor(ROWS, dtype)
    if kind.startswith("rows"):
        sent = [Tensor(row, dtype) for row in ROWS]
    if kind == "values":
        sent = [[Tensor(value) for value in row] for row in ROWS]
    assert ask(sent).score == ask(ROWS.astype(np.float32)).score


def _sqlite_rows(frame: pd.DataFrame) -> list[Any]:
    with sqlite3.connect(":memory:") as connection:
        connection.row_factory = sqlite3.Row
        frame.to_sql("events", connection, index=False)
        found = connection.execute("select * from events").fetchall()
    connection.close()
    return found


class Row(tuple[Any, ...]):
    """As Spark's: a tuple that knows its fields."""

    __fields__ = NAMES[::-1]


TURNED = FRAME[NAMES[::-1]]
ROWS_WITH_NAMES: dict[str, Any] = {
    "itertuples": list(TURNED.itertuples(index=False)),
    "iterrows": [row for _, row in TURNED.iterrows()],
    "sqlite": _sqlite_rows(TURNED),
    "records of numpy": list(TURNED.to_records(index=False)),
    "Spark": [Row(row) for row in TURNED.to_numpy()],
}


@pytest.mark.parametrize("kind", ROWS_WITH_NAMES)
def test_rows_that_know_their_names(ask: Ask, sequela: Sequela, model: Path, kind: str) -> None:
    """Columns are matched by name, whatever their order; as one sequence by score() too."""
    assert ask(ROWS_WITH_NAMES[kind]).score == ask().score
    scores = sequela.score(ROWS_WITH_NAMES[kind], model=model).values
    assert scores.tolist() == [[pytest.approx(ask().score)]]


def test_several_tables_are_several_sequences(sequela: Sequela, model: Path) -> None:
    """A DataFrame knows its columns as a row does; it is a sequence all the same."""
    one = sequela.score(FRAME, model=model).values[0, 0]
    assert sequela.score([FRAME, TURNED], model=model).values.tolist() == [[one], [one]]


BIG = 2**53 + 1
IDS: dict[str, Any] = {
    "text": [[str(BIG)]],
    "objects": np.array([[BIG]], dtype=object),
    "records": [{"id": BIG}],
    "Decimal": [[Decimal(BIG)]],
    "column of text": pd.DataFrame({"id": [str(BIG)]}),
    "nullable": pd.DataFrame({"id": pd.array([BIG], dtype="Int64")}),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 for an odd id, 0 for an even one."""
    return models.written(tmp_path_factory.mktemp("ids") / "odd", models.odd())


@pytest.mark.parametrize("kind", IDS)
def test_ids_keep_all_their_digits(sequela: Sequela, odd: Path, kind: str) -> None:
    """2^53 + 1 is odd; as float64 it would be even."""
    assert sequela.explain(IDS[kind], model=odd, background=[0]).score == 1.0


@pytest.mark.parametrize("value", [np.float64(BIG), np.float32(2**24 + 1)], ids=["float64", "float32"])
def test_ids_that_lost_digits_are_refused(sequela: Sequela, odd: Path, value: Any) -> None:
    """What came as a float from which the next id cannot be told; one below is taken."""
    with pytest.raises(CallerError, match=r"cannot represent every whole number above .*; send it as int64"):
        sequela.explain(np.array([[value]]), model=odd, background=[0])
    assert sequela.explain(np.array([[value - 1 - value % 2]]), model=odd, background=[0]).score == 1.0


def test_a_square_table_that_lies_on_its_side(ask: Ask) -> None:
    """Three events of three features, transposed: the shape fits, the names of the rows do not."""
    with pytest.raises(
        CallerError, match=r"rows have the names of the model's columns, amount, age, hours; is it transposed"
    ):
        ask(FRAME.iloc[:3].T)


def test_an_index_of_times_as_text(ask: Ask) -> None:
    """What read_csv gives without parse_dates is times as well: shown, and refused where they go back."""
    days = pd.Index([f"2026-01-0{day}" for day in range(1, 6)])
    answer = ask(FRAME.set_index(days))
    assert answer.event_values[0].info.time == dt.datetime(2026, 1, 5).astimezone(dt.UTC)
    with pytest.raises(CallerError, match="its times go back"):
        ask(FRAME.set_index(days[::-1]))


REFUSED: dict[str, tuple[Any, str]] = {
    "a generator": ((row for row in ROWS), "a generator is not an array of numbers; write list(...)"),
    "a path": (Path("x.npy"), "'x.npy' is text; read the file first, as in numpy.load(path)"),
    "a tensor without data": (Tensor(ROWS, "meta"), "a tensor whose values cannot be read: Cannot copy out"),
    "a huge integer": ([[10**400, 1, 2]], "value 0 is larger than any float64"),
    "durations": (FRAME.assign(hours=pd.to_timedelta(range(5), "h")), ".dt.total_seconds()"),
    "dates as text": (FRAME.assign(at="2026-01-02"), "times go in as datetimes (pandas.to_datetime)"),
    "answers in words": (FRAME.assign(age="yes"), "column 'age': holds text, such as 'yes'"),
    "zones and none": (
        FRAME.assign(at=[pd.Timestamp("2026-01-01", tz="UTC"), *pd.date_range("2026-01-02", periods=4)]),
        "some of its times have a time zone and others have none",
    ),
    "the year 1, in the east": (
        Sequence(
            ROWS, events=(EventInfo(time=dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))),)
        ),
        "is not between the years 1 and 9999 in UTC",
    ),
    "no time": (
        Sequence(ROWS, events=(EventInfo(time=pd.NaT),) * 5),
        "events.time: must be a datetime, not NaT",
    ),
    "one EventInfo": (
        Sequence(ROWS, events=EventInfo("a")),
        "must be a list with one EventInfo for each event",
    ),
    "one event": (
        ROWS[0],
        "has shape (3,), but input 'x' takes (events, 3); is it a single event? Put it in a list",
    ),
    "several sequences": (
        np.stack([ROWS, ROWS]),
        "are these several sequences? Send one sequence per request",
    ),
    "names in capitals": (FRAME.rename(columns=str.upper), "did you mean 'AMOUNT' for 'amount'"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_names_the_way_out(ask: Ask, kind: str) -> None:
    sent, words = REFUSED[kind]
    with pytest.raises(CallerError) as failed:
        ask(sent)
    assert words in str(failed.value)


@pytest.mark.parametrize(
    ("background", "words"),
    [
        (FRAME.describe(), "its rows are statistics, as describe() gives"),
        (Path("b.npy"), "the background: 'b.npy' is text"),
        (pd.Series([0.0, 0, 0], index=[2, 0, 1]), "missing: amount, age, hours"),
    ],
    ids=["describe", "path", "numbered otherwise"],
)
def test_backgrounds_that_are_refused(ask: Ask, background: Any, words: str) -> None:
    with pytest.raises(CallerError) as failed:
        ask(background=background)
    assert words in str(failed.value)


def test_the_sequence_itself_as_background(ask: Ask) -> None:
    """Nothing is left to explain, and the answer says so."""
    answer = ask(FRAME, FRAME)
    assert [each.reason for each in answer.warnings] == ["SEQUENCE_EQUALS_BACKGROUND"]
    assert "warning SEQUENCE_EQUALS_BACKGROUND: The sequence equals" in repr(answer)
    tiled = FRAME.assign(**dict.fromkeys(NAMES, 0.0))  # an average event all through is no mistake
    assert "SEQUENCE_EQUALS_BACKGROUND" not in [each.reason for each in ask(tiled, ZERO).warnings]
    almost = FRAME.copy()
    almost.iloc[0, 0] += 1
    assert "SEQUENCE_EQUALS_BACKGROUND" not in [each.reason for each in ask(FRAME, almost).warnings]


def test_warnings_of_a_background_stay(ask: Ask) -> None:
    """The second question sends the background's digest alone; what was said of the first holds for it too."""
    samples = np.random.default_rng(8).normal(size=(50, 3))
    for seed in (1, 2):
        reasons = [each.reason for each in ask(background=samples, seed=seed).warnings]
        assert "BACKGROUND_LONGER_THAN_SEQUENCE" in reasons


def test_naive_timestamps_and_missing_ids(ask: Ask) -> None:
    """A pandas Timestamp without a zone is local time as any datetime; an index value that is missing is no id."""
    when = pd.Timestamp("2026-01-01 12:00")
    answer = ask(Sequence(ROWS, events=tuple(EventInfo(time=when) for _ in ROWS)))
    assert answer.event_values[0].info.time == when.to_pydatetime().astimezone(dt.UTC)
    named = ask(FRAME.set_index(pd.Index(["a", None, "c", "d", "e"])))
    assert [each.info.id for each in named.event_values] == ["e", "d", "c", "", "a"]


@pytest.mark.parametrize("targets", [np.int64(0), np.array(0), np.array([0]), np.str_("score")], ids=repr)
def test_targets_by_numpys_numbers(ask: Ask, sequela: Sequela, model: Path, targets: Any) -> None:
    assert ask(targets=targets).targets[0].name == "score"
    assert sequela.score(ROWS, model=model, targets=targets).targets == ("score",)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s, m: s.get_model(5), "name: must be a string, not 5 of type int"),
        (lambda s, m: list(s.list_explanations(page_size="9")), "page_size: must be a whole number"),
        (lambda s, m: s.score(ROWS, model=m, output_event="0"), "output_event: must be a whole number"),
        (lambda s, m: s.score(None, model=m), "sequences: must be an iterable of sequences, not None"),
        (lambda s, m: s.score([ROWS, "a"], model=m), "sequences[1]: the sequence: 'a' is text"),
        (lambda s, m: list(s.explain_many(FRAME, model=m)), "not one DataFrame; send a list of sequences"),
        (
            lambda s, m: list(s.explain_many(FRAME.to_dict("records"), model=m)),
            "not rows with names, which are one sequence; send [rows]",
        ),
        (lambda s, m: list(s.explain_many(5, model=m)), "sequences: must be an iterable of sequences, not 5"),
        (
            lambda s, m: s.average_background("b", FRAME, model=m),
            "not one DataFrame; send a list of sequences",
        ),
        (
            lambda s, m: s.average_background("b", FRAME.groupby("age"), model=m),
            "sequences[0]: a key and a table, as groupby gives; send (table for _, table in groups)",
        ),
        (
            lambda s, m: s.explain(ROWS, model=m, levels=5),
            "levels: must be one of event, feature, cell, not 5",
        ),
        (lambda s, m: s.explain(ROWS, model=m, targets=True), "targets: must be names or column numbers"),
        (
            lambda s, m: s.explain(ROWS, model=m, labels=pd.Series({"a": "b"})),
            "labels: must be a mapping, not a b",
        ),
        (
            lambda s, m: s.explain(ROWS, model="net.pt"),
            "'net.pt' is not an ONNX file; export the model to ONNX",
        ),
        (lambda s, m: s.explain(ROWS, model=b"onnx"), "a model in memory has to be exported to a file first"),
        (lambda s, m: s.explain(ROWS, model=m.parent), "name the model.onnx in it"),
    ],
)
def test_wrong_arguments(
    sequela: Sequela, model: Path, call: Callable[[Sequela, Path], Any], words: str
) -> None:
    """Errors of the client's own kind, that name the argument."""
    with pytest.raises(CallerError) as failed:
        call(sequela, model)
    assert words in str(failed.value)


MIXED = [ROWS, FRAME.assign(amount="x"), FRAME[["amount"]], np.ma.masked_greater(ROWS, 1), FRAME]
OUTCOMES = [None, "NOT_AN_ARRAY", "COLUMNS_DIFFER", "NOT_AN_ARRAY", None]


def test_one_wrong_sequence_of_a_stream_fails_alone(sequela: Sequela, model: Path) -> None:
    """Whether the client or the server refuses it; the last may be the one that fails, or all of them."""
    whole = sequela.explain(ROWS, model=model, background=ZERO).score
    for sent in (MIXED, MIXED[:-1], MIXED[1:2]):
        found = list(sequela.explain_many(sent, model=model, background=ZERO))
        at = [position for position, each in enumerate(MIXED) if any(each is other for other in sent)]
        assert [each.index for each in found] == list(range(len(sent)))
        assert [each.error and each.error.reason for each in found] == [OUTCOMES[position] for position in at]
        assert {each.unwrap().score for each in found if each.error is None} <= {whole}


def test_asyncio_streams_fail_the_same_way(real: str, model: Path) -> None:
    """Each for itself; an error of the caller's own iterator comes back as it is, and never as a cancelled task."""

    async def broken() -> AsyncIterator[Any]:
        yield ROWS
        raise ZeroDivisionError("mine")

    async def use() -> list[str | None]:
        async with AsyncSequela(real, timeout=30) as sequela:
            asked = sequela.explain_many(MIXED, model=model, background=ZERO)
            found = [each.error and each.error.reason async for each in asked]
            with pytest.raises(ZeroDivisionError, match="mine"):
                _ = [each async for each in sequela.explain_many(broken(), model=model, background=ZERO)]
            with pytest.raises(ZeroDivisionError, match="mine"):
                await sequela.average_background("b", broken(), model=model)
            return found

    assert asyncio.run(use()) == OUTCOMES


def test_inputs_without_names(sequela: Sequela) -> None:
    """One table for a model of several inputs, and a static input that lies along another axis."""
    rows, kinds = ROWS, np.ones((5, 2), int)
    whole = {"numeric": rows, "ids": kinds, "profile": [0.3, -1.0], "region": 1}
    background = {"numeric": ZERO, "ids": [0, 0], "profile": [0, 0], "region": 0}
    several = str(BY_NAME["multi_input"].path)
    assert sequela.explain(whole, model=several, background=background).length == len(rows)
    for sent, words in (
        (
            FRAME,
            "an array was sent without a name, but the model has several inputs; send one array for each of "
            "numeric, ids, profile, region",
        ),
        (whole | {"profile": pd.Series([0.3, -1.0])}, "send its values along one axis, as in x.ravel()"),
    ):
        with pytest.raises(CallerError) as failed:
            sequela.explain(sent, model=several, background=background)
        assert words in str(failed.value)
