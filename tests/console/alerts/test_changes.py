"""The smallest changes: against trying everything, on models made up here, and on the model of the demo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from console.alerts.conftest import AlertConsole
from sequela_client.alert_document.parts import Edit
from sequela_console.alerts.change_candidates import CellChange
from sequela_console.alerts.change_search import MAX_FOUND, PAIR_CELLS, ChangeSearch, SearchResult, Trial
from sweeps import first_few

Model = Callable[[Sequence[CellChange]], float]
EVERYTHING = 10**6


CELLS = 16


def made_up(seed: int) -> tuple[list[list[CellChange]], Model]:
    """More cells than pairs are made of if rows are few, some of which nobody can change, and a model with
    interactions that are not monotonic.
    """
    rng = np.random.default_rng(seed)
    cells = [
        sorted(
            (
                CellChange(
                    Edit(-(cell // 3), f"f{cell % 3}", float(number)),
                    float(rng.uniform(1, 60)),
                    cell % 5 == 4,
                )
                for number in range(int(rng.integers(1, 6)))
            ),
            key=lambda change: change.size,
        )
        for cell in range(CELLS)
    ]
    spread = float(rng.uniform(0.2, 1.6))
    effects = {
        (each.edit.t, each.edit.feature, each.edit.to): rng.normal(0, spread) for c in cells for each in c
    }

    def score(trial: Sequence[CellChange]) -> float:
        parts = [effects[each.edit.t, each.edit.feature, each.edit.to] for each in trial]
        return 1.5 + sum(parts) + 0.8 * float(np.sin(3 * np.prod([1.0, *parts])))

    return cells, score


def smallest_changes(cells: list[list[CellChange]], score: Model) -> list[Trial]:
    """Every single change and every pair, tried one after the other: the smallest of each cell that crosses, and the
    smallest of each pair of cells that comes before all of those.
    """

    def best(trials: Iterable[Trial]) -> list[Trial]:
        return sorted((each for each in trials if (score(each) >= 0.0) != (score(()) >= 0.0)), key=rank)[:1]

    singles = sorted((each for cell in cells for each in best((change,) for change in cell)), key=rank)
    pairs = [each for first, second in combinations(cells, 2) for each in best(product(first, second))]
    before = [each for each in sorted(pairs, key=rank) if not singles or rank(each) < rank(singles[0])]
    return sorted([*singles[:MAX_FOUND], *before[:MAX_FOUND]], key=rank)


def rank(trial: Sequence[CellChange]) -> tuple[bool, float]:
    return any(each.last for each in trial), sum(each.size for each in trial)


def searched(cells: list[list[CellChange]], score: Model, rows: int = EVERYTHING) -> SearchResult:
    def scores(trials: Sequence[Sequence[CellChange]]) -> list[float]:
        return [score(each) for each in trials]

    return ChangeSearch(scores, threshold=0.0, score=score(()), max_rows=rows).run(cells)


@pytest.mark.parametrize("seed", first_few(range(20), 6))
def test_nothing_smaller_was_missed(seed: int) -> None:
    """Trying every change of one cell, and every pair, finds the same ones."""
    cells, score = made_up(seed)
    result = searched(cells, score)
    assert [each.trial for each in result.found] == smallest_changes(cells, score)
    assert result.exhausted
    assert result.unpaired_cells == 0
    assert all(each.score == score(each.trial) for each in result.found)


def test_a_search_says_that_nothing_was_missed_only_if_it_is_true() -> None:
    """With any budget, the budget is kept, what is named crosses, and a search that claims to be complete is."""
    claims = []
    for seed, rows in product(range(12), (0, 1, 5, 12, 60, 200, 600, 1000)):
        cells, score = made_up(seed)
        result = searched(cells, score, rows)
        assert result.rows <= rows
        assert all((score(each.trial) >= 0.0) != (score(()) >= 0.0) for each in result.found)
        if result.exhausted:
            assert [each.trial for each in result.found] == smallest_changes(cells, score)
        claims.append((rows, result.exhausted))
    assert not any(exhausted for rows, exhausted in claims if rows < PAIR_CELLS)
    assert {True, False} == {exhausted for rows, exhausted in claims if rows == 1000}


def plain_cells(number: int, changes: int = 1, last: int = -1) -> list[list[CellChange]]:
    """Cells whose changes have the sizes 1, 2, …; nobody can make those of the last one."""
    return [
        [CellChange(Edit(0, f"f{cell}", float(to)), float(to), cell == last) for to in range(1, changes + 1)]
        for cell in range(number)
    ]


def only_together(first: int, second: int) -> Model:
    """A score that falls below 0 only if both of two features change, neither of which has an effect of its own."""

    def score(trial: Sequence[CellChange]) -> float:
        names = {each.edit.feature for each in trial}
        return (
            1.0
            - 2.0 * ({f"f{first}", f"f{second}"} <= names)
            - 0.01 * len(names - {f"f{first}", f"f{second}"})
        )

    return score


def test_a_pair_without_effects_of_their_own() -> None:
    """All pairs are tried if the rows are enough; otherwise the search says that it left some out."""
    cells, score = plain_cells(20), only_together(7, 19)
    result = searched(cells, score)
    assert [[each.edit.feature for each in found.trial] for found in result.found] == [["f7", "f19"]]
    assert (result.pairs, result.unpaired_cells, result.exhausted) == (190, 0, True)
    few = searched(cells, score, 100)
    assert (few.found, few.pairs, few.unpaired_cells, few.exhausted) == ((), 66, 8, False)


def test_a_change_that_nobody_can_make_hides_no_pair() -> None:
    """A pair that somebody can make comes before a smaller single change that nobody can make."""
    cells = plain_cells(3, 3, last=2)

    def score(trial: Sequence[CellChange]) -> float:
        names = {each.edit.feature for each in trial}
        return -1.0 if "f2" in names or names == {"f0", "f1"} else 1.0

    result = searched(cells, score)
    assert [[each.edit.feature for each in found.trial] for found in result.found] == [["f0", "f1"], ["f2"]]
    assert [found.size for found in result.found] == [2.0, 1.0]
    assert result.exhausted


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_no_decision(score: float) -> None:
    result = searched(plain_cells(4, 2), lambda trial: score if trial else 1.0)
    assert result.found == ()


def test_the_time_is_used_up() -> None:
    """A late search ends at once, and says that it did not try everything."""
    cells, score = made_up(1)
    search = ChangeSearch(lambda _: pytest.fail("too late"), 0.0, score(()), EVERYTHING, lambda: True)
    assert search.run(cells) == SearchResult((), 0, 0, 0, 0, False)


def test_fixed_features_come_last() -> None:
    """What nobody can change is named after everything else, however small it is."""
    free = [CellChange(Edit(0, "free", 1.0), 50.0, False)]
    fixed = [CellChange(Edit(0, "fixed", 1.0), 1.0, True)]
    result = searched([fixed, free], lambda trial: 1.0 - 2 * len(trial))
    assert [each.trial[0].edit.feature for each in result.found] == ["free", "fixed"]


@pytest.mark.parametrize(
    ("caller_id", "limits"),
    [
        ("takeover-20", {"max_rows": 600}),
        pytest.param("takeover-20", {}, marks=pytest.mark.slow),
        pytest.param("false-alert", {}, marks=pytest.mark.slow),
    ],
)
def test_changes_of_an_alert(alerts: AlertConsole, caller_id: str, limits: dict[str, int]) -> None:
    """Every change crosses the threshold, and scoring it anew gives exactly the score that it names."""
    id = alerts.id_of(caller_id)
    answer = alerts.post(f"/api/alerts/{id}/changes", **limits)
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
    assert answer["changes"]
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
