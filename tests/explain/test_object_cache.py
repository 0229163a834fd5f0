"""What is worked out from a schema is kept as long as the schema, and no longer."""

from __future__ import annotations

import gc
import weakref

import numpy as np
from sequela.explain.inputs.columns import with_caller_names
from sequela.explain.layout import layout
from sequela.explain.object_cache import kept_for_object
from sequela.explain.request import NamedArray
from sequela.explain.schema import FeatureSchema, InputSchema, ModelSchema, Role


def schema(width: int = 2) -> ModelSchema:
    """A schema whose features have no names."""
    features = tuple(FeatureSchema(f"f{column}", {"x": (column,)}) for column in range(width))
    return ModelSchema(inputs=(InputSchema("x", Role.EVENTS, width=width),), features=features)


def test_a_result_is_kept_for_its_object() -> None:
    """Equal objects are different ones."""
    asked: list[ModelSchema] = []

    @kept_for_object
    def widths(given: ModelSchema) -> int:
        asked.append(given)
        return given.inputs[0].width

    one, other = schema(3), schema(3)
    assert [widths(one), widths(one), widths(other)] == [3, 3, 3]
    assert list(map(id, asked)) == [id(one), id(other)]


def test_nothing_outlives_its_schema() -> None:
    """Of a thousand models that come and go, neither schemas nor layouts nor names of columns stay."""
    layouts = []
    for number in range(1000):
        given = schema()
        names = (f"a{number}", f"b{number}")
        renamed = with_caller_names(given, (NamedArray("x", np.zeros((1, 2)), names),))
        assert tuple(feature.name for feature in renamed.features) == names
        assert with_caller_names(given, (NamedArray("x", np.zeros((1, 2)), names),)) is renamed
        assert layout(renamed) is layout(renamed)
        layouts.append(weakref.ref(layout(renamed)))
    del given, renamed
    gc.collect()
    assert not any(each() for each in layouts)
