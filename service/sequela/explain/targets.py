"""The outputs that a question is about: named ones, or by default those that a reader wants first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.schema import ModelSchema


@dataclass(frozen=True, slots=True)
class Targets:
    """The outputs to explain: their columns, names and labels.

    highest: None where they are known. Else these are all outputs, of which so many are explained once they are
    scored: those with the highest raw scores, the highest first.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    highest: int | None = None

    def by_score(self, raw: NDArray[np.float64]) -> list[int]:
        """Which of these to explain, in order, given their raw scores (columns,); ties keep the model's order."""
        if self.highest is None:
            return list(range(len(self.columns)))
        return [int(each) for each in np.argsort(-raw, kind="stable")[: self.highest]]

    def picked(self, order: list[int]) -> Targets:
        """Some of them, in this order; they are known then."""
        return Targets(
            tuple(self.columns[each] for each in order),
            tuple(self.names[each] for each in order),
            tuple(self.labels[each] for each in order),
        )


def chosen_targets(schema: ModelSchema, wanted: tuple[str, ...], limits: Limits, path: str) -> Targets:
    """The targets by name or column number, in the caller's order. Where none is named, all of them as far as the limit
    goes: classes by falling score, others in the model's order.
    """
    if wanted:
        return _named(schema, wanted, path)
    count = len(schema.targets)
    if count > 1 and schema.classes is not False:
        return replace(_targets(schema, tuple(range(count))), highest=min(count, limits.max_targets))
    return _targets(schema, tuple(range(min(count, limits.max_targets))))


def scored_targets(
    schema: ModelSchema, wanted: tuple[str, ...], sequences: int, limits: Limits, path: str
) -> Targets:
    """The targets to score: those named, or all of them in the model's order, so that several sequences' scores stand
    side by side.
    """
    if wanted:
        return _named(schema, wanted, path)
    count, most = len(schema.targets), limits.max_targets * limits.max_score_sequences
    if count * sequences > most:
        text = (
            f"{sequences} sequences and {count} outputs are {count * sequences} scores, the limit is {most}"
        )
        raise InvalidInput.at(path, "TOO_MANY_SCORES", f"{text}; name targets, or send fewer sequences")
    return _targets(schema, tuple(range(count)))


def first_targets(schema: ModelSchema, limits: Limits) -> tuple[str, ...]:
    """The names of the targets in the model's order, as far as the limit goes."""
    return tuple(target.name for target in schema.targets[: limits.max_targets])


def _named(schema: ModelSchema, wanted: tuple[str, ...], path: str) -> Targets:
    names = tuple(target.name for target in schema.targets)
    columns = tuple(_column(names, name, f"{path}[{index}]") for index, name in enumerate(wanted))
    if len(set(columns)) < len(columns):
        raise InvalidInput.at(path, "TARGET_REPEATED", f"{', '.join(wanted)} name the same output twice")
    return _targets(schema, columns)


def _targets(schema: ModelSchema, columns: tuple[int, ...]) -> Targets:
    chosen = [schema.targets[column] for column in columns]
    return Targets(columns, tuple(item.name for item in chosen), tuple(item.label for item in chosen))


def _column(names: tuple[str, ...], wanted: str, path: str) -> int:
    if wanted in names:
        return names.index(wanted)
    numbers = [str(column) for column in range(len(names))]
    if wanted in numbers:
        return numbers.index(wanted)
    raise InvalidInput.at(
        path, "TARGET_UNKNOWN", f"{wanted!r} is not an output; the model has {_listed(names)}"
    )


def _listed(names: tuple[str, ...], most: int = 20) -> str:
    """Names, or the first of them and how many there are."""
    more = f" … ({len(names):,} outputs; numbers from 0 are taken too)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
