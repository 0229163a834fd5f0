"""An ONNX model as a function of sequences, used in our environment and in those of the peers."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

CACHED = 256  # rows that fit into the cache, which is three times as fast as tens of thousands in one call
AT_ONCE = 1 << 62
STATE_IN = "state_in_"
DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}

Sequences = npt.NDArray[np.floating]
Float32s = npt.NDArray[np.float32]


class Scorer:
    """Scores sequences (n, l, d) as (n, 1), with `batch` rows a call and `threads` threads (0: one for each core).

    The columns of a model with several inputs are concatenated, in the model's order.
    """

    def __init__(self, model: str, batch: int = CACHED, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._inputs = [each for each in self._session.get_inputs() if not each.name.startswith(STATE_IN)]
        self._batch = batch
        self.rows = self.calls = 0

    def __call__(self, sequences: Sequences) -> Float32s:
        """The scores of any number of rows."""
        self.rows += len(sequences)
        scores = [self._session.run(None, self._feed(sequences[part]))[0] for part in self._parts(sequences)]
        return np.concatenate(scores).reshape(-1, 1)

    def _parts(self, sequences: Sequences) -> Iterator[slice]:
        self.calls += -(-len(sequences) // self._batch)
        return (slice(i, i + self._batch) for i in range(0, len(sequences), self._batch))

    def _feed(self, sequences: Sequences) -> dict[str, npt.NDArray[np.generic]]:
        feed, first = {}, 0
        for each in self._inputs:
            columns = sequences[:, :, first : first + each.shape[-1]]
            feed[each.name] = columns.astype(DTYPES[each.type])
            first += each.shape[-1]
        return feed


class FromStates(Scorer):
    """A scorer that also takes and returns hidden states (layers, n, hidden), for a model of `with_states`."""

    def __init__(self, model: str, batch: int = CACHED, threads: int = 1) -> None:
        super().__init__(model, batch, threads)
        self._states = [each for each in self._session.get_inputs() if each.name.startswith(STATE_IN)]

    def __call__(  # type: ignore[override]  # as timeshap wants it
        self, sequences: Sequences, states: Float32s | None = None
    ) -> tuple[Float32s, Float32s]:
        """The scores (n, 1), and the states after the last event. `states` are those before the first event, one for
        all rows or one for each.
        """
        self.rows += len(sequences)
        if states is None:
            states = np.zeros((len(self._states), 1, self._states[0].shape[-1]), np.float32)
        before = np.broadcast_to(states, (len(states), len(sequences), states.shape[-1]))
        scores, after = [], []
        for part in self._parts(sequences):
            feed = self._feed(sequences[part])
            for k, each in enumerate(self._states):
                feed[each.name] = np.ascontiguousarray(before[k : k + 1, part], dtype=np.float32)
            score, *final = self._session.run(None, feed)
            scores.append(score)
            after.append(np.concatenate(final))
        return np.concatenate(scores).reshape(-1, 1), np.concatenate(after, axis=1)


def opened(model: str, batch: int, threads: int) -> Scorer:
    """Opens a model: with hidden states if it has them."""
    states = any(each.name.startswith(STATE_IN) for each in ort.InferenceSession(model).get_inputs())
    return (FromStates if states else Scorer)(model, batch, threads)
