"""Searches the smallest changes that take a score across a threshold.

Candidates are tried from the smallest to the largest, so that nothing smaller is missed as long as the budget of rows
lasts. It knows nothing of models: it is given the candidates and a function that scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import inf, isfinite

from sequela_console.alerts.change_candidates import CellChange

PAIR_CELLS = 12
"""If not all pairs can be tried, they are made of this many cells: those whose own changes take the score nearest to
the threshold.
"""
MAX_FOUND = 5
"""How many changes of one cell, and how many of two, are named."""
BATCH = 128
SINGLES_SHARE = 0.6
"""The share of the rows for single cells, if they are too many to try all."""

Trial = tuple[CellChange, ...]
Rank = tuple[bool, float]
Scores = Callable[[Sequence[Trial]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class FoundChange:
    """A change that takes the score across the threshold, and the score that the model gave."""

    trial: Trial
    score: float

    @property
    def size(self) -> float:
        """The sum of the sizes of its parts."""
        return _size(self.trial)

    @property
    def rank(self) -> Rank:
        """What it is sorted by: changes that nobody can make come last."""
        return _rank(self.trial)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search has found.

    Args:
        found: changes across the threshold, the smallest first.
        rows: how many changes the model scored.
        cells: how many cells were tried.
        pairs: how many pairs of cells were tried.
        unpaired_cells: how many cells no pairs were made of, although such a pair may be smaller than what was found.
        exhausted: whether nothing smaller can have been missed.
    """

    found: tuple[FoundChange, ...]
    rows: int
    cells: int
    pairs: int
    unpaired_cells: int
    exhausted: bool


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """What the search of pairs has found.

    Args:
        found: the smallest change of each pair of cells that crosses the threshold, the smallest first.
        count: how many pairs of cells were tried.
        unpaired_cells: see SearchResult.
        exhausted: whether no smaller pair of the other cells can have been missed.
    """

    found: list[FoundChange]
    count: int
    unpaired_cells: int
    exhausted: bool


