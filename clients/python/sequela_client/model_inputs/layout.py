"""The inputs of a model and the columns of its features, as the server or a schema.json describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela_client.resources import Model, ModelFeature, ModelInput


@dataclass(frozen=True, slots=True)
class Layout:
    """The inputs that take values, and the features in them."""

    inputs: tuple[ModelInput, ...]
    features: tuple[ModelFeature, ...]

    @property
    def events(self) -> tuple[ModelInput, ...]:
        """The event inputs."""
        return tuple(item for item in self.inputs if item.role == "events")

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(feature.name for feature in self.features)

    @property
    def unnamed(self) -> bool:
        """Whether the features have default names, which do not help to find columns in a file."""
        return all(map(_is_inferred, self.features))

    def owner(self, name: str, column: int) -> tuple[ModelFeature, int]:
        """Returns the feature of a column of an input, and the column's place among those of the feature."""
        for feature in self.features:
            places = [(each, at) for each, columns in feature.columns.items() for at in columns]
            if (name, column) in places:
                return feature, places.index((name, column))
        return ModelFeature(f"{name}.{column}", "", "", "", False), 0


def _is_inferred(feature: ModelFeature) -> bool:
    places = [(name, column) for name, columns in feature.columns.items() for column in columns]
    if len(places) != 1:
        return False
    name, column = places[0]
    return feature.name in (f"f{column}", f"{name}.f{column}", f"{name}.{column}", name)


def layout_of(model: Model) -> Layout | None:
    """The layout of a model; None if its inputs or the columns of its features are not known."""
    inputs = tuple(item for item in model.inputs if item.role in ("events", "static"))
    # Features whose columns are not known cannot be matched.
    known = all(feature.columns for feature in model.features)
    return Layout(inputs, model.features) if inputs and model.features and known else None


def schema_layout(path: Path) -> Layout | None:
    """Returns the layout in a schema.json that names features, else None. The server reports what is wrong with it."""
    try:
        schema = json.loads(path.read_bytes())
        features = tuple(map(_feature, schema["features"]))
        inputs = tuple(map(_input, schema.get("inputs", ()))) or _input_of(features)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    carrying = tuple(item for item in inputs if item.role in ("events", "static"))
    return Layout(carrying, features) if carrying and features else None


def _feature(item: Mapping[str, Any]) -> ModelFeature:
    return ModelFeature(
        item["name"],
        item.get("label", ""),
        item.get("unit", ""),
        item.get("description", ""),
        False,
        item.get("kind", "numeric"),
        tuple(item.get("categories", ())),
        {name: tuple(columns) for name, columns in item["columns"].items()},
    )


def _input(item: Mapping[str, Any]) -> ModelInput:
    return ModelInput(
        item["name"],
        item["role"],
        item.get("dtype", "float32"),
        item.get("width", 1),
        allow_nan=bool(item.get("allow_nan", False)),
    )


def _input_of(features: tuple[ModelFeature, ...]) -> tuple[ModelInput, ...]:
    """Returns the only input that the features name; nothing if they name several."""
    names = {name for feature in features for name in feature.columns}
    columns = [column for feature in features for each in feature.columns.values() for column in each]
    return (ModelInput(names.pop(), "events", "float32", max(columns) + 1),) if len(names) == 1 else ()
