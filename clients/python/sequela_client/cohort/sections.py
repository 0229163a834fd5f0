"""Makes the sections of a cohort's report. Each has an explanation, a figure, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sequela_client.cohort import texts
from sequela_client.cohort.cells import TextTable, sideways, text_table, upright
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.event_weights import has_event_weights
from sequela_client.cohort.reports.events import event_density
from sequela_client.cohort.reports.features import feature_density
from sequela_client.cohort.reports.first_positive import first_positive_summary
from sequela_client.errors import CallerError
from sequela_client.extras import require
from sequela_client.plots import cohort as distributions
from sequela_client.plots import event_weights as weights
from sequela_client.plots import intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sequela_client.cohort.dataset import Cohort


@dataclass(frozen=True, slots=True)
class ReportChoices:
    """What a report shows in addition to its fixed sections.

    Args:
        title: of the page.
        compare: another cohort, explained on the same sequences.
        by: the label or feature by which sequences are grouped.
        feature: the feature whose attribution is compared between the groups; None: the strongest one.
        outcome: the label that says what really happened and its positive value, as "LABEL=VALUE".
        threshold: the score from which a prediction is positive.
        before: the first period of the drift, or a value of `period_label`.
        after: the second one.
        period_label: a label that says the period; None: the time.
        tolerances: the pruning tolerances of the table; None: the paper's.
        coalitions: how many coalitions may be evaluated, for the share that is exactly computable.
        limit: how many of the latest events are shown.
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


# The columns of wide tables. All of them would not fit on a printed page.
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

# Sections that a report has only on request. If one is empty, whoever asked for it is told.
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


def _readable(cohort: Cohort, table: Any, caption: str, columns: Sequence[str] = ()) -> TextTable:
    """Returns a table that shows the labels of features, with their names in brackets."""
    labels = _labels(cohort)
    names = table["feature"].to_pylist()
    shown = [f"{labels[name]} ({name})" if labels.get(name, name) != name else name for name in names]
    place = table.column_names.index("feature")
    arrow = require("pyarrow", extra="cohort")
    return text_table(
        table.set_column(place, "feature", arrow.array(shown, arrow.string())), caption, columns
    )


def _labels(cohort: Cohort) -> dict[str, str]:
    return {each.name: each.label for each in cohort.database.features}


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
    tables = [_readable(cohort, table, "Attributions by feature", (*columns, "sampling_error"))]
    if constant.num_rows:
        tables.append(_readable(cohort, constant, "Features that contribute nothing"))
    figure = distributions.feature_distribution(table, feature_density(cohort), _labels(cohort))
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
    assert choices.by is not None
    # Without a choice, the strongest feature is the one whose difference between groups matters most.
    feature = choices.feature or _strongest(cohort)
    table = cohort.fairness(feature, choices.by, choices.threshold, choices.outcome)
    rates = RATES if choices.outcome else RATES[:6]
    caption = f"by {choices.by}"
    note = () if choices.outcome else (texts.NO_OUTCOME,)
    return ReportSection(
        "groups",
        texts.GROUPS_TITLE,
        (*texts.GROUPS, *note),
        intervals.fairness(
            table, _labels(cohort).get(feature, feature), _labels(cohort).get(choices.by, choices.by)
        ),
        texts.GROUPS_ALT,
        (
            text_table(table, f"Attribution of {feature} {caption}", ATTRIBUTIONS),
            text_table(table, f"Rates {caption}; positive from a score of {choices.threshold:g}", rates),
        ),
    )


def _strongest(cohort: Cohort) -> str:
    names = cohort.features()["feature"].to_pylist()
    if not names:
        raise NotInCohort("no sequence was explained, so there is no feature to compare")
    return str(names[0])


def _drift(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    question = (choices.period_label, choices.before, choices.after)
    table, scores = cohort.drift(*question), cohort.score_drift(*question)
    caption = f"Population stability index of the scores: {scores.index:.3f} (by chance about {scores.by_chance:.3f})"
    tables = (
        _readable(
            cohort, table, f"Changes from {choices.before or 'before'} to {choices.after or 'after'}", DRIFT
        ),
        text_table(scores.bins, caption),
    )
    figure = intervals.drift(table, _labels(cohort))
    return ReportSection("drift", texts.DRIFT_TITLE, texts.DRIFT, figure, texts.DRIFT_ALT, tables)


def _comparison(cohort: Cohort, choices: ReportChoices) -> ReportSection:
    assert choices.compare is not None
    found = cohort.compare(choices.compare)
    figure = intervals.comparison(found.features, _labels(cohort))
    notes = [
        f"Only {which} has the features {', '.join(names)}; they are left out."
        for which, names in (("the first", found.only_first), ("the second", found.only_second))
        if names
    ]
    tables = (
        *upright(cohort.provenance(), "The first"),
        *upright(choices.compare.provenance(), "The second"),
        sideways(found.summary, "Agreement on the same sequences"),
        _readable(cohort, found.features, "Mean differences by feature", COMPARISON),
    )
    return ReportSection(
        "comparison",
        texts.COMPARISON_TITLE,
        (*texts.COMPARISON, *notes),
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


def check(choices: ReportChoices) -> None:
    """Raises CallerError if a choice needs another one that is missing."""
    if choices.outcome is not None and choices.by is None:
        raise CallerError(
            "outcome: false positive rates are computed for groups; name a label or a feature with by"
        )
    if choices.feature is not None and choices.by is None:
        raise CallerError("feature: it is compared between groups; name a label or a feature with by")
    if (choices.before is None) != (choices.after is None):
        raise CallerError("before and after: only one is given; drift needs both periods")
