"""Questions about models of several kinds, with sequences of many lengths and different options, by their numbers.

Most have small budgets, so that many are answered in a short time. All say which target of the standard errors they
want, so none gets a rougher answer while the server is busy, and equal questions get equal answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matrix import BY_NAME, Case
from numpy.typing import NDArray
from regression.messages import inputs, values
from sequela_proto.v1 import sequela_pb2 as pb

from overload import workload

MODELS = (
    "gru",
    "lstm",
    "stacked_lstm",
    "bidirectional_lstm",
    "transformer",
    "conv",
    "multi_input",
    "account",
)
MORE_MODELS = ("masked", "classes", "per_event", "keras_ids", "linear64", "static64")
"""A padding mask, three targets, an output for each event, ids only, and two that are tiny."""
CASES: Sequence[Case] = tuple(BY_NAME[name] for name in (*MODELS, *MORE_MODELS))
INLINE = BY_NAME["targets64"]
"""The model that is sent with requests. It is not in the model repository."""
LENGTHS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300)
LENGTH_WEIGHTS = 1 / np.arange(3, 3 + len(LENGTHS))
"""Short sequences are more frequent than long ones."""
SMALL_LENGTH = 5
"""The longest sequence whose events are all combined, so that their attributions are exact."""
ALL_COALITIONS = 1 << 10
BUDGETS = (32, 64, 128, 256)
TARGET = 0.02
SEEDS = (0, 0, 0, 0, 0, 1, 2, 3)
INLINE_BACKGROUNDS = 8
"""How many different backgrounds are sent with requests. The server remembers each."""
DEMO_SHARE, INLINE_SHARE, NAMED_SHARE = 0.08, 0.02, 0.5
RECORD_EVENTS, UNREACHED_SCORE = 2_500, 1e300
"""A large record: its sequence takes 80 kB."""
LARGE_EVENTS, LARGE_COALITIONS, OUT_OF_REACH = 50, 4096, 1e-9
"""A large question grows its sample for long, and draws coalitions in another thread while its model runs."""
BACKGROUND = "usual"
"""The name of a background of each model of the repository, except the demo's, which has its own."""


def question(number: int, seed: int) -> pb.ExplainRequest:
    """Returns a question. Each has values of its own, so that its answer cannot have been kept for another one."""
    random = np.random.default_rng([seed, number])
    kind = random.random()
    if kind < DEMO_SHARE:
        asked = workload.request(int(random.integers(1 << 30)))
        asked.options.CopyFrom(_options(random, sampled=True))
        return asked
    inline = kind < DEMO_SHARE + INLINE_SHARE
    case = INLINE if inline else CASES[random.integers(len(CASES))]
    length = int(random.choice(LENGTHS, p=LENGTH_WEIGHTS / LENGTH_WEIGHTS.sum()))
    asked = pb.ExplainRequest(sequence=pb.Sequence(inputs=inputs(_sample(case, length, random))))
    if inline:
        asked.model.inline.onnx = case.path.read_bytes()
    else:
        asked.model.name = case.name
    if inline or random.random() > NAMED_SHARE:
        asked.background.CopyFrom(values(case.average(int(random.integers(INLINE_BACKGROUNDS)))))
    else:
        asked.background.name = BACKGROUND
    asked.options.CopyFrom(_options(random, sampled=length > SMALL_LENGTH))
    return asked


def large_record(number: int, seed: int) -> pb.ExplainRequest:
    """Returns a request that is only scored, and kept with its long sequence of random numbers."""
    case = BY_NAME["linear64"]
    random = np.random.default_rng([seed, number, 2])
    asked = pb.ExplainRequest(sequence=pb.Sequence(inputs=inputs(_sample(case, RECORD_EVENTS, random))))
    asked.model.name, asked.background.name = case.name, BACKGROUND
    asked.options.minimum_score = UNREACHED_SCORE
    return asked


def large_question(number: int, seed: int) -> pb.ExplainRequest:
    """Returns a question that takes an engine longer than others, and all its threads. Its answer is not kept.

    Every second one has its model with it.
    """
    inline = number % 2 == 1
    case = INLINE if inline else BY_NAME["gru"]
    random = np.random.default_rng([seed, number, 3])
    sample = inputs(_sample(case, LARGE_EVENTS, random))
    asked = pb.ExplainRequest(sequence=pb.Sequence(inputs=sample), dry_run=True)
    asked.background.CopyFrom(values(case.average()))
    if inline:
        asked.model.inline.onnx = case.path.read_bytes()
    else:
        asked.model.name = case.name
    asked.options.levels.append(pb.LEVEL_EVENT)
    asked.options.max_coalitions = LARGE_COALITIONS
    # The model that is sent is so simple that it would reach any target at once.
    asked.options.target_standard_error = 0.0 if inline else OUT_OF_REACH
    asked.options.pruning_tolerance = 0.0
    return asked


def rest_body(asked: pb.ExplainRequest) -> Mapping[str, Any]:
    """Returns the body of KServe's first protocol for the sequence of a question about a model of the repository."""
    named = {each.name: _array(each.tensor).tolist() for each in asked.sequence.inputs}
    parameters = {
        "max_coalitions": asked.options.max_coalitions,
        "target_standard_error": asked.options.target_standard_error,
        "seed": asked.options.seed,
    }
    if asked.background.name:
        parameters["background"] = asked.background.name
    return {"instances": [named], "parameters": parameters}


def _sample(case: Case, length: int, random: np.random.Generator) -> Mapping[str, NDArray[Any]]:
    return case.sample(length, int(random.integers(1 << 30)))


def _array(tensor: pb.Tensor) -> NDArray[Any]:
    dtype = {
        pb.DATA_TYPE_FLOAT32: "<f4",
        pb.DATA_TYPE_FLOAT64: "<f8",
        pb.DATA_TYPE_INT32: "<i4",
        pb.DATA_TYPE_INT64: "<i8",
    }[tensor.dtype]
    return np.frombuffer(tensor.raw, dtype).reshape(tuple(tensor.shape))


def _options(random: np.random.Generator, *, sampled: bool) -> pb.ExplainOptions:
    levels = (
        [pb.LEVEL_EVENT],
        [pb.LEVEL_FEATURE],
        [pb.LEVEL_EVENT, pb.LEVEL_FEATURE],
        [pb.LEVEL_EVENT, pb.LEVEL_FEATURE, pb.LEVEL_CELL],
    )[random.integers(4)]
    options = pb.ExplainOptions(levels=levels, seed=int(random.choice(SEEDS)))
    options.refine_history = bool(random.random() < 0.1)
    options.target_standard_error = TARGET if sampled else 0.0
    options.max_coalitions = int(random.choice(BUDGETS)) if sampled else ALL_COALITIONS
    return options
