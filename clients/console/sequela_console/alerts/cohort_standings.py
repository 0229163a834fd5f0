"""Where the values of an alert stand among the events of a cohort, in place of those of recent alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import AlertDocument, HistoryEvent, HistoryValue
from sequela_client.feature_values.columns import FeatureColumn
from sequela_client.feature_values.standings import Population, Standing, standing

from sequela_console.alert_index.records import REFERENCE_EVENTS
from sequela_console.cohort_files.catalogue import readable
from sequela_console.cohort_files.open_cohort import OpenCohort


@dataclass(frozen=True, slots=True)
class ShownValues:
    """The values of one feature at the events of a cohort, as they are shown.

    Args:
        counts: how many events have each text.
        numbers: those texts that are numbers, one for each event.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    numbers: Population = field(default_factory=lambda: Population.of(np.empty(0)))


def compared_with(document: AlertDocument, material: Material, cohort: OpenCohort) -> AlertDocument:
    """Returns the document with the standings of its values among the events of a cohort.

    Values are compared as they are shown, since files of cohorts have nothing else: numbers in units, and words.
    Each sequence counts with its latest events; the sequence of the same case is left out.
    """
    if material.table is None:
        return document
    with readable(cohort.name):
        values, events = shown_values(cohort, material.explanation.caller_id)
    table = material.table
    history = tuple(_compared(each, table.columns, table.row(each.t), values) for each in document.history)
    return replace(document, history=history, cohort_events=events, reference=cohort.name)


def shown_values(cohort: OpenCohort, without: str) -> tuple[Mapping[str, ShownValues], int]:
    """Returns the values of each feature, and the number of events, without the sequences of an id."""
    # The variants of a sequence have the same events.
    sequences = f"SELECT id, any_value(event_values) AS events FROM {cohort.rows.explained} GROUP BY id"  # noqa: S608
    events = f"(SELECT unnest(events) AS event FROM ({sequences}) WHERE id <> ?)"  # noqa: S608
    latest = f"event.t > {-REFERENCE_EVENTS}"
    texts = f"unnest(event.values) AS text, generate_subscripts(event.values, 1) AS place FROM {events} WHERE {latest}"
    found = cohort.query(
        f"SELECT place, text, count(*) AS n FROM (SELECT {texts}) WHERE text <> '' GROUP BY place, text",  # noqa: S608
        (without,),
    ).to_pylist()
    by_place: dict[int, dict[str, int]] = {}
    for each in found:
        by_place.setdefault(each["place"], {})[each["text"]] = each["n"]
    values = {
        feature.name: ShownValues(counts, _numbers(counts))
        for place, feature in enumerate(cohort.features, 1)
        if (counts := by_place.get(place))
    }
    total = cohort.query(f"SELECT count(*) AS n FROM {events} WHERE {latest}", (without,))  # noqa: S608
    return values, int(total.to_pylist()[0]["n"])


def _numbers(counts: Mapping[str, int]) -> Population:
    known = [(number, count) for text, count in counts.items() if (number := _number(text)) is not None]
    return Population.of(
        np.repeat([each[0] for each in known], [each[1] for each in known]).astype(np.float64)
    )


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _compared(
    event: HistoryEvent, columns: Mapping[str, FeatureColumn], row: int, values: Mapping[str, ShownValues]
) -> HistoryEvent:
    def compared(name: str, value: HistoryValue) -> HistoryValue:
        found = _standing(columns[name], row, value, values.get(name, ShownValues()))
        return replace(value, cohort=found)

    return replace(event, values={name: compared(name, value) for name, value in event.values.items()})


def _standing(column: FeatureColumn, row: int, value: HistoryValue, among: ShownValues) -> Standing | None:
    if column.has_order:
        return None if value.number is None else standing(value.number, True, among.numbers)
    total = sum(among.counts.values())
    return Standing(100.0 * among.counts.get(column.text(row), 0) / total, None, total) if total else None
