"""Fills in the defaults of options that depend on the model and its scores (docs/design.md §4.7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.options import Options, ResolvedOptions, common_options
from sequela.explain.ports import Model, RemoteEndpoint
from sequela.explain.schema import Link, ModelSchema

MAX_COALITIONS = 32_768
"""The default budget of a level in coalitions, about the budget of TimeSHAP's experiments (§4)."""
PRUNING_TOLERANCE = 0.025
"""The default η, as recommended by TimeSHAP (§4.1)."""
CELL_THRESHOLD = 0.1
"""The default θ, as in TimeSHAP's examples (§4.3)."""
TARGET_STANDARD_ERROR = 0.005
TOP_K = 5
"""The number of events to choose by rank if a request only sets the number of features, and vice versa."""
RESOLUTION = 1e-6
"""Differences below this fraction of a score are regarded as rounding errors of a float32 model."""


@dataclass(frozen=True, slots=True, eq=False)
class Tolerances:
    """The tolerances of an explanation, in units of the explained output, (targets,) each.

    Attributes:
        pruning: η.
        cells: θ; None if events and features are chosen by rank.
        standard_error: The standard error to reach.
    """

    pruning: NDArray[np.float64]
    cells: NDArray[np.float64] | None
    standard_error: NDArray[np.float64]


NO_TOLERANCES = Tolerances(np.empty(0), np.empty(0), np.empty(0))
"""The tolerances of an answer in which nothing was explained."""


def tolerances(
    options: Options,
    schema: ModelSchema,
    base: NDArray[np.float64],
    score: NDArray[np.float64],
    error_factor: float = 1.0,
) -> Tolerances:
    """Returns the requested tolerances, with defaults filled in.

    Defaults are absolute for outputs in [0, 1] on the identity link. Otherwise they are fractions of |f(X) - f(B)|, but
    no smaller than the rounding error of a float32 model, so that pruning also works for a constant model.

    Args:
        options: The options of the request.
        schema: The model's schema.
        base: f(B) after the link, (targets,).
        score: f(X) after the link, (targets,).
        error_factor: By how much the default target of the standard errors is multiplied.
    """
    gain = score - base
    bounded = bool(schema.bounded) and link_of(options, schema) is Link.IDENTITY
    resolution = RESOLUTION * np.maximum(np.maximum(np.abs(base), np.abs(score)), 1.0)
    unit = np.ones_like(gain) if bounded else np.maximum(np.abs(gain), resolution)

    def used(requested: float | None, fraction: float) -> NDArray[np.float64]:
        return fraction * unit if requested is None else np.full_like(gain, requested)

    # One of the two options is enough to choose by rank.
    by_rank = options.top_k_events is not None or options.top_k_features is not None
    return Tolerances(
        pruning=used(options.pruning_tolerance, PRUNING_TOLERANCE),
        cells=None if by_rank else used(options.cell_threshold, CELL_THRESHOLD),
        standard_error=used(options.target_standard_error, TARGET_STANDARD_ERROR * error_factor),
    )


def link_of(options: Options, schema: ModelSchema) -> Link:
    """Returns the link that the request names, or the model's default."""
    return options.link or schema.link


def top_k(options: Options) -> tuple[int, int] | None:
    """Returns how many events and features are selected for cells by rank, or None if a threshold selects them."""
    if options.top_k_events is None and options.top_k_features is None:
        return None
    return options.top_k_events or TOP_K, options.top_k_features or TOP_K


def budget_of(options: Options, endpoint: RemoteEndpoint | None) -> int:
    """Returns the budget of a level in coalitions. Endpoints have a separate default, because rows may cost money."""
    usual = endpoint.info.max_coalitions if endpoint else MAX_COALITIONS
    return usual if options.max_coalitions is None else options.max_coalitions


def resolve_options(options: Options, model: Model, used: Tolerances) -> ResolvedOptions:
    """Returns the options with every default filled in, as they appear in the answer."""
    ranks = top_k(options) or (None, None)
    filled = replace(options, top_k_events=ranks[0], top_k_features=ranks[1])
    return ResolvedOptions(
        **common_options(filled),
        pruning_tolerance=tuple(used.pruning.tolist()),
        cell_threshold=() if used.cells is None else tuple(used.cells.tolist()),
        max_coalitions=budget_of(options, model.endpoint),
        target_standard_error=tuple(used.standard_error.tolist()),
        link=link_of(options, model.info.schema),
    )
