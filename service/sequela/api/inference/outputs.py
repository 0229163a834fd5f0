"""The output tensors of an inference request, by name. All except the first two need an explanation.

The first axis is rows. The axis `events` has the steps as they were sent; `features` and `targets` are those of the
model. Values that were not computed are NaN: levels that exceeded their budget or time and, if the score is below
`minimum_score`, all attributions and the base value. `docs/open_inference.md` describes the outputs for callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.api.encode.explanations import explanation_json
from sequela.errors import InvalidInput
from sequela.explain.explanation import Attribution, Explanation
from sequela.explain.options import Level, Options
from sequela.timeshap.players import HISTORY_KINDS, PlayerKind

Numbers = NDArray[np.float64]

DEFAULT_LEVELS = frozenset(map(Level, Options().levels))
"""The levels of a request that names none."""
SCORES = ("score", "raw_score")
"""Outputs that need no explanation and no background: the model runs on the sequence alone."""


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedRow:
    """An explained row. Of the `steps` that were sent, including padding, those in `real` are real events."""

    explanation: Explanation
    steps: int
    real: slice

    def blank(self, level: Level, *axes: int) -> Numbers:
        """Returns an array (…, targets) to fill with attributions: zeros, or NaN if the level was not computed."""
        return np.full((*axes, len(self.explanation.targets)), 0.0 if self.level(level) else np.nan)

    def level(self, level: Level) -> tuple[Attribution, ...]:
        """Returns a level's attributions, which are empty if it was not computed."""
        found = self.explanation.levels.get(level)
        return found.attributions if found else ()


@dataclass(frozen=True, slots=True)
class Output:
    """An output tensor.

    Attributes:
        datatype: The datatype of its elements.
        axes: Its axes after the rows.
        levels: The levels that it needs.
        part: Returns the part for one row.
    """

    datatype: str
    axes: tuple[str, ...]
    levels: frozenset[Level]
    part: Callable[[ExplainedRow], Any]


def choose(names: Sequence[str], asked: frozenset[Level] | None) -> tuple[str, ...]:
    """Returns the outputs to compute: the named ones, or all that the requested levels allow. Raises InvalidInput."""
    given = DEFAULT_LEVELS if asked is None else asked
    if not names:
        return tuple(
            # The explanation as a whole can be returned whatever its levels are.
            name
            for name, output in OUTPUTS.items()
            if name == "explanation" or output.levels <= given
        )
    for index, name in enumerate(names):
        if name not in OUTPUTS:
            text = f"{name[:60]!r} is not an output; the outputs are {', '.join(OUTPUTS)}"
            raise InvalidInput.at(f"outputs[{index}].name", "OUTPUT_UNKNOWN", text)
        if name != "explanation" and not OUTPUTS[name].levels <= given:
            text = (
                f"{name} needs the {next(iter(OUTPUTS[name].levels))} level; add it to the parameter levels"
            )
            raise InvalidInput.at(f"outputs[{index}].name", "OPTIONS_CONFLICT", text)
    # An output that is requested twice is computed and returned once.
    return tuple(dict.fromkeys(names))


def levels_for(names: Iterable[str], asked: frozenset[Level] | None) -> tuple[Level, ...]:
    """Returns the levels that these outputs need."""
    # The whole explanation includes all requested levels, even if no other output needs them.
    if asked is not None and "explanation" in names:
        return tuple(level for level in Level if level in asked)
    wanted = frozenset[Level]().union(*(OUTPUTS[name].levels for name in names))
    return tuple(level for level in Level if level in wanted)


def _target(field: str) -> Callable[[ExplainedRow], Numbers]:
    """Reads a field of the targets, (targets,). A base value that was not computed is NaN."""
    return lambda row: np.array(
        [getattr(target, field) for target in row.explanation.targets], dtype=np.float64
    )


