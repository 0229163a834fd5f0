"""Options against a model's output: tolerances in units of what is explained, and every default filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.options import Level, Options, ResolvedOptions, common_options
from sequela.explain.ports import Endpoint, Model
from sequela.explain.schema import Link, ModelSchema

MAX_COALITIONS = 32_768
PRUNING_TOLERANCE = 0.025
CELL_THRESHOLD = 0.1
TARGET_STANDARD_ERROR = 0.005
TOP_K = 5
RESOLUTION = 1e-6
"""Differences below this fraction of a score are a float32 model's rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Tolerances:
    """In units of the explained output, (targets,). `cells` is None where a top k chooses them."""

    pruning: NDArray[np.float64]
    cells: NDArray[np.float64] | None
    standard_error: NDArray[np.float64]


NO_TOLERANCES = Tolerances(np.empty(0), np.empty(0), np.empty(0))
"""Where nothing was explained."""


def tolerances(
    options: Options, schema: ModelSchema, base: NDArray[np.float64], score: NDArray[np.float64]
) -> Tolerances:
    """The tolerances used. base, score: f(B) and f(X) after the link, (targets,).

    Defaults are absolute for outputs in [0, 1] on the identity link, else fractions of |f(X) - f(B)|, or of
    what a float32 model resolves where that is more, so that a constant model is pruned like any other.
    """
    gain = score - base
    bounded = bool(schema.bounded) and link_of(options, schema) is Link.IDENTITY
    resolution = RESOLUTION * np.maximum(np.maximum(np.abs(base), np.abs(score)), 1.0)
    unit = np.ones_like(gain) if bounded else np.maximum(np.abs(gain), resolution)

    def used(asked: float | None, fraction: float) -> NDArray[np.float64]:
        return fraction * unit if asked is None else np.full_like(gain, asked)

    by_rank = options.top_k_events is not None or options.top_k_features is not None
    return Tolerances(
        pruning=used(options.pruning_tolerance, PRUNING_TOLERANCE),
        cells=None if by_rank else used(options.cell_threshold, CELL_THRESHOLD),
        standard_error=used(options.target_standard_error, TARGET_STANDARD_ERROR),
    )


def link_of(options: Options, schema: ModelSchema) -> Link:
    """The link asked for, or the model's own."""
    return options.link or schema.link


def needed_levels(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels asked for and those they rest on, in the order in which they are computed."""
    wanted = set(Level) if Level.CELL in levels else set(levels)
    return tuple(level for level in Level if level in wanted)


def top_k(options: Options) -> tuple[int, int] | None:
    """How many events and features make the cells, where ranks choose them."""
    if options.top_k_events is None and options.top_k_features is None:
        return None
    return options.top_k_events or TOP_K, options.top_k_features or TOP_K


def budget_of(options: Options, endpoint: Endpoint | None) -> int:
    """Coalitions of a level at most: rows of an endpoint are money."""
    usual = endpoint.coalitions if endpoint else MAX_COALITIONS
    return usual if options.max_coalitions is None else options.max_coalitions


def resolved(options: Options, model: Model, used: Tolerances) -> ResolvedOptions:
    """The options with every default filled in, for the answer."""
    ranks = top_k(options) or (None, None)
    filled = replace(
        options, levels=needed_levels(options.levels), top_k_events=ranks[0], top_k_features=ranks[1]
    )
    return ResolvedOptions(
        **common_options(filled),
        pruning_tolerance=tuple(used.pruning.tolist()),
        cell_threshold=() if used.cells is None else tuple(used.cells.tolist()),
        max_coalitions=budget_of(options, model.endpoint),
        target_standard_error=tuple(used.standard_error.tolist()),
        link=link_of(options, model.info.schema),
    )
