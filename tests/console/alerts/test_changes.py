"""The smallest changes: against trying everything, on models made up here, and on the model of the demo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from console.alerts.conftest import AlertConsole
from sequela_console.alerts.change_candidates import CellChange
from sequela_console.alerts.change_search import MAX_FOUND, ChangeSearch, SearchResult
from sequela_console.feature_values.sequence_edits import Edit

Model = Callable[[Sequence[CellChange]], float]
EVERYTHING = 10**6


def made_up(seed: int) -> tuple[list[list[CellChange]], Model]:
    """Six cells of which each has up to five changes, and a model with interactions that are not monotonic."""
    rng = np.random.default_rng(seed)
    cells = [
        sorted(
            (
                CellChange(
                    Edit(-(cell // 3), f"f{cell % 3}", float(number)), float(rng.uniform(1, 60)), False
                )
                for number in range(int(rng.integers(1, 6)))
            ),
            key=lambda change: change.size,
        )
        for cell in range(6)
    ]
    effects = {
        (each.edit.t, each.edit.feature, each.edit.to): rng.normal(0, 1.0) for c in cells for each in c
    }

    def score(trial: Sequence[CellChange]) -> float:
        parts = [effects[each.edit.t, each.edit.feature, each.edit.to] for each in trial]
        return 1.5 + sum(parts) + 0.8 * float(np.sin(3 * np.prod([1.0, *parts])))

    return cells, score


def searched(cells: list[list[CellChange]], score: Model, rows: int = EVERYTHING) -> SearchResult:
    def scores(trials: Sequence[Sequence[CellChange]]) -> list[float]:
        return [score(each) for each in trials]

    return ChangeSearch(scores, threshold=0.0, score=score(()), max_rows=rows).run(cells)


def size(trial: Sequence[CellChange]) -> float:
    return sum(each.size for each in trial)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_smaller_was_missed(seed: int) -> None:
    """Trying every change of one cell, and every pair, finds the same ones first."""
    cells, score = made_up(seed)
    result = searched(cells, score)
    start = score(()) >= 0.0
    singles = {}
    for cell in cells:
        crossing = [change for change in cell if (score((change,)) >= 0.0) != start]
        if crossing:
            singles[cell[0].edit.t, cell[0].edit.feature] = min(crossing, key=lambda change: change.size)
    smallest = sorted(singles.values(), key=lambda change: change.size)
    found = [each.trial[0] for each in result.found if len(each.trial) == 1]
    assert found == smallest[:MAX_FOUND]
    bound = smallest[0].size if smallest else float("inf")
    others = [cell for cell in cells if (cell[0].edit.t, cell[0].edit.feature) not in singles]
    pairs = sorted(
        (
            pair
            for first, second in combinations(others, 2)
            for pair in product(first, second)
            if size(pair) < bound and (score(pair) >= 0.0) != start
        ),
        key=size,
    )
    found_pairs = [each.trial for each in result.found if len(each.trial) == 2]
    assert [size(each) for each in found_pairs] == [size(each) for each in pairs[:MAX_FOUND]]
    assert result.exhausted
    assert [each.size for each in result.found] == sorted(each.size for each in result.found)
    assert all(each.score == score(each.trial) for each in result.found)


@pytest.mark.parametrize("rows", [0, 1, 5, 12])
def test_a_small_budget(rows: int) -> None:
    """The budget is kept, every change that is named crosses, and a search that ended early says so."""
    for seed in range(20):
        cells, score = made_up(seed)
        result = searched(cells, score, rows)
        assert result.rows <= rows
        assert all((score(each.trial) >= 0.0) != (score(()) >= 0.0) for each in result.found)
        if rows < sum(map(len, cells)):
            assert not result.exhausted or len(result.found) >= MAX_FOUND


def test_the_time_is_used_up() -> None:
    """A late search ends at once, and says that it did not try everything."""
    cells, score = made_up(1)
    search = ChangeSearch(lambda _: pytest.fail("too late"), 0.0, score(()), EVERYTHING, lambda: True)
    assert search.run(cells) == SearchResult((), 0, 0, 0, False)


def test_fixed_features_come_last() -> None:
    """What nobody can change is named after everything else, however small it is."""
    free = [CellChange(Edit(0, "free", 1.0), 50.0, False)]
    fixed = [CellChange(Edit(0, "fixed", 1.0), 1.0, True)]
    result = searched([fixed, free], lambda trial: 1.0 - 2 * len(trial))
    assert [each.trial[0].edit.feature for each in result.found] == ["free", "fixed"]


@pytest.mark.parametrize("caller_id", ["takeover-20", "false-alert"])
def test_changes_of_an_alert(alerts: AlertConsole, caller_id: str) -> None:
    """Every change crosses the threshold, and scoring it anew gives exactly the score that it names."""
    id = alerts.id_of(caller_id)
    answer = alerts.post(f"/api/alerts/{id}/changes")
    assert answer["threshold"] == 0.8465
    assert answer["changes"]
    assert answer["searched"]["cells"] > 0
    document = alerts.get(f"/api/alerts/{id}")
    values = {each["t"]: each["values"] for each in document["history"]}
    for change in answer["changes"]:
        edits = [{name: edit[name] for name in ("t", "feature", "to")} for edit in change["edits"]]
        again = alerts.post(f"/api/alerts/{id}/score", edits=edits)
        assert again == {"score": change["score"], "alert": False}
        for edit in change["edits"]:
            value = values[edit["t"]][edit["feature"]]
            assert edit["from"] == (value["modelText"] or value["text"])
            assert edit["fromNumber"] == value["number"]
            assert not next(each for each in document["history"] if each["t"] == edit["t"])["pruned"]


@pytest.mark.slow
def test_a_score_below_the_threshold_goes_up(alerts: AlertConsole) -> None:
    """Below the threshold, changes take the score to it or above."""
    id = alerts.id_of("takeover-47")
    answer = alerts.post(f"/api/alerts/{id}/changes", threshold=0.9985, max_rows=2000)
    assert answer["score"] < 0.9985
    assert all(each["score"] >= 0.9985 for each in answer["changes"])
    assert answer["rows"] <= 2000


@pytest.mark.slow
def test_sizes_are_shifts_in_percentiles(alerts: AlertConsole) -> None:
    """A number's size is its shift among the values of other alerts, a category's half of 100 − its share."""
    id = alerts.id_of("false-alert")
    answer = alerts.post(f"/api/alerts/{id}/changes")
    own = alerts.service.get_explanation(f"explanations/{id}")
    names = [each.name for each in own.feature_info]
    others = [
        alerts.service.get_explanation(each.name).sequence.inputs
        for each in alerts.service.list_explanations()
        if each.name != own.name
    ]
    numeric = np.concatenate([each["numeric"][-200:] for each in others]).astype(np.float32)
    categorical = np.concatenate([each["categorical"][-200:] for each in others])
    sizes = 0
    for change in answer["changes"]:
        assert change["size"] == pytest.approx(
            sum(
                shift(alerts, id, edit, names.index(edit["feature"]), numeric, categorical)
                for edit in change["edits"]
            )
        )
        sizes += 1
    assert sizes > 2


def shift(alerts: AlertConsole, id: str, edit: Any, place: int, numeric: Any, categorical: Any) -> float:
    """The size of an edit, by counting."""
    if place >= 9:
        categories = next(
            each["categories"]
            for each in alerts.get(f"/api/alerts/{id}")["features"]
            if each["name"] == edit["feature"]
        )
        return float(100 - 100 * np.mean(categorical[:, place - 9] == categories.index(edit["to"]))) / 2
    feature = alerts.service.get_model("account_takeover").features[place]
    assert feature.display is not None
    sequence = alerts.service.get_explanation(f"explanations/{id}").sequence
    assert sequence is not None
    now = np.float32(sequence.inputs["numeric"][edit["t"] - 1, place])  # type: ignore[index,call-overload]
    to = np.float32(feature.display.encoded(edit["to"]))
    column = numeric[:, place]
    rank = [np.mean(column < each) + np.mean(column == each) / 2 for each in (now, to)]
    return float(100 * abs(rank[1] - rank[0]))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"threshold": "high"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"max_rows": 0}, "max_rows"),
        ({"max_rows": 10**9}, "max_rows"),
        ({"target": 9}, "target"),
        ({"target": "first"}, "target"),
    ],
    ids=str,
)
def test_wrong_searches(alerts: AlertConsole, body: dict[str, object], field: str) -> None:
    answer = alerts.refused("POST", f"/api/alerts/{alerts.id_of('takeover-20')}/changes", json=body)
    assert answer == (400, "PARAMETER_INVALID", field)