def _events(field: str) -> Callable[[ExplainedRow], Numbers]:
    """Reads a field of the event attributions, (steps, targets). Pruned events and padding are 0."""

    def part(row: ExplainedRow) -> Numbers:
        filled = row.blank(Level.EVENT, row.steps)
        for each in row.level(Level.EVENT):
            if each.kind is PlayerKind.EVENT and each.last_event is not None:
                # t = 0 is the last real row. Rows after it are padding.
                filled[row.real.stop - 1 + each.last_event] = getattr(each, field)
        return filled

    return part


def _features(field: str) -> Callable[[ExplainedRow], Numbers]:
    """Reads a field of the feature attributions, (features, targets), in the model's order."""

    def part(row: ExplainedRow) -> Numbers:
        places = {feature.name: place for place, feature in enumerate(row.explanation.features)}
        filled = row.blank(Level.FEATURE, len(places))
        for each in row.level(Level.FEATURE):
            if each.feature is not None:
                filled[places[each.feature]] = getattr(each, field)
        return filled

    return part


def _sum(level: Level, field: str, *kinds: PlayerKind) -> Callable[[ExplainedRow], Numbers]:
    """Sums a field over the players of some kinds, (targets,). A sum of standard errors is an upper bound."""

    def part(row: ExplainedRow) -> Numbers:
        parts = [getattr(each, field) for each in row.level(level) if each.kind in kinds]
        # With `blank`, the sum is NaN if the level is missing, and 0 if it has no player of these kinds.
        return np.asarray(np.sum([row.blank(level), *parts], axis=0))

    return part


def _pruned_events(row: ExplainedRow) -> Numbers:
    pruning = row.explanation.pruning
    return np.array(pruning.pruned_events if pruning else -1)


VALUES, ERRORS = "values", "standard_errors"
NO_LEVEL: frozenset[Level] = frozenset()
EVENT, FEATURE = frozenset({Level.EVENT}), frozenset({Level.FEATURE})
TARGETS, BY_EVENT, BY_FEATURE = ("targets",), ("events", "targets"), ("features", "targets")

OUTPUTS: Mapping[str, Output] = {
    "score": Output("FP64", TARGETS, NO_LEVEL, _target("score")),
    "raw_score": Output("FP64", TARGETS, NO_LEVEL, _target("raw_score")),
    "base_value": Output("FP64", TARGETS, NO_LEVEL, _target("base_value")),
    "explained": Output("BOOL", (), NO_LEVEL, lambda row: np.array(row.explanation.explained)),
    "pruned_events": Output("INT64", (), NO_LEVEL, _pruned_events),
    "event_attributions": Output("FP64", BY_EVENT, EVENT, _events(VALUES)),
    "event_standard_errors": Output("FP64", BY_EVENT, EVENT, _events(ERRORS)),
    "pruned_attribution": Output("FP64", TARGETS, EVENT, _sum(Level.EVENT, VALUES, *HISTORY_KINDS)),
    "pruned_standard_error": Output("FP64", TARGETS, EVENT, _sum(Level.EVENT, ERRORS, *HISTORY_KINDS)),
    "static_attribution": Output("FP64", TARGETS, EVENT, _sum(Level.EVENT, VALUES, PlayerKind.STATIC)),
    "static_standard_error": Output("FP64", TARGETS, EVENT, _sum(Level.EVENT, ERRORS, PlayerKind.STATIC)),
    "feature_attributions": Output("FP64", BY_FEATURE, FEATURE, _features(VALUES)),
    "feature_standard_errors": Output("FP64", BY_FEATURE, FEATURE, _features(ERRORS)),
    "feature_pruned_attribution": Output(
        "FP64", TARGETS, FEATURE, _sum(Level.FEATURE, VALUES, *HISTORY_KINDS)
    ),
    "feature_pruned_standard_error": Output(
        "FP64", TARGETS, FEATURE, _sum(Level.FEATURE, ERRORS, *HISTORY_KINDS)
    ),
    "explanation_name": Output("BYTES", (), NO_LEVEL, lambda row: row.explanation.name.encode()),
    "explanation": Output(
        "BYTES", (), DEFAULT_LEVELS, lambda row: explanation_json(row.explanation).encode()
    ),
}
