"""Models run from states give what they give whole, and what cannot be run from states is left whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from matrix import BY_NAME, CASES, FLOAT32, STATE_COUNTS, Case
from numpy.typing import NDArray
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit
from sequela.explain.ports import PaddingRows, Recurrence
from sequela.timeshap.cells import Cells
from structlog.testing import capture_logs
from sweeps import one_of_a_kind

ROWS = 300  # more than one batch of the service
REASONS = {
    "bidirectional_lstm": "LSTM '/layer/LSTM' runs in both directions",
    "keras_loop": "Loop 'sequential_1_1/gru_1/while_loop' is a loop, which is run whole",
    **dict.fromkeys(("lengths", "fixed_lengths"), "input 'length' marks which events are real"),
    "batch_one": "sequences in every call: 1",
    "batch_four": "sequences in every call: 4",
}
"""Why recurrent models are left whole; all others have no recurrent nodes."""
FROM_STATES = [BY_NAME[name] for name in sorted(STATE_COUNTS)]


@cache
def loaded(name: str) -> OnnxModel:
    path = BY_NAME[name].path
    schema = path.with_name("schema.json")
    given = schema.read_bytes() if schema.exists() else b""
    return Loader().load(name, ModelBytes(path.read_bytes(), given, "onnx", "schema"))


def recurrence_of(model: OnnxModel) -> Recurrence:
    assert model.recurrence is not None
    return model.recurrence


def cells_of(case: Case, rows: int, length: int) -> Cells:
    samples = [case.sample(length, seed) for seed in range(rows)]
    stacked = {item.name: np.stack([sample[item.name] for sample in samples]) for item in case.values()}
    return Cells(
        tuple(stacked[item.name] for item in case.inputs if item.role == "events"),
        tuple(stacked[item.name] for item in case.inputs if item.role == "static"),
    )


def whole(model: OnnxModel, cells: Cells) -> NDArray[np.float64]:
    empty = tuple(np.empty((0, a.shape[-1]), a.dtype) for a in cells.events)
    return model.run(cells, PaddingRows(empty, empty), 0)


def part(cells: Cells, start: int, end: int) -> Cells:
    return Cells(tuple(events[:, start:end] for events in cells.events), cells.static)


def in_parts(recurrence: Recurrence, cells: Cells, cuts: Sequence[int]) -> NDArray[np.float64]:
    """The outputs after the last event, the sequence cut before these events."""
    *earlier, last = (part(cells, *ends) for ends in pairwise((0, *cuts, cells.length)))
    states = recurrence.initial(len(cells.events[0]))
    for piece in earlier:
        states = recurrence.advance(piece, states)
    return recurrence.finish(last, states)


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_exactly_these_models_run_from_states_and_the_others_say_why(case: Case) -> None:
    """`execution` says it, naming the node where it is one."""
    model = loaded(case.name)
    if case.name in STATE_COUNTS:
        assert len(recurrence_of(model).initial(1)) == STATE_COUNTS[case.name]
        assert model.execution.startswith("from states: ")
    else:
        assert model.recurrence is None
        reason = REASONS.get(case.name, "it has no recurrent nodes")
        assert model.execution.startswith(f"whole graph: {reason}; ")


@pytest.mark.parametrize("case", one_of_a_kind(FROM_STATES), ids=str)
def test_from_states_is_the_whole_model(case: Case) -> None:
    """Cut at random places, and event by event, in many rows: the same to float32 noise."""
    model = loaded(case.name)
    length = case.steps or 9
    cells = cells_of(case, ROWS, length)
    expected = whole(model, cells)
    rng = np.random.default_rng(0)
    random = [sorted(rng.choice(np.arange(1, length), 2, replace=False).tolist()) for _ in range(3)]
    for cuts in ([], [1], [length - 1], range(1, length), *random):
        found = in_parts(recurrence_of(model), cells, cuts)
        np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32 * max(1.0, abs(expected).max()))


@pytest.mark.parametrize("case", one_of_a_kind(FROM_STATES), ids=str)
def test_states_matter(case: Case) -> None:
    """Without the states of the events before, the outputs are others: the test above tests something."""
    model = loaded(case.name)
    cells = cells_of(case, 20, case.steps or 5)
    expected = whole(model, cells)
    forgetful = recurrence_of(model).finish(
        part(cells, cells.length - 1, cells.length), recurrence_of(model).initial(20)
    )
    assert abs(forgetful - expected).max() > 1e-3 * abs(expected).max()


@pytest.mark.parametrize("name", ["fixed_left", "per_event_right"])
def test_a_fixed_length_does_not_bind_the_states(name: str) -> None:
    """A GRU whose input declares 8 events runs 3 from states as it does 8: what came before is in them."""
    case, model = BY_NAME[name], loaded(name)
    cells = cells_of(case, 4, 8)
    recurrence = recurrence_of(model)
    states = recurrence.advance(part(cells, 0, 5), recurrence.initial(4))
    np.testing.assert_allclose(
        recurrence.finish(part(cells, 5, 8), states), whole(model, cells), atol=FLOAT32
    )


@pytest.mark.parametrize(
    ("name", "enters"), [("account", (False, True)), ("multi_input", (False, False)), ("gru", ())]
)
def test_static_inputs_enter_the_states_or_the_head(name: str, enters: tuple[bool, ...]) -> None:
    """As the models are made; and the states move with exactly those static inputs."""
    case, recurrence = BY_NAME[name], recurrence_of(loaded(name))
    assert recurrence.static_enters == enters
    cells = cells_of(case, 2, 4)
    before = recurrence.advance(cells, recurrence.initial(2))
    for place, does in enumerate(enters):
        static = list(cells.static)
        static[place] = (static[place] + 1) % 4
        (after,) = recurrence.advance(Cells(cells.events, tuple(static)), recurrence.initial(2))
        assert (abs(after - before[0]).max() > 1e-3) == does


def test_states_are_rows() -> None:
    """(n, width) each, in the order of the layers; an LSTM's hidden state, then its cell."""
    recurrence = recurrence_of(loaded("keras_gru"))
    assert [state.shape for state in recurrence.initial(5)] == [(5, 6)] * 3
    advanced = recurrence.advance(cells_of(BY_NAME["keras_gru"], 5, 2), recurrence.initial(5))
    assert [state.shape for state in advanced] == [(5, 6)] * 3
    assert [state.shape for state in recurrence.initial(0)] == [(0, 6)] * 3


