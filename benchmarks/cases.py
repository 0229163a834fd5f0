"""The cases that are explained. Each has a model, one alert, and an average event as background."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sequela

from benchmarks.arem.held_out import MODEL as AREM_MODEL
from benchmarks.arem.held_out import held_out
from benchmarks.networks import Convolution, Float32s, Gru, Transformer, Trunk, write

WIDTH = 45  # number of features, as in TimeSHAP's account-takeover data (KDD 2021, §4.1)
RECENT = 10  # number of events in which an alert differs from an ordinary history
KEEP = 2.0  # bias of the update gates: an event ten steps back has a weight of about 0.025
EXAMPLES = 64  # number of ordinary histories, and of alerts, that a model's head is fitted to
NOISE = 0.5  # standard deviation of ordinary features; their mean, and so the average event, is 0
SHARE = 0.3  # the share of features that an alert shifts
DEMO = Path(sequela.__file__).parent / "demo"

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A case: a model, a sequence and a background.

    Args:
        inputs: the sequence (l, d_j) by input name, in the model's order.
        background: the average event (d_j) by input name, in the model's order.
        peers: the other explainers that can explain the case, by their names in `peers/`.
        left_out: why other explainers are not run.
        reference: how many coalitions a level the reference attributions are computed from.
    """

    name: str
    model: Path
    inputs: dict[str, Array]
    background: dict[str, Array]
    peers: tuple[str, ...]
    left_out: str = ""
    reference: int = 1 << 20

    @property
    def length(self) -> int:
        """The number of events."""
        return len(next(iter(self.inputs.values())))

    @property
    def columns(self) -> npt.NDArray[np.float64]:
        """All inputs side by side, (l, d)."""
        return np.column_stack([np.float64(values) for values in self.inputs.values()])

    @property
    def background_columns(self) -> npt.NDArray[np.float64]:
        """The average event, (1, d)."""
        return np.concatenate([np.float64(values) for values in self.background.values()])[np.newaxis]


@dataclass(frozen=True, slots=True)
class Bank:
    """Random histories of `width` features from a seed: ordinary ones, and alerts whose recent events are shifted."""

    width: int = WIDTH
    recent: int = RECENT
    seed: int = 1

    def histories(self, count: int, length: int, seed: int) -> Float32s:
        """Ordinary histories, (count, length, width)."""
        noise = np.random.default_rng((self.seed, seed)).normal(size=(count, length, self.width))
        return (NOISE * noise).astype(np.float32)

    def alerts(self, count: int, length: int, seed: int) -> Float32s:
        """Alerts, (count, length, width): histories whose last `recent` events are all shifted in the same way."""
        made = self.histories(count, length, seed)
        rng = np.random.default_rng(self.seed)
        shift = np.where(rng.random(self.width) < SHARE, rng.normal(size=self.width), 0)
        made[:, -self.recent :] += shift.astype(np.float32)
        return made

    def model(self, path: Path, trunk: Trunk) -> Path:
        """Writes a model that distinguishes alerts from ordinary histories, and returns its path."""
        length = 4 * self.recent
        write(path, trunk, self.histories(EXAMPLES, length, 1), self.alerts(EXAMPLES, length, 2), self.seed)
        return path


def gru(folder: Path, length: int, *, width: int = WIDTH, peers: tuple[str, ...] = (), **rest: Any) -> Case:
    """Returns the reference GRU, `width` features to 64 units, on an alert that keeps 9 to 11 events at η = 0.025."""
    bank = Bank(width)
    path = folder / f"gru_{width}.onnx"
    model = path if path.exists() else bank.model(path, Gru(keep=KEEP))
    return _made(f"GRU {length}x{width}", model, bank.alerts(1, length, seed=length)[0], peers, **rest)


def transformer(folder: Path, length: int = 47, **rest: Any) -> Case:
    """Returns a Transformer with two layers of 64 units."""
    bank = Bank()
    model = bank.model(folder / "transformer.onnx", Transformer())
    return _made(f"Transformer {length}x{WIDTH}", model, bank.alerts(1, length, length)[0], PLAIN, **rest)


def convolution(folder: Path, length: int = 47, **rest: Any) -> Case:
    """Three convolution layers of 64 channels."""
    bank = Bank()
    model = bank.model(folder / "convolution.onnx", Convolution())
    return _made(f"Convolution {length}x{WIDTH}", model, bank.alerts(1, length, length)[0], PLAIN, **rest)


def arem(name: str, peers: tuple[str, ...]) -> Case:
    """Returns an AReM recording that the model was not trained on. Raises AremNotFound if the data is missing."""
    recording = held_out(name)
    title = f"AReM {name} {recording.length}x6"
    return Case(title, AREM_MODEL, {"x": recording.values}, {"x": recording.background}, peers)


def demo(alert: str, peers: tuple[str, ...]) -> Case:
    """Returns one of the demo's alerts."""
    model = DEMO / "models" / "account_takeover" / "1" / "model.onnx"
    schema = json.loads(model.with_name("schema.json").read_text())
    given = json.loads((DEMO / "alerts" / f"{alert}.json").read_text())["inputs"]
    dtypes = {each["name"]: np.dtype(each["dtype"]) for each in schema["inputs"]}
    return Case(
        f"demo {alert}",
        model,
        {name: np.array(given[name], dtype) for name, dtype in dtypes.items()},
        {name: np.array(schema["background"][name], dtype) for name, dtype in dtypes.items()},
        peers,
    )


PLAIN = ("timeshap", "timeshap, 256 rows a call", "shap", "captum")
STATES = ("timeshap, states", "timeshap, states, 256 rows a call")

Make = Callable[[Path], Case]

# Cases by their names for --only. Each function writes the model of its case to a folder.
CASES: dict[str, Make] = {
    "gru-47": lambda folder: gru(folder, 47, peers=PLAIN + STATES),
    "gru-286": lambda folder: gru(folder, 286, peers=PLAIN + STATES),
    "gru-2187": lambda folder: gru(
        folder,
        2187,
        peers=STATES[1:],
        left_out="timeshap without states would hold 26 GB of coalitions; shap and captum take minutes",
    ),
    "arem": lambda _: arem("cycling/4", PLAIN + STATES),
    "demo": lambda _: demo("takeover-47", PLAIN),
    "transformer": lambda folder: transformer(folder, reference=1 << 18),
    "convolution": lambda folder: convolution(folder, reference=1 << 18),
}


def _made(name: str, model: Path, alert: Float32s, peers: tuple[str, ...], **rest: Any) -> Case:
    return Case(name, model, {"x": alert}, {"x": np.zeros(alert.shape[1], np.float32)}, peers, **rest)
