"""Raw values as people read them."""

from __future__ import annotations

import numpy as np
from sequela.explain.layout import layout
from sequela.explain.result.display import event_values
from sequela.explain.schema import FeatureKind, FeatureSchema, InputSchema, ModelSchema, Role
from sequela.timeshap.cells import Cells


def test_what_is_missing_is_said() -> None:
    """NaN is no number, no category and no column of a one-hot feature."""
    schema = ModelSchema(
        inputs=(InputSchema("x", Role.EVENTS, width=6, allow_nan=True),),
        features=(
            FeatureSchema("amount", {"x": (0,)}),
            FeatureSchema("kind", {"x": (1,)}, FeatureKind.CATEGORICAL, categories=("a", "b")),
            FeatureSchema("city", {"x": (2, 3)}, FeatureKind.ONE_HOT, categories=("Berlin", "Lima")),
            FeatureSchema("place", {"x": (4, 5)}, FeatureKind.GROUP),
        ),
    )
    rows = np.full((2, 6), np.nan, np.float32)
    rows[1] = [1, 1, 0, 1, 2, np.nan]
    cells = Cells((rows,))
    assert event_values(layout(schema), cells, (0, 1)) == [
        ("missing", "missing", "missing", "missing"),
        ("1.00", "b", "Lima", "2.00, missing"),
    ]
    assert event_values(layout(schema), cells, ()) == []
