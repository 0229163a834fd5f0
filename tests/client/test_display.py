"""A model's features say how their numbers are shown, and the client shows them as the server does."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client import file_models as models
from hypothesis import given
from hypothesis import strategies as st
from matrix import BY_NAME
from onnx import TensorProto
from sequela_client import Display, Explanation, Model, Sequela

SHOWN = {
    "amount": {"mean": 4.0, "scale": 1.5, "transform": "log1p"},
    "age": {"mean": 40.0, "scale": -12.0, "decimals": 0},
    "plain": {},
    "fine": {"scale": 0.001, "decimals": 5},
}
ROWS = np.array(
    [
        [0.25, 1.5, 1e-7, 3.0],
        [-2.7, 0.01, -0.004, -0.001],
        [10.0, -3.4, 0.0, 0.5],
        [-4.0, 3.3333334, 1234567.9, -2.0],
        [-2.6666667, 3.375, -0.0, 1e-9],
    ],
    np.float32,
)


def asked(real: str, path: Path, rows: Any, **schema: Any) -> tuple[Model, Explanation]:
    """The description of a new model, and an explanation in which every event is shown."""
    written = models.written(path, models.weighted(len(rows[0]), schema.pop("kind", models.FLOAT)), schema)
    with Sequela(real, timeout=30) as sequela:
        found = sequela.register_model(written)
        background = np.zeros(len(rows[0]), rows.dtype)
        made = sequela.explain(
            rows, model=written, background=background, levels=["event"], pruning_tolerance=0
        )
    assert len(made.event_values) == len(rows)
    return found, made


def test_every_text_is_the_servers(real: str, tmp_path: Path) -> None:
    """Large and small numbers, zeros of both signs, ties, with and without a transformation."""
    features = [
        {"name": name, "columns": {"x": [at]}, "display": display}
        for at, (name, display) in enumerate(SHOWN.items())
    ]
    model, made = asked(real, tmp_path / "shown", ROWS, features=features)
    assert [feature.display for feature in model.features] == [Display(**each) for each in SHOWN.values()]
    for event in made.event_values:
        row = ROWS[event.t - 1]
        for feature, x in zip(model.features, row, strict=True):
            assert feature.display is not None
            assert feature.display.text(x) == event.values[feature.name]


def test_the_columns_of_a_group_are_shown_one_by_one(real: str, tmp_path: Path) -> None:
    """And flags are words."""
    group = [
        {"name": "both", "kind": "group", "columns": {"x": [0, 1]}, "display": {"mean": 1.0, "decimals": 1}}
    ]
    model, made = asked(real, tmp_path / "group", ROWS[:, :2], features=group)
    (display,) = (feature.display for feature in model.features)
    assert display is not None
    for event in made.event_values:
        assert ", ".join(map(display.text, ROWS[event.t - 1, :2])) == event.values["both"]
    flags = np.array([[True], [False]])
    model, made = asked(real, tmp_path / "flags", flags, kind=TensorProto.BOOL, **models.features("flag"))
    (feature,) = model.features
    assert feature.display is not None
    assert [event.values[feature.name] for event in made.event_values] == ["no", "yes"]
    assert [feature.display.text(flags[event.t - 1, 0]) for event in made.event_values] == ["no", "yes"]


def test_categories_have_names_and_no_numbers(real: str) -> None:
    """Neither one-hot features nor ids are numbers to show; a model without a schema has the default."""
    with Sequela(real) as sequela:
        for name in ("one_hot", "multi_input", "gru"):
            for feature in sequela.register_model(BY_NAME[name].path).features:
                assert (feature.display is None) == (feature.kind in ("categorical", "one_hot"))
        (listed, *_) = sequela.models()
        assert sequela.get_model(listed.name) == listed


@given(
    st.builds(
        Display,
        st.sampled_from(["none", "log1p"]),
        st.floats(-5, 5),
        st.floats(0.01, 4).map(lambda scale: -scale) | st.floats(0.01, 4),
        st.integers(0, 6),
    ),
    st.floats(-3, 3),
)
def test_encoding_inverts_showing(display: Display, x: float) -> None:
    """Within what a 64-bit float keeps."""
    assert display.encoded(display.shown(x)) == pytest.approx(x, rel=1e-6, abs=1e-6)


def test_numbers_that_have_no_value() -> None:
    """Missing ones, ones outside the logarithm, and ones beyond the largest float."""
    amount = Display("log1p", 4.0, 1.5)
    assert (amount.text(nan), Display().text(nan)) == ("missing", "missing")
    assert (amount.shown(1e6), amount.text(1e6)) == (inf, "inf")
    assert np.isnan(amount.encoded(-2.0))
    assert amount.encoded(-1.0) == -inf
