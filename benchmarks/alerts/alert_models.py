"""The models that explain alerts, and endless different alerts for each of them."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.alerts.versions import ROOT, Version
from benchmarks.arem.data import AremNotFound, folder
from benchmarks.arem.held_out import FIXTURES as AREM
from benchmarks.arem.held_out import held_out
from benchmarks.bulk.simulated import alerts as accounts
from benchmarks.bulk.simulated import inputs as account_inputs
from benchmarks.cases import KEEP, WIDTH, Array, Bank
from benchmarks.latency import LENGTH as TINY_EVENTS
from benchmarks.latency import MODEL as TINY
from benchmarks.latency import WIDTH as TINY_WIDTH
from benchmarks.networks import Convolution, Gru, Transformer, Trunk

MANY = 1 << 62
SEED = 4  # of random order and values
FIRST_SEED = 10_000  # of the bank's alerts; its models and cases have smaller ones
POSITIVE = 0.5  # the smallest score of an alert
GRU_EVENTS, OTHER_EVENTS = 286, 47  # as in the cases of `cases.py`
WINDOW = 240  # steps of an AReM recording, one minute
DEMO = Path("service", "sequela", "demo", "models", "account_takeover", "1")
ACCOUNT = ROOT / "tests" / "fixtures" / "models" / "account" / "1"

Inputs = dict[str, Array]


@dataclass(frozen=True, slots=True)
class AlertModel:
    """A model of the operator.

    Args:
        name: its name in the repository, and for `--alert-models`.
        title: its name in tables.
        write: writes the files of a version of the model into a folder. A version of Sequela may bring its own files.
        alerts: returns different alerts, inputs by name, the same ones each time.
    """

    name: str
    title: str
    write: Callable[[Version, Path], object]
    alerts: Callable[[], Iterator[Inputs]]


def write_repository(models: Sequence[AlertModel], version: Version, repository: Path) -> Path:
    """Writes a model repository, and returns its path."""
    for model in models:
        files = repository / model.name / "1"
        files.mkdir(parents=True)
        model.write(version, files)
    return repository


def usable(models: list[AlertModel], say: Callable[[str], None]) -> list[AlertModel]:
    """Returns the models whose data is on this machine, and says which are left out."""
    try:
        folder()
    except AremNotFound as missing:
        say(f"alerts: {AREM_MODEL.title} is left out: {missing}")
        return [model for model in models if model is not AREM_MODEL]
    return models


def _copy(source: Path, files: Path) -> None:
    shutil.copytree(source, files, dirs_exist_ok=True)


def _write_demo(version: Version, files: Path) -> None:
    _copy(version.root / DEMO, files)


def _demo_alerts() -> Iterator[Inputs]:
    return map(account_inputs, accounts(MANY))


def _writer(trunk: Trunk) -> Callable[[Version, Path], None]:
    def write(_: Version, files: Path) -> None:
        Bank().model(files / "model.onnx", trunk)
        x = {"name": "x", "role": "events", "dtype": "float32", "width": WIDTH}
        schema = {"inputs": [x], "background": {"x": [0.0] * WIDTH}}
        (files / "schema.json").write_text(json.dumps(schema))

    return write


def _random_alerts(length: int) -> Callable[[], Iterator[Inputs]]:
    bank = Bank()
    return lambda: ({"x": bank.alerts(1, length, seed)[0]} for seed in count(FIRST_SEED))


def _write_arem(_: Version, files: Path) -> None:
    shutil.copy(AREM / "arem_gru.onnx", files / "model.onnx")
    shutil.copy(AREM / "schema.json", files)


def _arem_alerts() -> Iterator[Inputs]:
    """Yields windows of held-out recordings that the model takes for cycling, in random order."""
    names: list[str] = json.loads((AREM / "arem_split.json").read_text())["held_out"]
    recordings = [held_out(name).values for name in names]
    places = [
        (number, end) for number, values in enumerate(recordings) for end in range(WINDOW, len(values) + 1)
    ]
    windows = (
        {"x": recordings[number][end - WINDOW : end]}
        for number, end in np.random.default_rng(SEED).permutation(places)
    )
    return _positive(AREM / "arem_gru.onnx", windows)


def _write_account(_: Version, files: Path) -> None:
    _copy(ACCOUNT, files)
    schema: dict[str, Any] = json.loads((ACCOUNT / "schema.json").read_text())
    schema["background"] = {each["name"]: [0] * each["width"] for each in schema["inputs"]}
    (files / "schema.json").write_text(json.dumps(schema))


def _account_alerts() -> Iterator[Inputs]:
    return _positive(ACCOUNT / "model.onnx", (_random_account(number) for number in count()))


def _random_account(number: int) -> Inputs:
    rng = np.random.default_rng((SEED, number))
    return {
        "numeric": rng.normal(size=(OTHER_EVENTS, 3)).astype(np.float32),
        "kind": rng.integers(6, size=(OTHER_EVENTS, 1)),
        "profile": rng.normal(size=2).astype(np.float32),
        "region": rng.integers(4, size=1),
    }


def _positive(model: Path, candidates: Iterator[Inputs]) -> Iterator[Inputs]:
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    for inputs in candidates:
        # A model may take one column without an axis for it.
        feed = {
            each.name: inputs[each.name].reshape((1, *inputs[each.name].shape)[: len(each.shape)])
            for each in session.get_inputs()
        }
        if np.ravel(session.run(None, feed)[0])[0] >= POSITIVE:
            yield inputs


def _write_tiny(_: Version, files: Path) -> None:
    shutil.copy(TINY, files / "model.onnx")
    x = {"name": "events", "role": "events", "dtype": "float32", "width": TINY_WIDTH}
    schema = {"inputs": [x], "background": {"events": [0.0] * TINY_WIDTH}}
    (files / "schema.json").write_text(json.dumps(schema))


def _tiny_alerts() -> Iterator[Inputs]:
    rng = np.random.default_rng(SEED)
    while True:
        yield {"events": rng.normal(size=(TINY_EVENTS, TINY_WIDTH)).astype(np.float32)}


AREM_MODEL = AlertModel("arem", f"AReM {WINDOW}x6", _write_arem, _arem_alerts)
TINY_MODEL = AlertModel("tiny", f"tiny {TINY_EVENTS}x{TINY_WIDTH}", _write_tiny, _tiny_alerts)
MODELS = [
    AlertModel("demo", "demo", _write_demo, _demo_alerts),
    AlertModel("gru-286", f"GRU {GRU_EVENTS}x{WIDTH}", _writer(Gru(keep=KEEP)), _random_alerts(GRU_EVENTS)),
    AREM_MODEL,
    AlertModel(
        "transformer",
        f"Transformer {OTHER_EVENTS}x{WIDTH}",
        _writer(Transformer()),
        _random_alerts(OTHER_EVENTS),
    ),
    AlertModel("several-inputs", f"several inputs {OTHER_EVENTS}", _write_account, _account_alerts),
    AlertModel(
        "convolution",
        f"Convolution {OTHER_EVENTS}x{WIDTH}",
        _writer(Convolution()),
        _random_alerts(OTHER_EVENTS),
    ),
]
