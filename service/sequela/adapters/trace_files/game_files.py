"""The files of one game: its arrays, its players and its stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.trace_files.facts import Facts, meaning
from sequela.adapters.trace_files.folder import TraceFolder, never_raises
from sequela.concurrency.deadline import Deadline
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.layout import Layout
from sequela.explain.options import Estimator
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution

PLAYERS = ("player", "kind", "first_event", "last_event", "feature", "feature_name", "live", "meaning")
STAGES = ("coalitions", "seconds", "estimator", "largest_standard_error")


class GameFiles:
    """Collects a game in memory, and writes it when it has finished. Implements `GameTrace`.

    Args:
        folder: Where the files are written.
        name: The part of the files' names before the dot.
        facts: The facts about the game, which this class completes and the folder's owner writes.
        players: All players of the game.
        live: Which of them are not null players, (players,).
        base_and_score: f(B) and f(X) on the link's scale, (2, targets).
        layout: The model's inputs and features.
    """

    def __init__(
        self,
        folder: TraceFolder,
        name: str,
        facts: Facts,
        players: Players,
        live: NDArray[np.bool_],
        base_and_score: NDArray[np.float64],
        layout: Layout,
    ) -> None:
        self.folder = folder
        self._name, self._facts, self._layout = name, facts, layout
        self._features = tuple(each.name for each in layout.features)
        self._players, self._live, self._base_and_score = players, live, base_and_score
        self._coalitions: list[NDArray[np.bool_]] = []
        self._values: list[NDArray[np.float64]] = []
        self._rows = self._rows_kept = 0
        self._stages: list[tuple[object, ...]] = []
        self._start = Deadline.now()

    @never_raises
    def evaluated(self, coalitions: NDArray[np.bool_], values: NDArray[np.float64]) -> None:
        """As in `GameTrace`. Rows that no longer fit are left out, and all after them."""
        self._rows += len(coalitions)
        # Rows were left out before, and later rows must not follow a gap.
        if self._rows_kept < self._rows - len(coalitions):
            return
        kept = self.folder.reserve_rows(len(coalitions), len(self._players) + values[0].nbytes)
        self._coalitions.append(coalitions[:kept])
        self._values.append(values[:kept])
        self._rows_kept += kept

    @never_raises
    def solved(self, coalitions: int, solution: Solution, estimator: Estimator) -> None:
        """As in `GameTrace`."""
        seconds = Deadline.now() - self._start
        largest = solution.largest_error.max(initial=0.0).item()
        self._stages.append((coalitions, seconds, estimator, largest))

    @never_raises
    def finished(self, outcome: GameOutcome) -> None:
        """As in `GameTrace`."""
        self.folder.write_arrays(f"{self._name}.npz", self._rows_and_scores)
        # The rows come first, since everything else can be derived, and `owners` alone can be large.
        self.folder.write_fitting_arrays(f"{self._name}_players.npz", self._owners())
        self._write_players(outcome.solution)
        self.folder.write_table(f"{self._name}_stages.csv", STAGES, self._stages)
        if self._rows_kept < self._rows:
            left_out = f"the last {self._rows - self._rows_kept} of {self._rows} coalitions did not fit"
            self.folder.left_out.append(f"{self._name}.npz: {left_out}")
        self._facts.update(
            stop_reason=outcome.reason,
            detail=outcome.detail,
            coalitions=outcome.coalitions,
            rows=self._rows_kept,
            clipped_coalitions=outcome.clipped,
            estimator=outcome.estimator,
            out_of_time=outcome.out_of_time,
            seconds=outcome.seconds,
        )

    def _rows_and_scores(self) -> dict[str, NDArray[Any]]:
        """Returns the evaluated rows, with a column for every player. Null players are in no coalition."""
        targets = self._base_and_score.shape[1]
        wide = np.zeros((self._rows_kept, len(self._players)), dtype=np.bool_)
        wide[:, self._live] = np.concatenate([np.zeros((0, self._live.sum()), np.bool_), *self._coalitions])
        return {
            "coalitions": wide,
            "values": np.concatenate([np.zeros((0, targets)), *self._values]),
            "base": self._base_and_score[0],
            "score": self._base_and_score[1],
            "live": self._live,
        }

    def _owners(self) -> dict[str, NDArray[Any]]:
        """Returns the player that owns each value of each input, in the shapes of `inputs.npz`."""
        players, layout = self._players, self._layout
        events = [players.grid[:, columns] for columns in layout.columns.events]
        static = [
            np.full(item.width, owner) for item, owner in zip(layout.static, players.static, strict=True)
        ]
        return {f"owners_{number}": each.astype(np.int32) for number, each in enumerate((*events, *static))}

    def _write_players(self, solution: Solution | None) -> None:
        targets = range(self._base_and_score.shape[1])
        header = [*PLAYERS]
        for target in targets:
            header += [f"attribution_{target}", f"standard_error_{target}"]
        rows = [self._player(number, solution) for number in range(len(self._players))]
        self.folder.write_table(f"{self._name}_players.csv", header, rows)

    def _player(self, number: int, solution: Solution | None) -> Sequence[object]:
        player = self._players.names[number]
        name = "" if player.feature is None else self._features[player.feature]
        numbers: list[object] = [None] * (2 * self._base_and_score.shape[1])
        if solution is not None:
            numbers = np.stack([solution.values[number], solution.errors[number]], axis=1).ravel().tolist()
        place = (player.first_event, player.last_event, player.feature, name)
        words = meaning(player, self._features)
        return (number, player.kind, *place, bool(self._live[number]), words, *numbers)
