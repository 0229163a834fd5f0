"""Makes the sections of a cohort's report. Each has an explanation, a figure, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sequela_client.cohort import texts
from sequela_client.cohort.cells import TextTable, sideways, text_table, upright
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.report_tables import (
    ATTRIBUTIONS,
    COMPARISON,
    DRIFT,
    RATES,
    ReportChoices,
    comparison_tables,
    drift_tables,
    group_tables,
    labels,
    readable_table,
)
from sequela_client.cohort.reports.event_weights import has_event_weights
from sequela_client.cohort.reports.events import event_density
from sequela_client.cohort.reports.features import feature_density
from sequela_client.cohort.reports.first_positive import first_positive_summary
from sequela_client.plots import cohort as distributions
from sequela_client.plots import event_weights as weights
from sequela_client.plots import intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sequela_client.cohort.dataset import Cohort


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of the page.

    Args:
        name: its anchor.
        title: its heading.
        explanation: paragraphs on how to read it.
        figure: the figure; None if there is none.
        alt: the figure in words.
        tables: the numbers.
        missing: why there is nothing to show; empty if there is something.
    """

    name: str
    title: str
    explanation: tuple[str, ...]
    figure: Figure | None = None
    alt: str = ""
    tables: tuple[TextTable, ...] = ()
    missing: str = ""


# Sections that a report has only on request. If one is empty, the caller is told why.
ASKED = ("groups", "drift", "comparison")

Maker = Callable[["Cohort", ReportChoices], ReportSection]


def sections(cohort: Cohort, choices: ReportChoices) -> Iterator[ReportSection]:
    """Yields the sections in order. If the rows lack what a section needs, it says how to get it."""
    for name, title, make, explanation in _wanted(cohort, choices):
        try:
            yield make(cohort, choices)
        except NotInCohort as error:
            yield ReportSection(name, title, explanation, missing=str(error))


def _wanted(cohort: Cohort, choices: ReportChoices) -> Iterator[tuple[str, str, Maker, tuple[str, ...]]]:
    yield "events", texts.EVENTS_TITLE, _events, texts.EVENTS
    yield "features", texts.FEATURES_TITLE, _features, texts.FEATURES
    yield "first-positive", texts.FIRST_POSITIVE_TITLE, _first_positive, texts.FIRST_POSITIVE
    yield "pruning", texts.PRUNING_TITLE, _pruning, texts.PRUNING
    # Most models have no weights of events, and a section that says so would only be in the way.
    if has_event_weights(cohort):
        yield "event-weights", texts.EVENT_WEIGHTS_TITLE, _event_weights, texts.EVENT_WEIGHTS
    if choices.by is not None:
        yield "groups", texts.GROUPS_TITLE, _groups, texts.GROUPS
    if choices.before is not None or choices.period_label is not None:
        yield "drift", texts.DRIFT_TITLE, _drift, texts.DRIFT
    if choices.compare is not None:
        yield "comparison", texts.COMPARISON_TITLE, _comparison, texts.COMPARISON
    yield "quality", texts.QUALITY_TITLE, _quality, texts.QUALITY


