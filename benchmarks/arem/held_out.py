"""Held-out AReM recordings, standardised for the model."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.arem import data

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "arem"
MODEL = FIXTURES / "arem_gru.onnx"

Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """One recording: `values` (l, 6) standardised steps, `background` (6) the average event."""

    name: str
    values: Float32s
    background: Float32s

    @property
    def length(self) -> int:
        """The number of events."""
        return len(self.values)

    @property
    def background_sequence(self) -> Float32s:
        """The average event at every step, (l, 6)."""
        return np.tile(self.background, (self.length, 1))


def held_out(name: str) -> HeldOut:
    """Returns a recording that the model was not trained on.

    Raises ValueError for any other recording, and AremNotFound if the data is missing.
    """
    split = json.loads((FIXTURES / "arem_split.json").read_text())
    if name not in split["held_out"]:
        raise ValueError(f"{name} is not held out; these are: {', '.join(split['held_out'])}")
    standardised = (data.read(name).values - split["mean"]) / split["scale"]
    background = np.array(split["background"], dtype=np.float32)
    return HeldOut(name, standardised.astype(np.float32), background)