def test_rows_can_be_taken_from_states() -> None:
    """What one prefix left serves many suffixes: repeated, reordered and strided states are taken as given."""
    case, model = BY_NAME["lstm"], loaded("lstm")
    recurrence, cells = recurrence_of(model), cells_of(case, 6, 5)
    states = recurrence.advance(part(cells, 0, 3), recurrence.initial(6))
    order = np.array([3, 3, 0, 5])
    chosen = Cells(tuple(events[order] for events in cells.events))
    found = recurrence.finish(part(chosen, 3, 5), tuple(np.asfortranarray(s)[order] for s in states))
    np.testing.assert_allclose(found, whole(model, cells)[order], rtol=0, atol=FLOAT32)


def test_what_the_model_fails_on_is_told_as_by_the_whole_model() -> None:
    """An id that no embedding has: MODEL_FAILED. NaN states: MODEL_OUTPUT_NOT_FINITE."""
    recurrence = recurrence_of(loaded("keras_ids"))
    cells = Cells((np.full((1, 2, 1), 99, dtype=np.int32),))
    with pytest.raises(DoesNotFit) as failed:
        recurrence.advance(cells, recurrence.initial(1))
    assert failed.value.reason == "MODEL_FAILED"
    lost = tuple(np.full_like(state, np.nan) for state in recurrence.initial(1))
    with pytest.raises(DoesNotFit) as unreadable:
        recurrence.finish(Cells((np.zeros((1, 2, 1), dtype=np.int32),)), lost)
    assert unreadable.value.reason == "MODEL_OUTPUT_NOT_FINITE"


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("gru", 3 * 8 * (5 + 8) + 8),
        ("lstm", 4 * 8 * (4 + 8) + 8),
        ("multi_input", 3 * 10 * (9 + 10) + 15),
        ("conv", 3 * 5 * 8 + 16),
        ("account", 8 * 7 + 3 * 8 * (7 + 8) + 10),
        ("constant", 1),
    ],
)
def test_work_counts_the_weights_that_an_event_is_multiplied_by(name: str, work: int) -> None:
    """Layers and head, whether they run from states or not; embedding tables cost nothing; at least one."""
    assert loaded(name).work(1) == work
    assert loaded(name).work(7) == (7 * work if name != "constant" else 1)


@pytest.mark.parametrize("name", ["gru", "bidirectional_lstm"])
def test_one_log_line_says_how_a_model_is_run(name: str) -> None:
    """The same words as `execution`, whoever loads it."""
    with capture_logs() as logged:
        model = Loader().load("m", ModelBytes(BY_NAME[name].path.read_bytes(), b"", "onnx", "schema"))
    (line,) = logged
    assert (line["event"], line["model"], line["execution"]) == ("model loaded", "m", model.execution)


def test_advancing_does_not_compute_the_head() -> None:
    """A region that the head's embedding does not know stops `finish` alone."""
    recurrence = recurrence_of(loaded("multi_input"))
    known = cells_of(BY_NAME["multi_input"], 2, 3)
    cells = Cells(known.events, (known.static[0], np.full((2, 1), 99)))
    states = recurrence.advance(cells, recurrence.initial(2))
    with pytest.raises(DoesNotFit, match="Gather"):
        recurrence.finish(cells, states)


def test_calls_end_at_their_time() -> None:
    """A time that has passed: DeadlinePassed, from `advance` and `finish` alike."""
    recurrence, cells = recurrence_of(loaded("gru")), cells_of(BY_NAME["gru"], 2, 3)
    for call in (recurrence.advance, recurrence.finish):
        with pytest.raises(DeadlinePassed):
            call(cells, recurrence.initial(2), time.monotonic() - 1)


def test_a_graph_that_nobody_thought_of_is_run_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in taking a model apart does not keep it from being used; the log has it."""

    def fail(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr("sequela.adapters.onnx.stateful.conversion.label_values", fail)
    with capture_logs() as logged:
        model = Loader().load("m", ModelBytes(BY_NAME["gru"].path.read_bytes(), b"", "onnx", "schema"))
    assert model.recurrence is None
    assert model.execution.startswith("whole graph: IndexError during the analysis of its graph; ")
    assert [line["event"] for line in logged] == ["model analysis failed", "model loaded"]