@dataclass(slots=True)
class ChangeSearch:
    """One search.

    Args:
        scores: scores some trials, in their order.
        threshold: the score to cross.
        score: the score without any change.
        max_rows: how many trials may be scored.
        is_late: returns whether the time is used up.
    """

    scores: Scores
    threshold: float
    score: float
    max_rows: int
    is_late: Callable[[], bool] = lambda: False
    rows: int = field(default=0, init=False)

    def run(self, cells: Sequence[Sequence[CellChange]]) -> SearchResult:
        """Tries single cells, then pairs.

        Args:
            cells: the changes of each cell, the smallest first.
        """
        trials, all_given = self._singles(cells)
        scored, all_scored = self._scored_singles(trials)
        if not all_given:
            scored += self._skipped(cells, scored)
        singles = self._smallest_of_each_cell(scored)
        pairs = self._pairs(cells, scored, min((each.rank for each in singles), default=(True, inf)))
        found = sorted([*singles[:MAX_FOUND], *pairs.found], key=lambda each: each.rank)
        return SearchResult(
            found=tuple(found),
            rows=self.rows,
            cells=len({_cell(each.trial[0]) for each in scored}),
            pairs=pairs.count,
            unpaired_cells=pairs.unpaired_cells,
            exhausted=all_given and all_scored and pairs.exhausted and not pairs.unpaired_cells,
        )

    def crosses(self, score: float) -> bool:
        """Returns whether a score lies on the other side of the threshold. At the threshold is above.

        A score that is not a finite number lies on neither side.
        """
        return isfinite(score) and (score >= self.threshold) != (self.score >= self.threshold)

    def _singles(self, cells: Sequence[Sequence[CellChange]]) -> tuple[list[Trial], bool]:
        """Returns the changes of single cells, the smallest first and those that nobody can make last, and whether
        these are all of them.
        """
        number = sum(map(len, cells))
        most = number if number <= self.max_rows else int(self.max_rows * SINGLES_SHARE)
        share = max(1, most // max(len(cells), 1))
        chosen = cells if number <= most else [_spread(cell, share) for cell in cells]
        trials: list[Trial] = sorted(((change,) for cell in chosen for change in cell), key=_rank)
        return trials, number <= most

    def _scored_singles(self, trials: Sequence[Trial]) -> tuple[list[FoundChange], bool]:
        """Scores changes of single cells until enough cells have one across the threshold.

        Returns:
            What was scored, and whether nothing smaller can have been missed. Of each cell, only the smallest change
            that crosses is of interest, so larger ones are not scored.
        """
        scored: list[FoundChange] = []
        crossed: set[tuple[int, str]] = set()
        waiting = list(trials)
        while waiting and len(crossed) < MAX_FOUND:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            answers = self._scored(batch)
            for each in answers:
                if _cell(each.trial[0]) not in crossed:
                    scored.append(each)
                    crossed |= {_cell(each.trial[0])} if self.crosses(each.score) else set()
            if len(answers) < len(batch):
                return scored, False
            waiting = [each for each in waiting if _cell(each[0]) not in crossed]
        return scored, True

    def _skipped(
        self, cells: Sequence[Sequence[CellChange]], scored: Sequence[FoundChange]
    ) -> list[FoundChange]:
        """Scores the changes that were left out and are smaller than one of the same cell that crosses."""
        tried = {each.trial[0] for each in scored}
        sizes = {_cell(each.trial[0]): each.size for each in scored if self.crosses(each.score)}
        trials = sorted(
            (
                (change,)
                for cell in cells
                for change in cell
                if change.size < sizes.get(_cell(change), 0.0) and change not in tried
            ),
            key=_rank,
        )
        return [
            each
            for start in range(0, len(trials), BATCH)
            for each in self._scored(trials[start : start + BATCH])
        ]

    def _smallest_of_each_cell(self, scored: Sequence[FoundChange]) -> list[FoundChange]:
        """Returns the smallest change of each cell that crosses the threshold."""
        smallest: dict[tuple[int, str], FoundChange] = {}
        for each in sorted(scored, key=lambda each: each.rank):
            if self.crosses(each.score):
                smallest.setdefault(_cell(each.trial[0]), each)
        return list(smallest.values())

    def _pairs(
        self, cells: Sequence[Sequence[CellChange]], scored: Sequence[FoundChange], bound: Rank
    ) -> FoundPairs:
        """Returns the pairs that come before any single change."""
        below = ([change for change in cell if _rank((change,)) < bound] for cell in cells)
        cells = [cell for cell in below if cell]
        chosen = self._pair_cells(cells, scored)
        trials = _pairs_before(bound, chosen)
        complete = len(trials) <= self.max_rows - self.rows
        if not complete:
            trials = _pairs_before(bound, [self._promising(cell, scored) for cell in chosen])
        found, count, all_scored = self._scored_pairs(trials)
        last = found[-1].rank if len(found) == MAX_FOUND else bound
        return FoundPairs(found, count, _unpaired_cells(cells, chosen, last), complete and all_scored)

    def _scored_pairs(self, trials: Sequence[Trial]) -> tuple[list[FoundChange], int, bool]:
        """Scores pairs until enough pairs of cells have one across the threshold.

        Returns:
            The smallest of each pair of cells, how many pairs of cells were tried, and whether nothing smaller can have
            been missed.
        """
        found: dict[tuple[tuple[int, str], ...], FoundChange] = {}
        tried: set[tuple[tuple[int, str], ...]] = set()
        waiting, all_scored = list(trials), True
        while waiting and all_scored and len(found) < MAX_FOUND:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            answers = self._scored(batch)
            tried |= {_cells(each.trial) for each in answers}
            for each in filter(lambda each: self.crosses(each.score), answers):
                found.setdefault(_cells(each.trial), each)
            all_scored = len(answers) == len(batch)
            waiting = [each for each in waiting if _cells(each) not in found]
        return list(found.values())[:MAX_FOUND], len(tried), all_scored

    def _pair_cells(
        self, cells: Sequence[Sequence[CellChange]], scored: Sequence[FoundChange]
    ) -> list[Sequence[CellChange]]:
        """Returns all cells if all of their pairs can be scored; otherwise those whose own changes take the score
        nearest to the threshold.
        """
        if _pair_count(cells) <= self.max_rows - self.rows:
            return list(cells)
        best: dict[tuple[int, str], float] = {}
        for each in scored:
            cell, distance = _cell(each.trial[0]), self._distance(each)
            best[cell] = min(best.get(cell, inf), distance)
        nearest = sorted(range(len(cells)), key=lambda place: best.get(_cell(cells[place][0]), inf))
        return [cells[place] for place in sorted(nearest[:PAIR_CELLS])]

    def _promising(self, cell: Sequence[CellChange], scored: Sequence[FoundChange]) -> list[CellChange]:
        """Returns the changes of a cell that get nearer to the threshold than all smaller ones."""
        distances = {each.trial[0]: self._distance(each) for each in scored}
        kept, nearest = [], inf
        for change in cell:
            if (distance := distances.get(change, inf)) < nearest:
                kept.append(change)
                nearest = distance
        return kept

    def _distance(self, found: FoundChange) -> float:
        return abs(found.score - self.threshold) if isfinite(found.score) else inf

    def _scored(self, batch: Sequence[Trial]) -> list[FoundChange]:
        """Scores trials as far as the budget goes."""
        batch = batch[: self.max_rows - self.rows]
        if not batch or self.is_late():
            return []
        self.rows += len(batch)
        return list(map(FoundChange, batch, self.scores(batch)))


def _pairs_before(bound: Rank, cells: Sequence[Sequence[CellChange]]) -> list[Trial]:
    pairs = (pair for first, second in combinations(cells, 2) for pair in product(first, second))
    return sorted((pair for pair in pairs if _rank(pair) < bound), key=_rank)


def _pair_count(cells: Sequence[Sequence[CellChange]]) -> int:
    numbers = list(map(len, cells))
    return (sum(numbers) ** 2 - sum(each**2 for each in numbers)) // 2


def _unpaired_cells(
    cells: Sequence[Sequence[CellChange]], chosen: Sequence[Sequence[CellChange]], bound: Rank
) -> int:
    """Returns how many of the cells that were not chosen have a pair that comes before the bound."""
    inside = {_cell(cell[0]) for cell in chosen}
    smallest = [min(cell, key=lambda change: change.size) for cell in cells]
    # The partner that makes the smallest pair is the first by rank or by size, or the second beside itself.
    partners = [
        *sorted(smallest, key=lambda change: _rank((change,)))[:2],
        *sorted(smallest, key=lambda change: change.size)[:2],
    ]
    return sum(
        any(_rank((change, other)) < bound for other in partners if other is not change)
        for change in smallest
        if _cell(change) not in inside
    )


def _rank(trial: Trial) -> Rank:
    return any(each.last for each in trial), _size(trial)


def _size(trial: Trial) -> float:
    return sum(each.size for each in trial)


def _cell(change: CellChange) -> tuple[int, str]:
    return change.edit.t, change.edit.feature


def _cells(trial: Trial) -> tuple[tuple[int, str], ...]:
    return tuple(map(_cell, trial))


def _spread(cell: Sequence[CellChange], number: int) -> Sequence[CellChange]:
    """Returns some changes of a cell from the smallest to the largest, evenly spread."""
    if len(cell) <= number:
        return cell
    if number == 1:
        return cell[-1:]
    return [cell[round(place * (len(cell) - 1) / (number - 1))] for place in range(number)]
