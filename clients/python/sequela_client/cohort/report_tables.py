"""The tables of a report that are made on request only: groups, drift and comparison. They need no figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sequela_client.cohort.cells import TextTable, sideways, text_table
from sequela_client.cohort.errors import NotInCohort
from sequela_client.errors import CallerError
from sequela_client.extras import require

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# Columns of wide tables, few enough for a printed page.
ATTRIBUTIONS = ("group", "n_explained", "mean", "low", "high", "standard_error", "spread", "sampling_error")
RATES = (
    *("group", "n", "positives", "positive_rate", "positive_rate_low", "positive_rate_high"),
    *("negatives", "false_positives"),
    *("false_positive_rate", "false_positive_rate_low", "false_positive_rate_high"),
)
DRIFT = (
    *("feature", "n_before", "n_after", "mean_before", "mean_after"),
    *("change", "low", "high", "statistic", "p_value", "p_adjusted"),
)
COMPARISON = (
    *("feature", "n", "mean_first", "mean_second", "change", "low", "high"),
    *("p_adjusted", "mean_absolute_difference", "sampling_error", "correlation"),
)


@dataclass(frozen=True, slots=True)
class ReportChoices:
    """What a report shows in addition to what it always shows.

    Args:
        title: of the page.
        compare: another cohort, explained on the same sequences.
        by: the label or feature by which sequences are grouped.
        feature: the feature whose attribution is compared between the groups; None: the strongest one.
        outcome: what really happened, "LABEL=VALUE" with the positive value.
        threshold: the raw score from which a prediction is positive.
        before: the first period of the drift, or a value of `period_label`.
        after: the second one.
        period_label: a label that says the period; None: the time.
        tolerances: the pruning tolerances of the table; None: the paper's.
        coalitions: how many coalitions may be evaluated, for the share that is exactly computable.
        limit: how many events back the events are shown.
    """

    title: str = "Report on a cohort"
    compare: Cohort | None = None
    by: str | None = None
    feature: str | None = None
    outcome: str | None = None
    threshold: float = 0.5
    before: str | None = None
    after: str | None = None
    period_label: str | None = None
    tolerances: tuple[float, ...] | None = None
    coalitions: int = 32_768
    limit: int = 50


def check(choices: ReportChoices) -> None:
    """Raises CallerError for choices that do not go together."""
    if choices.outcome is not None and choices.by is None:
        raise CallerError(
            "outcome: false positive rates are computed for groups; name a label or a feature with by"
        )
    if choices.feature is not None and choices.by is None:
        raise CallerError("feature: it is compared between groups; name a label or a feature with by")
    if (choices.before is None) != (choices.after is None):
        raise CallerError("before and after: drift needs both periods")


@dataclass(frozen=True, slots=True)
class GroupTables:
    """What groups of sequences have in common.

    Args:
        rows: a row for each group.
        feature: the feature whose attribution is compared.
        choices: how they were chosen.
    """

    rows: Any
    feature: str
    choices: ReportChoices

    def tables(self, attributions: Sequence[str], rates: Sequence[str]) -> tuple[TextTable, TextTable]:
        """The attributions and the rates, with these columns. Without an outcome there are no false positives."""
        by, threshold = self.choices.by, self.choices.threshold
        known = rates if self.choices.outcome else [each for each in rates if each in RATES[:6]]
        return (
            text_table(self.rows, f"Attribution of {self.feature} by {by}", attributions),
            text_table(self.rows, f"Rates by {by}; positive from a score of {threshold:g}", known),
        )


def group_tables(cohort: Cohort, choices: ReportChoices) -> GroupTables:
    """The groups.

    Raises:
        NotInCohort: the rows do not have what is asked for.
    """
    assert choices.by is not None
    feature = choices.feature or _strongest(cohort)
    rows = cohort.fairness(feature, choices.by, choices.threshold, choices.outcome)
    return GroupTables(rows, feature, choices)


def _strongest(cohort: Cohort) -> str:
    names = cohort.features()["feature"].to_pylist()
    if not names:
        raise NotInCohort("no sequence was explained, so there is no feature to compare")
    return str(names[0])


@dataclass(frozen=True, slots=True)
class DriftTables:
    """What changed between two periods.

    Args:
        rows: a row for each feature, and one for the score.
        scores: the distribution of the scores.
        caption: the caption of the rows.
        cohort: the cohort.
    """

    rows: Any
    scores: TextTable
    caption: str
    cohort: Cohort

    def features(self, columns: Sequence[str], most: int | None = None) -> TextTable:
        """The rows with these columns; `most` of them at most."""
        return readable_table(self.cohort, self.rows.slice(0, most), self.caption, columns)


def drift_tables(cohort: Cohort, choices: ReportChoices) -> DriftTables:
    """The changes.

    Raises:
        NotInCohort: the rows do not have what is asked for.
    """
    question = (choices.period_label, choices.before, choices.after)
    rows, scores = cohort.drift(*question), cohort.score_drift(*question)
    return DriftTables(
        rows,
        text_table(
            scores.bins,
            f"Population stability index of the scores: {scores.index:.3f} (by chance about {scores.by_chance:.3f})",
        ),
        f"Changes from {choices.before or 'before'} to {choices.after or 'after'}",
        cohort,
    )


@dataclass(frozen=True, slots=True)
class ComparisonTables:
    """How two cohorts differ on the same sequences.

    Args:
        rows: a row for each feature.
        summary: how far they agree.
        notes: sentences about them.
        names: the names of the two cohorts.
        cohort: the first.
    """

    rows: Any
    summary: TextTable
    notes: tuple[str, ...]
    names: tuple[str, str]
    cohort: Cohort

    def features(self, columns: Sequence[str], most: int | None = None) -> TextTable:
        """The rows with these columns; `most` of them at most."""
        table = readable_table(self.cohort, self.rows.slice(0, most), "Mean differences by feature", columns)
        return replace(table, headings=tuple(_with_names(each, self.names) for each in table.headings))


def comparison_tables(cohort: Cohort, choices: ReportChoices) -> ComparisonTables:
    """The comparison.

    Raises:
        NotInCohort: the cohorts have nothing in common.
    """
    assert choices.compare is not None
    found = cohort.compare(choices.compare)
    first, second = found.names
    summary = sideways(found.summary, "Agreement on the same sequences")
    left_out = ((first, found.only_first), (second, found.only_second))
    return ComparisonTables(
        found.features,
        replace(summary, rows=tuple((_with_names(name, found.names), value) for name, value in summary.rows)),
        (
            f"Differences are {second} minus {first}.",
            *(
                f"Only {which} has the features {', '.join(names)}; they are left out."
                for which, names in left_out
                if names
            ),
        ),
        found.names,
        cohort,
    )


def _with_names(heading: str, names: tuple[str, str]) -> str:
    """A heading with the names of the two cohorts."""
    known = dict(zip(("first", "second"), names, strict=True))
    return re.sub(r"\b(first|second)$", lambda found: known[found[1]], heading)


def readable_table(cohort: Cohort, table: Any, caption: str, columns: Sequence[str] = ()) -> TextTable:
    """A table whose features are named as people know them, with their names in brackets."""
    known = labels(cohort)
    names = table["feature"].to_pylist()
    shown = [f"{known[name]} ({name})" if known.get(name, name) != name else name for name in names]
    place = table.column_names.index("feature")
    arrow = require("pyarrow", extra="cohort")
    return text_table(
        table.set_column(place, "feature", arrow.array(shown, arrow.string())), caption, columns
    )


def labels(cohort: Cohort) -> dict[str, str]:
    """What people call the features, by their names."""
    return {each.name: each.label for each in cohort.database.features}
