"""Explanations that are made for somebody who tries something, and that the service does not store."""

from __future__ import annotations

from typing import Any

from sequela_client.client import Sequela
from sequela_client.explanation import Explanation
from sequela_client.inputs import Sequence
from sequela_client.options import UsedOptions

Options = dict[str, Any]


def dry_run(
    service: Sequela, sequence: Sequence, model: str, background: str | None, options: Options
) -> Explanation:
    """Explains a sequence without storing anything.

    Args:
        service: the client of the service with the visitor's own rights.
        sequence: the sequence.
        model: the name of the model.
        background: the name of the background; None for the model's default.
        options: the options of `Sequela.explain`.
    """
    return service.explain(sequence, model=model, background=background, dry_run=True, **options)


def same_options(used: UsedOptions, targets: tuple[str, ...]) -> Options:
    """Returns the options that make the same explanation again.

    Args:
        used: the options of an explanation, with all defaults filled in.
        targets: the names of its targets, in their order.
    """
    return {
        "levels": list(used.levels),
        "targets": list(targets),
        "pruning_tolerance": _common(used.pruning_tolerances),
        "feature_scope": used.feature_scope or None,
        "cell_threshold": _common(used.cell_thresholds),
        "top_k_events": used.top_k_events,
        "top_k_features": used.top_k_features,
        "max_coalitions": used.max_coalitions,
        "target_standard_error": _common(used.target_standard_errors),
        "seed": used.seed,
        "refine_history": used.refine_history,
        "minimum_score": used.minimum_score,
        "full_pruning_curve": used.full_pruning_curve,
        "link": used.link or None,
        "output_event": used.output_event,
        "estimator": used.estimator or None,
    }


def _common(numbers: tuple[float, ...]) -> float | None:
    """Returns the number that all targets have. If they differ, they are defaults that follow from the scores."""
    return numbers[0] if len(set(numbers)) == 1 else None
