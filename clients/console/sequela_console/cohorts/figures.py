"""The figures of a cohort, as the tables that the browser draws them from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.first_positive import first_positive_summary

from sequela_console.cohort_files.open_cohort import OpenCohort, one_of_few
from sequela_console.cohorts import figure_texts as texts
from sequela_console.cohorts.figure_choices import FigureChoices
from sequela_console.cohorts.report_table import TableData, table_data
from sequela_console.cohorts.variants import rows_of_variant
from sequela_console.http.errors import not_found

# Tables of figures are small: at most a few hundred rows.
_BYTES_EACH = 50_000


@dataclass(frozen=True, slots=True)
class FigureData:
    """What one figure shows.

    Args:
        explanation: how to read it, in sentences.
        tables: its numbers by name.
        missing: why there is nothing to show and what to do; empty if there is something.
    """

    explanation: tuple[str, ...]
    tables: Mapping[str, TableData]
    missing: str = ""


Tables = Mapping[str, TableData]
Maker = Callable[[Cohort, FigureChoices], Tables]


def figure(cohort: OpenCohort, name: str, choices: FigureChoices) -> FigureData:
    """Returns a figure, from the cache if it is there.

    Args:
        cohort: the cohort.
        name: which figure.
        choices: what it is drawn of.

    Raises:
        ApiError: 404, there is no such figure or variant.
        CallerError: the choices are wrong.
    """
    if name not in _FIGURES:
        raise not_found(
            "FIGURE_NOT_FOUND", f"there is no figure {name[:80]!r}; there is {', '.join(_FIGURES)}"
        )
    explanation, make = _FIGURES[name]
    rows = rows_of_variant(cohort, choices.variant)
    found: FigureData = cohort.cache.get(
        (name, choices), lambda: _made(explanation, lambda: make(rows, choices)), lambda _: _BYTES_EACH
    )
    return found


def comparison(rows: Cohort, other: Cohort) -> FigureData:
    """Returns the comparison of two variants, or of two cohorts. Raises CallerError if a variant is not chosen."""
    return _made(texts.COMPARISON, lambda: _comparison(rows, other))


def _made(explanation: tuple[str, ...], make: Callable[[], Tables]) -> FigureData:
    try:
        with one_of_few():
            return FigureData(explanation, make())
    except NotInCohort as error:
        return FigureData(explanation, {}, str(error))


def _events(rows: Cohort, choices: FigureChoices) -> Tables:
    return {"events": table_data(rows.events(choices.limit))}


def _features(rows: Cohort, _: FigureChoices) -> Tables:
    return {"features": table_data(rows.features())}


def _latest_share(rows: Cohort, _: FigureChoices) -> Tables:
    return {"share": table_data(rows.latest_share())}


def _constant(rows: Cohort, _: FigureChoices) -> Tables:
    return {"features": table_data(rows.constant_features())}


def _first_positive(rows: Cohort, _: FigureChoices) -> Tables:
    return {"summary": table_data(first_positive_summary(rows)), "steps": table_data(rows.first_positive())}


def _pruning(rows: Cohort, choices: FigureChoices) -> Tables:
    table = rows.pruning(choices.tolerances or None, choices.coalitions)
    left_out = table["incomplete"][0].as_py()
    many = "1 sequence is" if left_out == 1 else f"{left_out:,} sequences are"
    notes = [f"{many} left out, since a pruning curve ends too soon."] if left_out else []
    return {"pruning": table_data(table, notes), "verdicts": table_data(rows.verdicts())}


def _fairness(rows: Cohort, choices: FigureChoices) -> Tables:
    feature, by = choices.needed("feature"), choices.needed("by")
    table = rows.fairness(feature, by, choices.threshold, choices.outcome)
    return {"groups": table_data(table, () if choices.outcome else (texts.NO_OUTCOME,))}


def _drift(rows: Cohort, choices: FigureChoices) -> Tables:
    return {"drift": table_data(rows.drift(choices.by, choices.before, choices.after))}


def _score_drift(rows: Cohort, choices: FigureChoices) -> Tables:
    found = rows.score_drift(choices.by, choices.before, choices.after)
    note = f"Population stability index: {found.index:.3f}. Chance alone gives about {found.by_chance:.3f}."
    return {"bins": table_data(found.bins, (note,))}


def _quality(rows: Cohort, _: FigureChoices) -> Tables:
    return {"quality": table_data(rows.quality()), "warnings": table_data(rows.warnings())}


def _statuses(rows: Cohort, _: FigureChoices) -> Tables:
    return {"statuses": table_data(rows.statuses()), "failed": table_data(rows.failed())}


def _event_weights(rows: Cohort, choices: FigureChoices) -> Tables:
    return {
        "weights": table_data(rows.event_weights(choices.limit)),
        "agreement": table_data(rows.event_weight_agreement()),
    }


def _comparison(rows: Cohort, other: Cohort) -> Tables:
    found = rows.compare(other)
    first, second = found.names
    notes = [f"Differences are {second} minus {first}."]
    for name, only in ((first, found.only_first), (second, found.only_second)):
        if only:
            notes.append(f"Only {name} has the features {', '.join(only)}; they are left out.")
    return {"summary": table_data(found.summary), "features": table_data(found.features, notes)}


_FIGURES: Mapping[str, tuple[tuple[str, ...], Maker]] = {
    "events": (texts.EVENTS, _events),
    "features": (texts.FEATURES, _features),
    "latest-share": (texts.LATEST_SHARE, _latest_share),
    "constant-features": (texts.CONSTANT, _constant),
    "first-positive": (texts.FIRST_POSITIVE, _first_positive),
    "pruning": (texts.PRUNING, _pruning),
    "fairness": (texts.FAIRNESS, _fairness),
    "drift": (texts.DRIFT, _drift),
    "score-drift": (texts.SCORE_DRIFT, _score_drift),
    "quality": (texts.QUALITY, _quality),
    "statuses": (texts.STATUSES, _statuses),
    "event-weights": (texts.EVENT_WEIGHTS, _event_weights),
}
