"""What a caller can get wrong about arrays: each is refused with its path and reason; what fits keeps its meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import loaded, named
from matrix import BY_NAME
from plain_scorer import PlainScorer
from sequela.errors import DoesNotFit, InvalidInput, SequelaError
from sequela.explain.inputs.preparation import PreparedSequence, prepare_background, prepare_sequence
from sequela.explain.limits import Limits
from sequela.explain.request import EventInfo, GivenBackground, GivenSequence, NamedArray

LIMITS = Limits(max_events=100, max_background_rows=50)


def fit(case: str, notes: tuple[EventInfo, ...] = (), **arrays: Any) -> PreparedSequence:
    model = loaded(BY_NAME[case])
    given = GivenSequence(named({name: np.asarray(array) for name, array in arrays.items()}), notes)
    return prepare_sequence(model.info.schema, model.info.fixed_length, given, LIMITS)


def refused(
    kind: type[SequelaError], case: str, notes: tuple[EventInfo, ...] = (), **arrays: Any
) -> SequelaError:
    with pytest.raises(kind) as caught:
        fit(case, notes, **arrays)
    return caught.value


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def with_value(value: float) -> np.ndarray:
    array = numbers(6, 5)
    array[3, 2] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "path", "reason", "said"),
    [
        ({"nobody": numbers(6, 5)}, "sequence.inputs[0].name", "INPUT_UNKNOWN", "its inputs are events"),
        ({}, "sequence.inputs", "INPUT_MISSING", "'events'"),
        ({"events": numbers(6, 4)}, "sequence.inputs[0].tensor.shape", "SHAPE_MISMATCH", "(events, 5)"),
        ({"events": numbers(2, 6, 5)}, "sequence.inputs[0].tensor.shape", "SHAPE_MISMATCH", "(2, 6, 5)"),
        ({"events": numbers(0, 5)}, "sequence.inputs[0].tensor.shape", "NO_EVENTS", "at least one"),
        ({"events": with_value(np.nan)}, "sequence.inputs[0].tensor", "TENSOR_NOT_FINITE", "[3, 2]"),
        ({"events": with_value(-np.inf)}, "sequence.inputs[0].tensor", "TENSOR_NOT_FINITE", "[3, 2]"),
        (
            {"events": with_value(1e300)},
            "sequence.inputs[0].tensor",
            "TENSOR_OUT_OF_RANGE",
            "1e+300 at [3, 2]",
        ),
        ({"events": with_value(np.nan)}, "sequence.inputs[0].tensor", "TENSOR_NOT_FINITE", "allow_nan"),
        (
            {"events": numbers(101, 5)},
            "sequence.inputs",
            "TOO_MANY_EVENTS",
            "101 events exceed the limit of 100",
        ),
    ],
)
def test_a_single_input_is_checked(arrays: dict[str, Any], path: str, reason: str, said: str) -> None:
    """Unknown or missing names, shapes, empty, not finite, too many: path, reason, value and limit are named."""
    error = refused(InvalidInput, "gru", **arrays)
    assert (error.violations[0].field, error.reason) == (path, reason)
    assert said in error.message


def test_an_input_sent_twice_is_refused() -> None:
    """Two tensors for one input; an empty name means the only data input."""
    model = loaded(BY_NAME["gru"])
    twice = GivenSequence((NamedArray("events", numbers(6, 5)), NamedArray("", numbers(6, 5))))
    with pytest.raises(InvalidInput) as caught:
        prepare_sequence(model.info.schema, None, twice, LIMITS)
    assert caught.value.reason == "INPUT_REPEATED"


def test_inputs_of_different_lengths_are_refused() -> None:
    """Every event input has the same number of events."""
    sample = BY_NAME["multi_input"].sample(6)
    error = refused(InvalidInput, "multi_input", **sample | {"ids": sample["ids"][:5]})
    assert error.reason == "LENGTHS_DIFFER"
    assert "numeric 6, ids 5" in error.message


@pytest.mark.parametrize("value", [0.5, 2.0**63, -(2.0**64)])
def test_ids_must_be_whole_numbers_in_range(value: float) -> None:
    """A fraction or an overflow does not become some other category."""
    sample = BY_NAME["multi_input"].sample(6)
    ids = sample["ids"].astype(float)
    ids[2, 1] = value
    error = refused(InvalidInput, "multi_input", **sample | {"ids": ids})
    assert error.reason == "DTYPE_MISMATCH"
    assert "[2, 1]" in error.message


def test_types_that_keep_their_meaning_convert() -> None:
    """float64 and integers become float32, whole floats become ids."""
    sample = BY_NAME["multi_input"].sample(6)
    prepared = fit("multi_input", **sample | {"ids": sample["ids"].astype(np.float64)})
    assert prepared.cells.events[1].dtype == np.int64
    assert np.array_equal(prepared.cells.events[1], sample["ids"])
    assert fit("gru", events=np.ones((3, 5), dtype=np.int32)).cells.events[0].dtype == np.float32


def test_notes_must_match_the_real_events() -> None:
    """None, or one for each real event."""
    error = refused(InvalidInput, "gru", (EventInfo("a"), EventInfo("b")), events=numbers(3, 5))
    assert (error.violations[0].field, error.reason) == ("sequence.events", "EVENT_INFO_COUNT")
    assert fit("gru", tuple(EventInfo(str(i)) for i in range(3)), events=numbers(3, 5)).cells.length == 3


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        ([1, 0, 1, 1], "MASK_HAS_HOLES"),
        ([0, 0, 0, 0], "NO_EVENTS"),
        ([1, 2, 1, 1], "MASK_INVALID"),
        ([1, 1, 1], "SHAPE_MISMATCH"),
    ],
)
def test_a_mask_must_leave_consecutive_events(mask: list[float], reason: str) -> None:
    """Holes, nothing left, values other than 0 and 1, another length."""
    error = refused(InvalidInput, "masked", events=numbers(4, 4), mask=np.array(mask, dtype=np.float32))
    assert error.reason == reason
    assert error.violations[0].field.startswith("sequence.inputs[1].tensor")


@pytest.mark.parametrize("length", [0, 5, -1, 1.5])
def test_a_length_must_lie_within_what_was_sent(length: float) -> None:
    """A length input counts real events among those sent."""
    error = refused(InvalidInput, "lengths", events=numbers(4, 4), length=np.array(length))
    assert error.reason == "LENGTH_INVALID"


def test_padding_belongs_to_nobody_and_keeps_its_values() -> None:
    """Masked events are no cells; what stood there goes to the model unchanged."""
    case = BY_NAME["masked"]
    padded = numbers(7, 4).astype(np.float32)
    mask = np.array([0, 0, 1, 1, 1, 1, 0], dtype=np.float32)
    prepared = fit("masked", events=padded, mask=mask)
    assert np.array_equal(prepared.cells.events[0], padded[2:6])
    assert np.array_equal(prepared.padding.before[0], padded[:2])
    assert np.array_equal(prepared.padding.after[0], padded[6:])
    found = loaded(case).run(prepared.cells.as_batch(), prepared.padding, 0)
    wanted = PlainScorer(case.path, case.inputs).run({"events": padded[None], "mask": mask[None]}, 0, 1)
    np.testing.assert_allclose(found, np.reshape(wanted, found.shape), atol=1e-6)


def test_a_fixed_length_model_takes_no_more() -> None:
    """More events than its length are refused with both numbers."""
    error = refused(InvalidInput, "fixed_left", events=numbers(9, 4))
    assert error.reason == "TOO_MANY_EVENTS"
    assert "9 events were sent, but the model has a fixed time axis of 8" in error.message


def test_a_fixed_length_model_needs_to_know_its_side_of_padding() -> None:
    """Fewer events and no padding side in the schema: what to add is named."""
    model = loaded(BY_NAME["batch_one"])
    given = GivenSequence(named({"events": numbers(5, 4)}))
    with pytest.raises(DoesNotFit) as caught:
        prepare_sequence(model.info.schema, 8, given, LIMITS)
    assert caught.value.reason == "PADDING_UNKNOWN"


def test_a_background_is_checked_like_a_sequence() -> None:
    """Its rows, its values, its limit."""
    schema = loaded(BY_NAME["gru"]).info.schema
    for array, reason in (
        (numbers(4), "SHAPE_MISMATCH"),
        (numbers(51, 5), "BACKGROUND_TOO_LONG"),
        (np.full(5, np.inf), "TENSOR_NOT_FINITE"),
    ):
        with pytest.raises(InvalidInput) as caught:
            prepare_background(schema, GivenBackground(named({"events": array})), LIMITS, "background.values")
        assert caught.value.reason == reason
        assert caught.value.violations[0].field.startswith("background.values.inputs")


def test_a_background_matrix_gets_a_mean_event() -> None:
    """Older events than the matrix holds are its mean row (ids: the mode), unless one was sent."""
    case = BY_NAME["multi_input"]
    schema = loaded(case).info.schema
    sample = case.sample(5)
    background = prepare_background(schema, GivenBackground(named(sample)), LIMITS, "background")
    np.testing.assert_allclose(background.mean_event["numeric"], sample["numeric"].mean(axis=0), atol=1e-6)
    for column in range(2):
        values, counts = np.unique(sample["ids"][:, column], return_counts=True)
        assert background.mean_event["ids"][column] == values[counts.argmax()]
    events = {name: sample[name] for name in ("numeric", "ids")}
    mean = {name: array[0] for name, array in events.items()}
    sent = prepare_background(schema, GivenBackground(named(sample), named(mean)), LIMITS, "background")
    assert np.array_equal(sent.mean_event["numeric"], sample["numeric"][0])


def test_a_digest_does_not_depend_on_the_order_of_inputs() -> None:
    """The same values have one digest, and come back in the model's order."""
    schema = loaded(BY_NAME["multi_input"]).info.schema
    sample = BY_NAME["multi_input"].average()
    first = prepare_background(schema, GivenBackground(named(sample)), LIMITS, "b")
    turned = prepare_background(schema, GivenBackground(named(dict(reversed(sample.items())))), LIMITS, "b")
    assert first.digest == turned.digest
    changed = sample | {"profile": sample["profile"] + 1}
    assert prepare_background(schema, GivenBackground(named(changed)), LIMITS, "b").digest != first.digest


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("ids", -1, 'at least 0. If the column holds numbers, set the feature\'s "kind" to "numeric"'),
        ("region", 4, "from 0 to 3"),
    ],
)
def test_ids_outside_their_categories_are_refused(name: str, value: int, limit: str) -> None:
    """A model would take -1 for its last category: the id is named instead, in sequences and in backgrounds."""
    case = BY_NAME["multi_input"]
    sample = case.sample(6)
    sample[name] = sample[name].copy()
    sample[name][-1] = value
    error = refused(InvalidInput, "multi_input", **sample)
    assert error.reason == "CATEGORY_UNKNOWN"
    assert f"{value} is not an id of feature" in error.message
    assert limit in error.message
    with pytest.raises(InvalidInput):
        prepare_background(loaded(case).info.schema, GivenBackground(named(sample)), LIMITS, "background")


def test_padding_counts_towards_the_limit() -> None:
    """One real event among much padding: the padding is bounded like events."""
    padded, mask = numbers(101, 4), np.zeros(101)
    mask[-1] = 1
    assert refused(InvalidInput, "masked", events=padded, mask=mask).reason == "TOO_MANY_EVENTS"
