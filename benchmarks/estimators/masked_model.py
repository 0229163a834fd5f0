"""The games of a model: the players of a level are masked in one sequence, and the value is the model's score."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from sequela.timeshap.players import Extent, Players, cell_players, event_players, unpruned_feature_players

from benchmarks.cases import Case
from benchmarks.estimators.known_game import Coalitions, Floats
from benchmarks.estimators.pair_values import enumerated, sampled
from benchmarks.peers.scorer import FromStates, Scorer
from benchmarks.stateful import with_states

TOLERANCE = 0.025
"""The pruning tolerance η, as in the other studies."""
TOP = 3
"""The number of events and of features that are split into cells."""
ROWS = 256
"""The number of sequences of a call: few enough for the processor's cache."""
SELECTION_COALITIONS = 8192
"""The number of coalitions that the strongest features are chosen by."""


@dataclass(frozen=True, eq=False)
class MaskedModel:
    """The values of coalitions: scores of the sequence in which other players' cells come from the background.

    Attributes:
        score: The model.
        sequence: The unpruned events, (k, d).
        background: The average event, (1, d).
        owners: The player that owns each cell of these events, (k, d).
        pasts: For a model that runs from states, its states after the pruned events of the background and of the
            sequence, (layers, 2, hidden). The pruned events are player 0.
    """

    score: Scorer
    sequence: Floats
    background: Floats
    owners: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    pasts: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None

    def __call__(self, coalitions: Coalitions) -> Floats:
        """Returns the values (n,) of coalitions (n, m)."""
        parts = [self._values(coalitions[i : i + ROWS]) for i in range(0, len(coalitions), ROWS)]
        return np.concatenate(parts)

    def _values(self, coalitions: Coalitions) -> Floats:
        rows = np.where(coalitions[:, self.owners], self.sequence, self.background)
        if self.pasts is None:
            return self.score(rows)[:, 0].astype(np.float64)
        assert isinstance(self.score, FromStates)
        scores, _ = self.score(rows, self.pasts[:, coalitions[:, 0].astype(np.intp)])
        return scores[:, 0].astype(np.float64)


@dataclass(frozen=True, eq=False)
class CaseLevels:
    """The games of one case, after pruning by TimeSHAP's Algorithm 1.

    Attributes:
        case: The model, the sequence and the background.
        folder: Where a model with states is written, if the model is a GRU.
        pruned: The number of pruned events.
    """

    case: Case
    folder: Path
    pruned: int

    @property
    def extent(self) -> Extent:
        """The size of the sequence."""
        return Extent(*self.case.columns.shape)

    def events(self) -> tuple[MaskedModel, int]:
        """Returns the game of the pruned block and each unpruned event, and its number of players."""
        return self._game(event_players(self.extent, (self.pruned,)))

    def features(self) -> tuple[MaskedModel, int]:
        """Returns the game of the pruned block and each feature, and its number of players."""
        return self._game(unpruned_feature_players(self.extent, self.pruned))

    def cells(self) -> tuple[MaskedModel, int]:
        """Returns the game of the cells of the strongest events and features, and its number of players."""
        length, _ = self.case.columns.shape
        of_events = enumerated(*self.events())[1:]
        worth, players = self.features()
        of_features = sampled(worth, players, SELECTION_COALITIONS, seed=0).values[1:, 0]
        events = [t - (length - self.pruned) + 1 for t in _strongest(of_events)]
        return self._game(cell_players(self.extent, self.pruned, events, _strongest(of_features)))

    def _game(self, players: Players) -> tuple[MaskedModel, int]:
        x, background = self.case.columns, self.case.background_columns
        if not (self.pruned and _is_recurrent(self.case.model)):
            whole = MaskedModel(Scorer(str(self.case.model), ROWS), x, background, players.grid)
            return whole, len(players)
        path = self.folder / f"{self.case.model.stem}_states.onnx"
        score = FromStates(str(with_states(self.case.model, path)), ROWS)
        past = np.stack([np.broadcast_to(background, x.shape), x])[:, : self.pruned]
        _, states = score(past)
        recent = slice(self.pruned, None)
        return MaskedModel(score, x[recent], background, players.grid[recent], states), len(players)


def levels(case: Case, folder: Path) -> CaseLevels:
    """Prunes the sequence of a case: the pruned events are the most whose block has |w1| < η."""
    x = case.columns
    background = np.broadcast_to(case.background_columns, x.shape)
    splits = range(1, len(x))
    older = [np.concatenate([x[:i], background[i:]]) for i in splits]
    recent = [np.concatenate([background[:i], x[i:]]) for i in splits]
    scores = Scorer(str(case.model))(np.stack([background, x, *older, *recent]))[:, 0].astype(np.float64)
    w1 = ((scores[2 : len(x) + 1] - scores[0]) + (scores[1] - scores[len(x) + 1 :])) / 2
    prunable = np.flatnonzero(np.abs(w1) < TOLERANCE)
    return CaseLevels(case, folder, int(prunable[-1]) + 1 if len(prunable) else 0)


def _strongest(attributions: Floats) -> Sequence[int]:
    return [int(each) for each in np.argsort(-np.abs(attributions), kind="stable")[:TOP]]


def _is_recurrent(model: Path) -> bool:
    return any(node.op_type == "GRU" for node in onnx.load(model).graph.node)
