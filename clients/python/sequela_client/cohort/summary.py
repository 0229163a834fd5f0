"""Summarises a cohort in a few sentences, for the terminal, notebooks and the beginning of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.first_positive import first_positive_summary

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# A sentence names at most this many features.
MOST_NAMED = 5
# From this standard error on, the ratio of means is not told: its interval would be wider than a whole.
UNCLEAR_SHARE = 0.25


def sentences(cohort: Cohort) -> list[str]:
    """Yields the sentences. Those for which the rows have no numbers are left out.

    Raises:
        CallerError: the cohort has several variants, and none was chosen.
    """
    cohort.check_one_variant()
    parts: tuple[Callable[[Cohort], Iterator[str]], ...] = (
        _counts,
        _latest,
        _features,
        _constant,
        _first_positive,
        _accuracy,
        _verdicts,
    )
    told: list[str] = []
    for part in parts:
        try:
            told += part(cohort)
        except NotInCohort:
            continue
    return told


def _only(table: Any) -> dict[str, Any]:
    row: dict[str, Any] = table.to_pylist()[0]
    return row


def _counts(cohort: Cohort) -> Iterator[str]:
    counts = {row["status"]: row["n"] for row in cohort.statuses().to_pylist()}
    total = sum(counts.values())
    below, failed = counts.get("below_minimum", 0), counts.get("failed", 0)
    yield (
        f"{total:,} sequences: {counts.get('explained', 0):,} explained, {below:,} below the minimum "
        f"score or without a "
        f"positive prediction, {failed:,} failed."
    )


def _latest(cohort: Cohort) -> Iterator[str]:
    share = _only(cohort.latest_share())
    ratio, error = share["ratio_of_means"], share["ratio_of_means_standard_error"] or 0.0
    median = _percent(share["median_of_ratios"])
    if ratio is None or error > UNCLEAR_SHARE:
        # Scores on both sides of the base value have a mean difference near 0, and a ratio to it says nothing.
        if share["median_of_ratios"] is not None:
            yield (
                f"The latest event (t = 0) has {median} of the difference between score and base value (median over "
                "sequences; the ratio of means is unclear, because the mean difference is close to 0)."
            )
        return
    yield (
        f"The latest event (t = 0) has {ratio:.0%} of the difference between score and base value "
        f"(ratio of means; median of the ratios: {median})."
    )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"


def _features(cohort: Cohort) -> Iterator[str]:
    rows = cohort.features().to_pylist()
    labels = {each.name: each.label for each in cohort.database.features}
    named = [
        f"{labels.get(row['feature'], row['feature'])} ({row['mean']:+.3f})" for row in rows[:MOST_NAMED]
    ]
    if named:
        strong = sum(row["above_threshold"] for row in rows)
        yield f"Features with the largest mean attribution: {', '.join(named)}."
        yield f"{strong} of {len(rows)} features have a |mean attribution| above 0.01."


def _constant(cohort: Cohort) -> Iterator[str]:
    rows = cohort.constant_features().to_pylist()
    if rows:
        named = [
            f"{row['feature']}{' (its value never changes)' if row['distinct_values'] == 1 else ''}"
            for row in rows
        ]
        yield f"Features that contribute nothing: {', '.join(named)}."


def _first_positive(cohort: Cohort) -> Iterator[str]:
    found = _only(first_positive_summary(cohort))
    if found["n"]:
        yield (
            f"{found['n_positive']:,} of {found['n']:,} sequences have a positive prediction "
            f"({found['share_positive']:.1%})."
        )


def _accuracy(cohort: Cohort) -> Iterator[str]:
    for row in cohort.quality().to_pylist():
        level = f"{row['level'].capitalize()} level"
        if row["n"]:
            yield (
                f"{level}: {row['exact']:.1%} of the explanations are exact; the largest standard error of any "
                f"attribution is {row['largest_standard_error']:.2g}."
            )
        if row["not_computed"]:
            yield f"{level}: {row['not_computed']:,} explanations lack it, since there was no time to compute it."


def _verdicts(cohort: Cohort) -> Iterator[str]:
    shares = {row["verdict"]: row["share"] for row in cohort.verdicts().to_pylist()}
    hidden = shares.get("exceeds", 0) + shares.get("offsetting", 0)
    if hidden:
        yield f"In {hidden:.1%} of the explanations, pruned events matter (verdict EXCEEDS or OFFSETTING)."
