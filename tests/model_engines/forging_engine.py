"""An engine that a model has taken over. The bytes of the "model" name what it answers, `describe:forgery` or
`run:forgery`; it is honest about everything else.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from matrix import BY_NAME
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.upload_engines.entry import LoadedModelEngine, UploadEngineConfig
from sequela.adapters.upload_engines.model_answers import AnswerKind, arrays_answer, read_arrays
from sequela.adapters.upload_engines.model_tasks import DescribeModel, ModelTask
from sequela.adapters.upload_engines.packed_arrays import pack_arrays
from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel

HONEST = BY_NAME["transformer"].path.read_bytes()


class Exploit:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return os.system, ("touch forged",)


def _error(**changed: Any) -> bytes:
    told = {"kind": "DoesNotFit", "reason": "MODEL_FAILED", "message": "no", "violations": [], **changed}
    return AnswerKind.ERROR.value + json.dumps(told).encode()


def _facts(honest: bytes, **changed: Any) -> bytes:
    """Returns the honest facts with some of them replaced; those of the schema begin with `schema_`."""
    length = int.from_bytes(honest[1:5], "big")
    facts = json.loads(honest[5 : 5 + length])
    for name, value in changed.items():
        place = facts["schema"] if name.startswith("schema_") else facts
        place[name.removeprefix("schema_")] = value
    text = json.dumps(facts).encode()
    return honest[:1] + len(text).to_bytes(4, "big") + text + honest[5 + length :]


def _shape(header: Any, content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return AnswerKind.ARRAYS.value + len(text).to_bytes(4, "little") + text + content


DESCRIPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "noise": lambda _: np.random.default_rng(1).bytes(10_000),
    "pickle": lambda _: pickle.dumps(Exploit()),
    "pickle of facts": lambda _: AnswerKind.FACTS.value + pickle.dumps(Exploit()),
    "arrays": lambda _: arrays_answer([np.zeros(3)]),
    "never loaded": lambda _: AnswerKind.NOT_LOADED.value,
    "other reason": lambda _: _error(reason="UPLOADS_DISABLED"),
    "other class": lambda _: _error(kind="Forbidden"),
    "endless text": lambda _: _error(message="x" * 10_000_000),
    "other fields": lambda _: _error(retry_after=5),
    "digest of another": lambda honest: _facts(honest, digest="0" * 64),
    "name of another": lambda honest: _facts(honest, name="models/theirs/versions/1"),
    "negative work": lambda honest: _facts(honest, step_work=-1),
    "no targets": lambda honest: _facts(honest, schema_targets=[]),
    "no features": lambda honest: _facts(honest, schema_features=[]),
    "states of no recurrence": lambda honest: honest + pack_arrays([np.zeros((1, 3))]),
    "a million columns": lambda honest: _facts(
        honest, schema_inputs=[{"name": "x", "role": "events", "width": 1_000_000}]
    ),
    "columns of others": lambda honest: _facts(
        honest, schema_features=[{"name": "a", "columns": {"theirs": [0]}}]
    ),
    "deep json": lambda _: AnswerKind.ERROR.value + b"[" * 1_000_000,
}

RUNS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "pickle": lambda _: AnswerKind.ARRAYS.value + pickle.dumps(Exploit()),
    "objects": lambda _: _shape([["|O", [1]]], b"\0" * 8),
    "not finite": lambda honest: arrays_answer([np.full_like(each, np.nan) for each in read_arrays(honest)]),
    "too many rows": lambda _: arrays_answer([np.zeros((1 << 16, 1))]),
    "too few rows": lambda _: arrays_answer([np.zeros((0, 1))]),
    "other type": lambda honest: arrays_answer([each.astype(np.float32) for each in read_arrays(honest)]),
    "several": lambda honest: arrays_answer([*read_arrays(honest), *read_arrays(honest)]),
    "negative size": lambda _: _shape([["<f8", [-1]]]),
    "announced terabyte": lambda _: _shape([["<f8", [1 << 37]]]),
    "overflow": lambda _: _shape([["<f8", [1 << 62, 1 << 62]]]),
    "true for one": lambda _: _shape([["<f8", [True, 1]]], b"\0" * 8),
    "facts": lambda _: AnswerKind.FACTS.value + b"\0\0\0\2{}",
    "other reason": lambda _: _error(reason="STORE_DOWN"),
}


class ForgingEngine(LoadedModelEngine):
    """Answers as the bytes of its model say."""

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader)
        self._forgery = ("", "")

    def handle(self, content: bytes, ask: Ask, deadline: Deadline) -> bytes:
        task: ModelTask = pickle.loads(content)
        honest = task
        if task.source:
            kind, _, name = task.source.onnx.decode().partition(":")
            self._forgery = (kind, name)
            source = ModelBytes(HONEST, b"", "model", "schema")
            honest = ModelTask(task.operation, source, task.facts)
        answer = super().handle(honest.pack(), ask, deadline)
        return self._forged(task, answer, ask)

    def _forged(self, task: ModelTask, answer: bytes, ask: Ask) -> bytes:
        kind, name = self._forgery
        if kind == "ask":
            return ask(b"b" + b"models/theirs/backgrounds/usual")
        if isinstance(task.operation, DescribeModel):
            return DESCRIPTIONS[name](answer) if kind == "describe" else answer
        return RUNS[name](answer) if kind == "run" else answer


def serve(config: bytes, channel: Channel) -> None:
    given: UploadEngineConfig = pickle.loads(config)
    channel.serve(b"", ForgingEngine(Loader(given.limits)).handle)
