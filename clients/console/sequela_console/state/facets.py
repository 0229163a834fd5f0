"""What can be chosen in the filters of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sequela_console.state.database import StateDatabase

MAX_VALUES = 100
"""A label with more values, such as an account, is left out: nobody chooses one of thousands from a list."""


@dataclass(frozen=True, slots=True)
class FeatureName:
    """A feature among the reasons of some alert."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Facets:
    """The models, the values of labels by key, and the features among the reasons."""

    models: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    features: tuple[FeatureName, ...]


def facets(state: StateDatabase) -> Facets:
    """Returns what the alerts of the index have."""
    found = {key: tuple(_values(state, key)) for key in _distinct(state, "alert_label", "key")}
    labels = {key: values for key, values in found.items() if len(values) <= MAX_VALUES}
    features = [
        FeatureName(name, _feature_label(state, name)) for name in _distinct(state, "alert_reason", "feature")
    ]
    return Facets(
        models=tuple(_distinct(state, "alert", "model")),
        labels=labels,
        features=tuple(sorted(features, key=lambda each: each.label.lower())),
    )


def _distinct(state: StateDatabase, table: str, column: str) -> Iterator[str]:
    """Yields the values of an indexed column. Each is one look into the index, however many rows have it."""
    query = f"SELECT MIN({column}) FROM {table} WHERE {column} > ?"  # noqa: S608 our own names
    value = ""
    while (value := state.read.execute(query, (value,)).fetchone()[0]) is not None:
        yield value


def _values(state: StateDatabase, key: str) -> Iterator[str]:
    """Yields the values of a label; one more than `MAX_VALUES` if there are too many."""
    query = "SELECT MIN(value) FROM alert_label WHERE key = ? AND value > ?"
    value, number = "", 0
    while number <= MAX_VALUES:
        value = state.read.execute(query, (key, value)).fetchone()[0]
        if value is None:
            return
        number += 1
        yield value


def _feature_label(state: StateDatabase, name: str) -> str:
    query = "SELECT label FROM alert_reason WHERE feature = ? LIMIT 1"
    return str(state.read.execute(query, (name,)).fetchone()[0])
