"""Where the features of a schema lie in the arrays: from names to the indices that the method uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sequela.explain.schema import FeatureSchema, InputSchema, ModelSchema, Role
from sequela.timeshap.cells import Columns
from sequela.timeshap.players import Extent


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A schema by index.

    Attributes:
        events: The event inputs, in the schema's order.
        static: The static inputs, in the schema's order.
        features: The event features in the schema's order, then one feature for each static input.
        columns: The feature index of every column.
    """

    events: tuple[InputSchema, ...]
    static: tuple[InputSchema, ...]
    features: tuple[FeatureSchema, ...]
    columns: Columns

    def extent(self, length: int) -> Extent:
        """The size of a sequence of `length` events."""
        return Extent(length, self.columns.features, self.columns.static)


def layout(schema: ModelSchema) -> Layout:
    """The layout of a schema. Every event column must belong to exactly one feature."""
    events = tuple(item for item in schema.inputs if item.role is Role.EVENTS)
    static = tuple(item for item in schema.inputs if item.role is Role.STATIC)
    # Static inputs are features as a whole, whatever columns the schema lists for them.
    static_names = {item.name for item in static}
    over_events = tuple(item for item in schema.features if not static_names & item.columns.keys())
    of_static = {name: item for item in schema.features for name in static_names & item.columns.keys()}
    owners = tuple(np.zeros(item.width, dtype=np.intp) for item in events)
    for index, feature in enumerate(over_events):
        for item, owner in zip(events, owners, strict=True):
            owner[list(feature.columns.get(item.name, ()))] = index
    return Layout(
        events=events,
        static=static,
        features=over_events + tuple(of_static.get(item.name) or _named_after(item) for item in static),
        columns=Columns(owners, features=len(over_events), static=len(static)),
    )


def _named_after(item: InputSchema) -> FeatureSchema:
    return FeatureSchema(name=item.name, columns={item.name: tuple(range(item.width))})
