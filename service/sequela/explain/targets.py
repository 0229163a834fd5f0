"""Chooses the outputs to explain: those that the request names, else the most important ones (docs/design.md §4.7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.schema import ModelSchema


@dataclass(frozen=True, slots=True)
class Targets:
    """The outputs to explain.

    Attributes:
        columns: Their columns in the model's output.
        names: Their names.
        labels: Their labels.
        highest: None if the targets are known. Otherwise the other attributes list all outputs, and this many of them,
            those with the highest raw scores, will be explained.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    highest: int | None = None

    def by_score(self, raw: NDArray[np.float64]) -> list[int]:
        """Returns the positions of the targets to explain, given raw scores (columns,). Ties keep the model's order."""
        if self.highest is None:
            return list(range(len(self.columns)))
        # A stable sort keeps the model's order for equal scores.
        return [int(each) for each in np.argsort(-raw, kind="stable")[: self.highest]]

    def pick(self, order: list[int]) -> Targets:
        """Returns the targets at these positions, in this order."""
        return Targets(
            tuple(self.columns[each] for each in order),
            tuple(self.names[each] for each in order),
            tuple(self.labels[each] for each in order),
        )


def chosen_targets(schema: ModelSchema, wanted: tuple[str, ...], limits: Limits, path: str) -> Targets:
    """Returns the targets of an explanation.

    Args:
        schema: The model's schema.
        wanted: Names or column numbers. If it is empty, all outputs are explained, up to the limit: classes by
            descending score, other outputs in the model's order.
        limits: The service's limits.
        path: The path of `wanted` in the request.

    Raises:
        InvalidInput: A name is unknown, or two names mean the same output.
    """
    if wanted:
        return _named_targets(schema, wanted, path)
    count = len(schema.targets)
    # Alternatives are ordered by score; steps of a forecast keep their order.
    if count > 1 and schema.classes is not False:
        return replace(_targets(schema, tuple(range(count))), highest=min(count, limits.max_targets))
    return _targets(schema, tuple(range(min(count, limits.max_targets))))


def scored_targets(
    schema: ModelSchema, wanted: tuple[str, ...], sequences: int, limits: Limits, path: str
) -> Targets:
    """Returns the targets of a request for scores: the ones that it names, or else all of them in the model's order.

    The order does not depend on scores, so that a column has the same meaning for all sequences.

    Raises:
        InvalidInput: A name is unknown or repeated, or there would be too many scores.
    """
    if wanted:
        return _named_targets(schema, wanted, path)
    count, most = len(schema.targets), limits.max_targets * limits.max_score_sequences
    if count * sequences > most:
        text = (
            f"{sequences} sequences with {count} outputs are {count * sequences} scores, which exceeds the "
            f"limit of {most} (--max-targets times --max-score-sequences)"
        )
        raise InvalidInput.at(path, "TOO_MANY_SCORES", f"{text}; name targets, or send fewer sequences")
    return _targets(schema, tuple(range(count)))


def first_targets(schema: ModelSchema, limits: Limits) -> tuple[str, ...]:
    """Returns the names of the targets in the model's order, up to the limit."""
    return tuple(target.name for target in schema.targets[: limits.max_targets])


def _named_targets(schema: ModelSchema, wanted: tuple[str, ...], path: str) -> Targets:
    names = tuple(target.name for target in schema.targets)
    columns = tuple(_column(names, name, f"{path}[{index}]") for index, name in enumerate(wanted))
    # A name and a column number may mean the same output.
    if len(set(columns)) < len(columns):
        raise InvalidInput.at(path, "TARGET_REPEATED", f"{', '.join(wanted)} name the same output twice")
    return _targets(schema, columns)


def _targets(schema: ModelSchema, columns: tuple[int, ...]) -> Targets:
    chosen = [schema.targets[column] for column in columns]
    return Targets(columns, tuple(item.name for item in chosen), tuple(item.label for item in chosen))


def _column(names: tuple[str, ...], wanted: str, path: str) -> int:
    if wanted in names:
        return names.index(wanted)
    # Names come first, so a target that is named "0" is found by its name.
    numbers = [str(column) for column in range(len(names))]
    if wanted in numbers:
        return numbers.index(wanted)
    raise InvalidInput.at(
        path,
        "TARGET_UNKNOWN",
        f"{wanted!r} is not an output of the model; its outputs are {_join_names(names)}",
    )


def _join_names(names: tuple[str, ...], most: int = 20) -> str:
    """Joins the names. If there are many, lists the first ones and their number."""
    more = f" … ({len(names):,} outputs; column numbers from 0 are accepted too)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
