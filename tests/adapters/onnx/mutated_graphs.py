"""Loads models that were changed at random, and prints each failure that has no name: `mutated_graphs.py SEED COUNT`.

A process of its own, since some of these end the process that loads them.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
from google.protobuf.message import Message
from onnx import ModelProto
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import SequelaError
from sequela.explain.limits import Limits

MODELS = Path(__file__).resolve().parents[2] / "fixtures" / "models"
NAMES = (
    "gru",
    "lstm",
    "transformer_traced",
    "keras_loop",
    "multi_input",
    "lengths",
    "classes",
    "masked",
    "stacked_gru",
)
NUMBERS = (0, 1, -1, 2, 3, 7, 16, 99, 2**31 - 1, -(2**31))
LIMITS = Limits(max_model_memory_bytes=512 << 20, max_model_call_seconds=2.0)


def mutated(seed: int) -> bytes:
    """A model of the matrix with one to four changes of its messages."""
    rng = random.Random(seed)
    found = ModelProto.FromString((MODELS / rng.choice(NAMES) / "1" / "model.onnx").read_bytes())
    for _ in range(rng.randrange(1, 5)):
        with contextlib.suppress(
            ValueError, TypeError, IndexError
        ):  # the change is none that protobuf allows
            _change(_somewhere(found.graph, rng), rng)
    return found.SerializeToString()


def _somewhere(message: Message, rng: random.Random) -> Message:
    """A message inside this one, at a random depth."""
    while True:
        inner = [
            part
            for field, value in message.ListFields()
            if field.type == field.TYPE_MESSAGE
            for part in _parts(value)
        ]
        if not inner or rng.random() < 0.2:
            return message
        message = rng.choice(inner)


def _parts(value: Any) -> list[Any]:
    return [value] if hasattr(value, "ListFields") else list(value)


def _change(message: Message, rng: random.Random) -> None:
    fields = message.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    if hasattr(value, "append") or hasattr(value, "add"):
        _change_list(message, field.name, value, rng)
    elif rng.random() < 0.25 or hasattr(value, "ListFields"):
        message.ClearField(field.name)
    elif isinstance(value, str):
        setattr(
            message,
            field.name,
            rng.choice(("", "x", "events", value + "_", value[1:], "GRU", "Identity", "If", "Cast")),
        )
    elif isinstance(value, bytes):
        setattr(
            message, field.name, rng.choice((b"", value[: len(value) // 2], value + value[:8], b"\xff" * 8))
        )
    else:
        setattr(message, field.name, type(value)(rng.choice(NUMBERS)))


def _change_list(message: Message, name: str, values: Any, rng: random.Random) -> None:
    items = list(values)
    place = rng.randrange(len(items))
    kind = rng.randrange(5)
    if kind == 0:
        del items[place]
    elif kind == 1:
        items.insert(rng.randrange(len(items) + 1), items[place])
    elif kind == 2:
        rng.shuffle(items)
    elif kind == 3 and isinstance(items[place], (int, float)):
        items[place] = type(items[place])(rng.choice(NUMBERS))
    elif kind == 3 and isinstance(items[place], str):
        items[place] = rng.choice(("", "x", items[rng.randrange(len(items))]))
    else:
        items = items[:place]
    message.ClearField(name)
    getattr(message, name).extend(items)


def main(first: int, count: int) -> None:
    """Prints a line for each seed that was begun, and one for each failure without a name."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    reasons: Counter[str] = Counter()
    loader = Loader(LIMITS)
    for seed in range(first, first + count):
        os.write(1, f"seed {seed}\n".encode())
        content = mutated(seed)
        try:
            loader.load("m", ModelBytes(content, b"", "onnx", "schema"))
            reasons["loaded"] += 1
        except SequelaError as error:
            reasons[error.reason] += 1
            if error.reason == "MODEL_NOT_UNDERSTOOD":
                os.write(1, f"unnamed {seed} {error.message}\n".encode())
    os.write(1, f"reasons {dict(reasons)}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
