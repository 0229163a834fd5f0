"""The models that the tests run through, each declared once: its inputs and outputs, with seeded samples.

Nothing here is read from a `schema.json` or computed by the code under test, because it is what that code must find
out.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plain_scorer import Input, PlainScorer
from player_sets import Layout

ROOT = Path(__file__).resolve().parent / "fixtures" / "models"
FLOAT32 = 1e-5
FLOAT64 = 1e-9
_scorer = cache(PlainScorer)
"""The session is cached, because making it takes longer than most answers."""


@dataclass(frozen=True)
class Case:
    """A fixture model as the tests expect it.

    Attributes:
        tolerance: The largest difference to the attributions of the brute force, in units of the output.
        one_hot: The columns of the first input of which exactly one is 1.
        steps: Its fixed length, if it has one.
        batch: Its fixed batch size, if it has one.
    """

    name: str
    inputs: Sequence[Input]
    features: Mapping[str, Mapping[str, Sequence[int]]]
    targets: Sequence[str] = ("score",)
    tolerance: float = FLOAT32
    steps: int | None = None
    padding: str = "left"
    batch: int | None = None
    per_event: bool = False
    one_hot: Sequence[int] = ()
    has_schema: bool = False

    @property
    def path(self) -> Path:
        return ROOT / self.name / "1" / "model.onnx"

    def __str__(self) -> str:
        return self.name

    def layout(self, length: int) -> Layout:
        events = {i.name: i.width for i in self.inputs if i.role == "events"}
        static = {i.name: i.width for i in self.inputs if i.role == "static"}
        return Layout(length, events, static, self.features)

    def scorer(self, output_event: int = 0) -> PlainScorer:
        """f, for the brute force; `output_event` matters to models with an output per event only."""
        step = output_event if self.per_event else None
        return _scorer(self.path, tuple(self.inputs), self.steps, self.padding, self.batch, step)

    def sample(self, length: int, seed: int = 0) -> dict[str, NDArray[Any]]:
        """A sequence: (l, width) an event input, (width,) a static one; no masks or lengths."""
        rng = np.random.default_rng([seed, length])
        drawn = {i.name: draw(i, length, rng) for i in self.values()}
        self.set_one_hot(drawn, rng)
        return drawn

    def average(self, seed: int = 1) -> dict[str, NDArray[Any]]:
        """A background: the average event (width,) of an event input, and (width,) of a static one."""
        rng = np.random.default_rng(seed)
        drawn = {i.name: draw(i, 1, rng, spread=0.3).reshape(-1) for i in self.values()}
        self.set_one_hot(drawn, rng)
        return drawn

    def background(self, length: int, seed: int = 1) -> dict[str, NDArray[Any]]:
        """The average event repeated to X's shape, as the brute force takes it."""
        average = self.average(seed)
        names = self.layout(length).events
        return {name: np.tile(v, (length, 1)) if name in names else v for name, v in average.items()}

    def values(self) -> list[Input]:
        """The inputs that carry features."""
        return [i for i in self.inputs if i.role in ("events", "static")]

    def set_one_hot(self, drawn: Mapping[str, NDArray[Any]], rng: np.random.Generator) -> None:
        if self.one_hot:
            block = drawn[self.inputs[0].name][..., list(self.one_hot)]
            chosen = rng.integers(len(self.one_hot), size=block.shape[:-1])
            drawn[self.inputs[0].name][..., list(self.one_hot)] = np.eye(len(self.one_hot))[chosen]


def copy_models(folder: Path, names: Iterable[str]) -> Path:
    """Copies models of the matrix, with their schemas, into a model repository; loading all of them takes a second."""
    for name in names:
        shutil.copytree(ROOT / name, folder / name)
    return folder


def draw(of: Input, length: int, rng: np.random.Generator, spread: float = 1.0) -> NDArray[Any]:
    shape = (length, of.width) if of.role == "events" else (of.width,)
    if of.categories is not None:
        return rng.integers(of.categories, size=shape).astype(of.dtype)
    return (spread * rng.normal(size=shape)).astype(of.dtype)


def numbered(width: int) -> dict[str, dict[str, list[int]]]:
    return {f"f{column}": {"events": [column]} for column in range(width)}


def named(*names: str) -> dict[str, dict[str, list[int]]]:
    return {name: {"events": [column]} for column, name in enumerate(names)}


def plain(name: str, width: int, dtype: str = "float32", more: Sequence[Input] = (), **traits: Any) -> Case:
    """Returns a case with one event input called `events`, whose columns are the features f0, f1, …"""
    tolerance = FLOAT64 if dtype == "float64" else FLOAT32
    settings: dict[str, Any] = {"features": numbered(width), "tolerance": tolerance} | traits
    return Case(name, (Input("events", "events", width, dtype), *more), **settings)


PROFILE = {"profile": {"profile": [0, 1]}}

