"""Translates the names of a schema's inputs and features to the indices that the method works with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sequela.explain.object_cache import kept_for_object
from sequela.explain.schema import FeatureSchema, InputSchema, ModelSchema, Role
from sequela.timeshap.cells import Columns
from sequela.timeshap.players import Extent


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Layout:
    """A schema whose inputs, features and columns are identified by index.

    Attributes:
        events: The event inputs, in the order of `Cells.events`.
        static: The static inputs, in the order of `Cells.static`.
        features: The event features in the schema's order, then the feature of each static input.
        columns: For each event input, the index of the feature that each column belongs to.
    """

    events: tuple[InputSchema, ...]
    static: tuple[InputSchema, ...]
    features: tuple[FeatureSchema, ...]
    columns: Columns

    def extent(self, length: int) -> Extent:
        """Returns the extent of a sequence of `length` events: its numbers of events, features and static inputs."""
        return Extent(length, self.columns.features, self.columns.static)


@kept_for_object
def layout(schema: ModelSchema) -> Layout:
    """Returns the layout of a complete schema, in which each column belongs to exactly one feature."""
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
        features=over_events + tuple(of_static.get(item.name) or _feature_of_input(item) for item in static),
        columns=Columns(owners, features=len(over_events), static=len(static)),
    )


def _feature_of_input(item: InputSchema) -> FeatureSchema:
    return FeatureSchema(name=item.name, columns={item.name: tuple(range(item.width))})
