"""An ONNX model as a function of sequences; for our Python and the peers' alike."""

import numpy as np
import numpy.typing as npt
import onnxruntime as ort


class Scorer:
    """Scores (n, l, d) sequences as (n, 1), by one thread, in batches that stay in the cache.

    Batches are for the peers' good: they hand over all coalitions at once, which takes onnxruntime three
    times as long as the same rows in batches of 256.
    """

    BATCH = 256

    def __init__(self, model: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.rows = 0

    def __call__(self, sequences: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """The scores of a batch of any size."""
        self.rows += len(sequences)
        batches = (sequences[i : i + self.BATCH] for i in range(0, len(sequences), self.BATCH))
        scores = [self._session.run(None, {self._input: b.astype(np.float32)})[0] for b in batches]
        return np.concatenate(scores).reshape(-1, 1)
