"""Games to measure estimators on: random GRUs whose Shapley values are known, exactly or closely."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.scorer import Scorer

HIDDEN = 16
GAIN = 1.5  # scale of the weights, relative to 1/sqrt(fan-in): players interact, and the output does not saturate
ROWS = 4096  # number of coalitions evaluated at a time
OPSET = 18
IR_VERSION = 9

Floats = npt.NDArray[np.float64]
Coalitions = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Game:
    """A game: a sequence (l, d), a background event (1, d), the player that owns each cell (l, d), and the model."""

    name: str
    model: Path
    sequence: Floats
    background: Floats
    players: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        """The number of players."""
        return int(self.players.max()) + 1

    def values(self, coalitions: Coalitions, score: Scorer) -> Floats:
        """Returns the values (k) of coalitions (k, m)."""
        batches = (coalitions[i : i + ROWS] for i in range(0, len(coalitions), ROWS))
        masked = (np.where(batch[:, self.players], self.sequence, self.background) for batch in batches)
        return np.concatenate([score(sequences)[:, 0].astype(np.float64) for sequences in masked])


def write_gru(path: Path, width: int, rng: np.random.Generator) -> None:
    """Writes a random GRU over (n, l, width) whose final state gives (n, 1) probabilities."""

    def random(name: str, *shape: int) -> onnx.TensorProto:
        weights = rng.normal(size=shape) * GAIN / np.sqrt(shape[-1])
        return numpy_helper.from_array(weights.astype(np.float32), name)

    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "W", "R", "B"], ["", "state"], hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["state", "first"], ["last"]),
        helper.make_node("Gemm", ["last", "head"], ["logit"], transB=1),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    weights = [
        random("W", 1, 3 * HIDDEN, width),
        random("R", 1, 3 * HIDDEN, HIDDEN),
        random("B", 1, 6 * HIDDEN),
        random("head", 1, HIDDEN),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "first"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "l", width])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])
    graph = helper.make_graph(nodes, "random_gru", [x], [score], weights)
    opsets = [helper.make_opsetid("", OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION), path)


def random_game(folder: Path, seed: int, axis: str, size: int, length: int, width: int) -> Game:
    """Returns a random GRU's game of `size` features or events over a sequence (length, width). Writes its model."""
    rng = np.random.default_rng(seed)
    path = folder / f"gru_{size}_{axis}.onnx"
    write_gru(path, width, rng)
    owners = np.arange(width) if axis == "features" else np.arange(length)[:, np.newaxis]
    return Game(
        name=f"{size} {axis}",
        model=path,
        sequence=rng.normal(size=(length, width)),
        background=0.3 * rng.normal(size=(1, width)),
        players=np.broadcast_to(owners, (length, width)).copy(),
    )


def games(folder: Path) -> Iterator[Game]:
    """Yields games with 14 and 30 features, and with 14 and 30 events, as players. Writes their models to a folder."""
    for seed, (axis, size, length, width) in enumerate(
        (("features", 14, 12, 14), ("events", 14, 14, 6), ("features", 30, 12, 30), ("events", 30, 30, 6))
    ):
        yield random_game(folder, seed, axis, size, length, width)


def enumerated(game: Game, score: Scorer) -> Floats:
    """Computes Shapley values (m) by their definition, from all coalitions."""
    m = game.size
    masks = np.arange(1 << m)
    inside = (masks[:, np.newaxis] >> np.arange(m)) & 1 == 1
    values = game.values(inside, score)
    sizes = inside.sum(axis=1)
    # |S|! (m - |S| - 1)! / m! for each size of S
    weights = np.array([1.0 / (m * comb(m - 1, size)) for size in range(m)])
    shapley = np.empty(m)
    for player in range(m):
        without = masks[~inside[:, player]]
        gains = values[without | (1 << player)] - values[without]
        shapley[player] = weights[sizes[without]] @ gains
    return shapley


def permuted(game: Game, score: Scorer, permutations: int, seed: int) -> tuple[Floats, Floats]:
    """Estimates Shapley values (m) as mean gains over random orders and their reverses, with standard errors (m).

    It shares nothing with the regressions that it checks, neither the sample nor the formula. `permutations` is the
    number of pairs of orders; each pair takes 2 (m - 1) model rows.
    """
    m, rng = game.size, np.random.default_rng(seed)
    ends = game.values(np.array([[False] * m, [True] * m]), score)
    means = []
    for start in range(0, permutations, ROWS // m):
        count = min(ROWS // m, permutations - start)
        orders = rng.permuted(np.tile(np.arange(m), (count, 1)), axis=1)
        gains = np.empty((2, count, m))
        for half, order in enumerate((orders, orders[:, ::-1])):
            rank = np.argsort(order, axis=1)
            prefixes = rank[:, np.newaxis, :] < np.arange(1, m)[:, np.newaxis]
            inner = game.values(prefixes.reshape(-1, m), score).reshape(count, m - 1)
            path = np.column_stack([np.full(count, ends[0]), inner, np.full(count, ends[1])])
            np.put_along_axis(gains[half], order, np.diff(path, axis=1), axis=1)
        means.append(gains.mean(axis=0))
    samples = np.concatenate(means)
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
