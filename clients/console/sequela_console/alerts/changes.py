"""What would have to change for another decision: the smallest changes that the model itself confirms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sequela_client.alert_document.capabilities import Situation
from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import Edit
from sequela_client.alert_document.threshold import AlertThreshold
from sequela_client.feature_values.columns import NUMERIC, FeatureColumn, with_unit
from sequela_client.feature_values.display import number_display
from sequela_client.inputs import Sequence as EventSequence

from sequela_console.alerts.capable import require
from sequela_console.alerts.change_candidates import cell_changes
from sequela_console.alerts.change_search import PAIR_CELLS, ChangeSearch, FoundChange, SearchResult, Trial
from sequela_console.alerts.documents import MAX_TARGETS, alert_material, alert_situation
from sequela_console.alerts.parameters import alert_id, integer, number
from sequela_console.alerts.trials import changed, scores_of
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.state.trail import record

DEFAULT_ROWS, MAX_ROWS = 3000, 20_000
MAX_SECONDS = 15.0
"""The time limit of a search, since somebody waits for it; what has been found by then is shown."""
MAX_CALL_BYTES = 2_000_000
"""A call with more is refused by the service, whose limit is 4 MB unless the operator has set another."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that takes the score across the threshold, see `Change` in types.ts."""

    edits: tuple[dict[str, Any], ...]
    score: float
    size: float


@dataclass(frozen=True, slots=True)
class SearchedCells:
    """How much was tried."""

    cells: int
    pairs: int


@dataclass(frozen=True, slots=True)
class ChangesResult:
    """What would have to change, see `ChangesResult` in types.ts."""

    threshold: float
    score: float
    changes: tuple[Change, ...]
    rows: int
    searched: SearchedCells
    exhausted: bool
    message: str


def post_changes(console: Console, question: Question) -> ChangesResult:
    """Answers POST /api/alerts/{id}/changes."""
    id, body = alert_id(question.path), question.body
    target = integer(body, "target", 0, MAX_TARGETS - 1, 0)
    max_rows = integer(body, "max_rows", 1, MAX_ROWS, DEFAULT_ROWS)
    asked = number(body, "threshold")
    material = alert_material(console, question.visitor, id, target)
    situation = alert_situation(console, question.visitor, material)
    if asked is not None:
        situation = _with_threshold(situation, asked)
    require(material, situation, "changes")
    threshold = situation.threshold.value
    assert threshold is not None
    result = _result(material, threshold, _search(question, material, threshold, max_rows))
    record(console.state, id, "scored", question.visitor, "search for other decisions")
    return result


def _with_threshold(situation: Situation, threshold: float) -> Situation:
    return Situation(
        AlertThreshold(threshold, "setting"),
        situation.stored,
        situation.online,
        situation.may_explain,
        situation.background_problem,
    )


def _search(question: Question, material: Material, threshold: float, max_rows: int) -> SearchResult:
    end = time.monotonic() + MAX_SECONDS
    search = ChangeSearch(
        scores=_scorer(question, material),
        threshold=threshold,
        score=_score(material),
        max_rows=max_rows,
        is_late=lambda: time.monotonic() > end,
    )
    return search.run(cell_changes(material))


def _scorer(question: Question, material: Material) -> Callable[[Sequence[Trial]], list[float]]:
    def scores(trials: Sequence[Trial]) -> list[float]:
        sequences = [changed(material, tuple(change.edit for change in trial)) for trial in trials]
        return [score for each in _calls(sequences) for score in scores_of(question, material, each)]

    return scores


def _calls(sequences: list[EventSequence]) -> Iterator[list[EventSequence]]:
    """Yields sequences in groups that fit into a call."""
    size = sum(array.nbytes for array in _arrays(sequences[0]))
    number = max(1, MAX_CALL_BYTES // max(size, 1))
    for start in range(0, len(sequences), number):
        yield sequences[start : start + number]


def _arrays(sequence: EventSequence) -> list[Any]:
    assert isinstance(sequence.inputs, dict)
    return list(sequence.inputs.values())


def _score(material: Material) -> float:
    return material.explanation.targets[material.target].raw_score


def _result(material: Material, threshold: float, found: SearchResult) -> ChangesResult:
    changes = tuple(_change(material, each) for each in found.found)
    return ChangesResult(
        threshold=threshold,
        score=_score(material),
        changes=changes,
        rows=found.rows,
        searched=SearchedCells(found.cells, found.pairs),
        exhausted=found.exhausted,
        message=_message(material, threshold, found),
    )


def _change(material: Material, found: FoundChange) -> Change:
    edits = tuple(_edit(material, change.edit) for change in found.trial)
    return Change(edits, found.score, found.size)


def _edit(material: Material, edit: Edit) -> dict[str, Any]:
    column = _column(material, edit)
    row = 0 if column.feature.static else len(column.codes) - 1 + edit.t
    return {
        "t": edit.t,
        "feature": edit.feature,
        "to": edit.to,
        "from": column.text_with_unit(row),
        "fromNumber": column.number(row),
        "toText": _text(column, edit.to),
        "label": column.feature.label or column.feature.name,
    }


def _column(material: Material, edit: Edit) -> FeatureColumn:
    assert material.table is not None
    found = material.table.columns.get(edit.feature)
    return material.table.static[edit.feature] if found is None else found


def _text(column: FeatureColumn, to: float | str) -> str:
    if isinstance(to, str) or column.feature.kind != NUMERIC:
        return str(to)
    display = number_display(column.feature)
    return with_unit(column.feature, display.text(display.encoded(to)))


def _message(material: Material, threshold: float, found: SearchResult) -> str:
    side = "below" if _score(material) >= threshold else "to or above"
    goal = f"take the score {side} {threshold:.4g}"
    tried = f"{found.rows:,} changed histories were scored"
    limit = _limit(found)
    if found.found:
        number = len(found.found)
        what = "This change" if number == 1 else f"Each of these {number} changes"
        return f"{what} would {goal}, as the model itself says ({tried}).{limit}"
    if found.exhausted:
        return f"No usual value in one place, and none in two places together, would {goal} ({tried})."
    return f"Nothing that would {goal} was found before the search ended ({tried}); there may be such a change.{limit}"


def _limit(found: SearchResult) -> str:
    """Returns the sentence that says which pairs were not tried; empty if none were left out."""
    if not found.unpaired_cells:
        return ""
    return (
        f" Only pairs of the {PAIR_CELLS} facts whose own changes come closest were tried; a pair with another fact "
        "may do it as well."
    )
