"""The history of an explanation: every event with its values, standings and effects, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import HistoryEvent, HistoryValue
from sequela_client.attributions import Attribution, PlayerKind
from sequela_client.feature_values.columns import FeatureColumn
from sequela_client.feature_values.feature_table import FeatureTable
from sequela_client.feature_values.standings import Standing, standings_among_earlier
from sequela_client.inputs import EventInfo

Cells = Mapping[tuple[int, str], Attribution]


def history(material: Material) -> tuple[HistoryEvent, ...]:
    """Returns the known events, newest first: all of a kept sequence, otherwise those that were explained."""
    values = _from_table(material) if material.table else _from_texts(material)
    effects = {each.t: each for each in material.explanation.events}
    return tuple(_event(material, t, found, effects.get(t)) for t, found in values)


def _event(
    material: Material, t: int, values: Mapping[str, HistoryValue], effect: Attribution | None
) -> HistoryEvent:
    info = material.infos.get(t, EventInfo())
    return HistoryEvent(
        t=t,
        id=info.id,
        time=info.time,
        pruned=t < material.oldest_unpruned,
        values=values,
        value=effect.values[material.target] if effect else None,
        standard_error=effect.standard_errors[material.target] if effect else None,
    )


def _from_texts(material: Material) -> Iterator[tuple[int, dict[str, HistoryValue]]]:
    """Yields the events of an explanation whose sequence cannot be read, with the texts that it has."""
    cells = _cells(material)
    units = {each.name: each.unit for each in material.explanation.feature_info}
    for event in material.explanation.event_values:
        texts = {
            name: f"{text} {units[name]}" if text and units.get(name) else text
            for name, text in event.values.items()
        }
        texts |= {name: text for name, text in event.info.display.items() if name in units}
        values = {name: HistoryValue(text) for name, text in texts.items()}
        yield (
            event.t,
            {
                name: _with_effect(material, cells.get((event.t, name)), value)
                for name, value in values.items()
            },
        )


def _from_table(material: Material) -> Iterator[tuple[int, dict[str, HistoryValue]]]:
    table = material.table
    assert table is not None
    cells, infos = _cells(material), material.infos
    own = {
        name: standings_among_earlier(column.codes, column.has_order)
        for name, column in table.columns.items()
    }
    for t in range(0, -len(table.rows), -1):
        display = infos.get(t, EventInfo()).display
        yield (
            t,
            {
                name: _with_effect(
                    material,
                    cells.get((t, name)),
                    _value(material, table, t, column, display.get(name, ""), own[name][table.row(t)]),
                )
                for name, column in table.columns.items()
            },
        )


def _value(
    material: Material, table: FeatureTable, t: int, column: FeatureColumn, said: str, own: Standing | None
) -> HistoryValue:
    row, name = table.row(t), column.feature.name
    text = column.text_with_unit(row)
    return HistoryValue(
        text=said or text,
        number=column.number(row),
        model_text="" if said in ("", text, column.text(row)) else text,
        own=own,
        cohort=material.reference.standing(name, float(column.codes[row]), column.has_order),
    )


def _cells(material: Material) -> Cells:
    return {
        (each.t, each.feature): each
        for each in material.explanation.cells
        if each.kind is PlayerKind.CELL and each.t is not None and each.feature is not None
    }


def _with_effect(material: Material, cell: Attribution | None, value: HistoryValue) -> HistoryValue:
    if cell is None:
        return value
    return HistoryValue(
        value.text,
        value.number,
        value.model_text,
        value.own,
        value.cohort,
        cell.values[material.target],
        cell.standard_errors[material.target],
    )
