"""What can be chosen in the filters of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sequela_console.state.database import StateDatabase

MAX_VALUES = 100
"""Labels with more values, such as an account, are left out: nobody chooses one of thousands from a list."""


@dataclass(frozen=True, slots=True)
class FacetName:
    """A feature among the reasons of some alert, or a target, with what people call it."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Facets:
    """The models, their targets, the values of labels by key, and the features among the reasons."""

    models: tuple[str, ...]
    targets: tuple[FacetName, ...]
    labels: Mapping[str, tuple[str, ...]]
    features: tuple[FacetName, ...]


def facets(state: StateDatabase) -> Facets:
    """Returns what the alerts of the index have."""
    found = {key: tuple(_values(state, key)) for key in _distinct(state, "alert_label", "key")}
    labels = {key: values for key, values in found.items() if len(values) <= MAX_VALUES}
    features = [
        FacetName(name, _feature_label(state, name)) for name in _distinct(state, "alert_reason", "feature")
    ]
    return Facets(
        models=tuple(_distinct(state, "alert", "model")),
        targets=tuple(
            FacetName(name, _target_label(state, name)) for name in _distinct(state, "alert_target", "name")
        ),
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


def _target_label(state: StateDatabase, name: str) -> str:
    query = "SELECT label FROM alert_target WHERE name = ? LIMIT 1"
    return str(state.read.execute(query, (name,)).fetchone()[0])


def _feature_label(state: StateDatabase, name: str) -> str:
    query = "SELECT label FROM alert_reason WHERE feature = ? LIMIT 1"
    return str(state.read.execute(query, (name,)).fetchone()[0])