MULTI_INPUT = Case(
    "multi_input",
    (
        Input("numeric", "events", 3),
        Input(
            "ids", "events", 2, "int64", categories=6
        ),  # `country` has twelve ids, of which the sample uses the first six
        Input("profile", "static", 2),
        Input("region", "static", 1, "int64", categories=4),
    ),
    {
        "amount": {"numeric": [0]},
        "hour": {"numeric": [1]},
        "balance": {"numeric": [2]},
        "kind": {"ids": [0]},
        "country": {"ids": [1]},
        **PROFILE,
        "region": {"region": [0]},
    },
    ("fraud",),
    has_schema=True,
)

RECURRENT = (
    plain("gru", 5),
    plain("gru_captured", 5),
    plain("lstm", 4),
    plain("rnn", 4),
    plain("stacked_gru", 5),
    plain("bidirectional_lstm", 4),
)
ACCOUNT = Case(
    "account",
    (
        Input("numeric", "events", 3),
        Input("kind", "events", 1, "int64", categories=6),
        Input("profile", "static", 2),
        Input("region", "static", 1, "int64", categories=4),
    ),
    {
        **{f"f{column}": {"numeric": [column]} for column in range(3)},
        "kind": {"kind": [0]},
        **PROFILE,
        "region": {"region": [0]},
    },
    has_schema=True,
)
FROM_STATES = (
    plain("stacked_lstm", 4),
    plain("stacked_lstm_captured", 4),
    plain("dense_steps", 4),
    plain("learned_start", 4),
    ACCOUNT,
    plain("reset_first", 4),
    plain("keras_gru", 4),
    Case(
        "keras_ids",
        (Input("events", "events", 1, "int32", categories=9),),
        {"events": {"events": [0]}},
    ),
    plain("keras_loop", 4),
)
FEED_FORWARD = (plain("transformer", 5), plain("transformer_traced", 4), plain("conv", 5))
OUTPUTS = (
    plain("classes", 4, targets=("t0", "t1", "t2")),
    plain("per_event", 4, per_event=True, has_schema=True),
    plain("per_event_flat", 4, per_event=True, has_schema=True),
    plain(
        "per_event_right",
        4,
        targets=("first", "second"),
        per_event=True,
        steps=8,
        padding="right",
        has_schema=True,
    ),
    plain("regression", 4, tolerance=300 * FLOAT32),
    plain("constant", 4),
)
INPUTS = (
    MULTI_INPUT,
    plain("univariate", 1, has_schema=True),
    plain("masked", 4, more=[Input("mask", "mask")], has_schema=True),
    plain("lengths", 4, more=[Input("length", "length", dtype="int64")], has_schema=True),
    plain(
        "one_hot",
        6,
        features={"amount": {"events": [0]}, "channel": {"events": [1, 2, 3]}, "place": {"events": [4, 5]}},
        one_hot=(1, 2, 3),
        has_schema=True,
    ),
)
SHAPES = (
    plain("fixed_left", 4, steps=8, has_schema=True),
    Case(
        "fixed_pad_value",
        (Input("events", "events", 4, pad_value=-1.0),),
        numbered(4),
        steps=8,
        has_schema=True,
    ),
    plain(
        "fixed_right",
        4,
        more=[Input("mask", "mask", dtype="bool")],
        steps=8,
        padding="right",
        has_schema=True,
    ),
    plain(
        "fixed_lengths",
        4,
        more=[Input("length", "length", dtype="int64")],
        steps=8,
        padding="right",
        has_schema=True,
    ),
    plain("batch_one", 4, batch=1),
    plain("batch_four", 4, batch=4),
)
METADATA = (
    plain("metadata_schema", 4, features=named("amount", "hour", "distance", "age"), targets=("fraud",)),
    plain("metadata_names", 4, features=named("amount", "hour", "distance", "age"), targets=("fraud",)),
)
EXACT = (
    plain("linear64", 4, "float64"),
    plain("targets64", 4, "float64", targets=("t0", "t1", "t2")),
    plain(
        "static64",
        3,
        "float64",
        [Input("profile", "static", 2, "float64")],
        features=numbered(3) | PROFILE,
        has_schema=True,
    ),
    plain("masked64", 3, "float64", [Input("mask", "mask", dtype="float64")], steps=8, has_schema=True),
)

CASES = (*RECURRENT, *FROM_STATES, *FEED_FORWARD, *OUTPUTS, *INPUTS, *SHAPES, *METADATA, *EXACT)
BY_NAME = {case.name: case for case in CASES}
STATE_COUNTS = {
    **dict.fromkeys(("gru", "gru_captured", "rnn", "classes", "regression", "one_hot", "univariate"), 1),
    **dict.fromkeys(("per_event", "per_event_flat", "per_event_right", "fixed_left", "fixed_pad_value"), 1),
    **dict.fromkeys(("metadata_schema", "metadata_names", "multi_input"), 1),
    **dict.fromkeys(("dense_steps", "account", "reset_first"), 1),
    **dict.fromkeys(("lstm", "learned_start", "keras_ids", "stacked_gru"), 2),
    "keras_gru": 3,
    **dict.fromkeys(("stacked_lstm", "stacked_lstm_captured"), 4),
}
"""How many states each model that runs from states has."""