def _events(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    table = cohort.events(choices.limit)
    share = cohort.latest_share()
    columns = ("t", "n", "share", "mean", "standard_error", "p05", "q25", "median", "q75", "p95", "spread")
    return ReportSection(
        "events",
        texts.EVENTS_TITLE,
        texts.EVENTS,
        distributions.event_distribution(table, event_density(cohort, choices.limit)),
        texts.EVENTS_ALT,
        (
            sideways(share, "The share of the latest event, φ₀ / (f(X) − f(B))"),
            text_table(table, "Attributions by event", (*columns, "sampling_error")),
        ),
    )


def _features(cohort: Cohort, _: ReportChoices) -> ReportSection:
    table = cohort.features()
    columns = (
        "feature",
        "n",
        "mean",
        "standard_error",
        "p05",
        "q25",
        "median",
        "q75",
        "p95",
        "mean_absolute",
        "spread",
    )
    constant = cohort.constant_features()
    tables = [readable_table(cohort, table, "Attributions by feature", (*columns, "sampling_error"))]
    if constant.num_rows:
        tables.append(readable_table(cohort, constant, "Features that contribute nothing"))
    figure = distributions.feature_distribution(table, feature_density(cohort), labels(cohort))
    return ReportSection(
        "features", texts.FEATURES_TITLE, texts.FEATURES, figure, texts.FEATURES_ALT, tuple(tables)
    )


def _first_positive(cohort: Cohort, _: ReportChoices) -> ReportSection:
    table = cohort.first_positive()
    tables = (
        sideways(first_positive_summary(cohort), "First positive predictions"),
        text_table(table, "By index (–: no positive prediction)"),
    )
    figure = distributions.first_positive(table)
    return ReportSection(
        *(
            "first-positive",
            texts.FIRST_POSITIVE_TITLE,
            texts.FIRST_POSITIVE,
            figure,
            texts.FIRST_POSITIVE_ALT,
            tables,
        )
    )


def _pruning(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    table = cohort.pruning(choices.tolerances, choices.coalitions)
    tables = (
        text_table(
            table,
            "Table 1 of TimeSHAP on this cohort; η –: the original sequences",
            [name for name in table.column_names if not name.startswith("paper_")],
        ),
        text_table(
            table,
            "Table 1 as in the paper",
            ["tolerance", *(name for name in table.column_names if name.startswith("paper_"))],
        ),
        text_table(cohort.verdicts(), "Verdicts on the pruned events; –: nothing was pruned"),
    )
    figure = distributions.pruning_table(table)
    explanation = (*texts.PRUNING, *_incomplete(table))
    return ReportSection("pruning", texts.PRUNING_TITLE, explanation, figure, texts.PRUNING_ALT, tables)


def _incomplete(table: Any) -> Iterator[str]:
    """A paragraph about the sequences that the table on pruning leaves out, if there are any."""
    line = table.slice(0, 1).to_pylist()[0]
    if left_out := line["incomplete"]:
        yield (
            f"{left_out:,} of {left_out + line['sequences']:,} explained sequences are left out of the table and the "
            "figure: their pruning curve ends before it shows where the cut for each tolerance is. sequela explain-all "
            "--full-pruning-curve computes all of it."
        )


def _event_weights(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    table, agreement = cohort.event_weights(choices.limit), cohort.event_weight_agreement()
    return ReportSection(
        "event-weights",
        texts.EVENT_WEIGHTS_TITLE,
        texts.EVENT_WEIGHTS,
        weights.event_weights(table, agreement),
        texts.EVENT_WEIGHTS_ALT,
        (
            sideways(agreement, "Correlation of weight and |attribution| within a sequence"),
            text_table(table, "Weights by event"),
        ),
    )


def _groups(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    found = group_tables(cohort, choices)
    note = () if choices.outcome else (texts.NO_OUTCOME,)
    names = labels(cohort)
    return ReportSection(
        "groups",
        texts.GROUPS_TITLE,
        (*texts.GROUPS, *note),
        intervals.fairness(
            found.rows, names.get(found.feature, found.feature), names.get(choices.by or "", choices.by or "")
        ),
        texts.GROUPS_ALT,
        found.tables(ATTRIBUTIONS, RATES),
    )


def _drift(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    found = drift_tables(cohort, choices)
    figure = intervals.drift(found.rows, labels(cohort))
    tables = (found.features(DRIFT), found.scores)
    return ReportSection("drift", texts.DRIFT_TITLE, texts.DRIFT, figure, texts.DRIFT_ALT, tables)


def _comparison(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    assert choices.compare is not None
    found = comparison_tables(cohort, choices)
    first, second = found.names
    figure = intervals.comparison(found.rows, labels(cohort), found.names)
    tables = (
        *upright(cohort.provenance(), first),
        *upright(choices.compare.provenance(), second),
        found.summary,
        found.features(COMPARISON),
    )
    return ReportSection(
        "comparison",
        texts.COMPARISON_TITLE,
        (*texts.COMPARISON, *found.notes),
        figure,
        texts.COMPARISON_ALT,
        tables,
    )


def _quality(cohort: Cohort, _: ReportChoices) -> ReportSection:
    candidates = (
        (cohort.statuses(), "Rows by status"),
        (cohort.failed(), "Failed rows by reason"),
        (cohort.quality(), "Accuracy by level"),
        (cohort.warnings(), "Warnings by code"),
    )
    tables = tuple(text_table(table, caption) for table, caption in candidates if table.num_rows)
    return ReportSection("quality", texts.QUALITY_TITLE, texts.QUALITY, tables=tables)
