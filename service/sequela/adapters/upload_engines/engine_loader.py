"""Loads models in engines, and checks what they say about themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.default_background import default_background
from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.upload_engines.enclosure import Enclosure
from sequela.adapters.upload_engines.engine_client import EngineClient
from sequela.adapters.upload_engines.engine_model import EngineCalls, EngineModel, EngineRecurrence
from sequela.adapters.upload_engines.model_answers import ModelFacts
from sequela.concurrency.deadline import Deadline
from sequela.errors import SequelaError
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelInfo
from sequela.explain.schema import ModelSchema, Role

COPIES = 3
"""A model that runs from states holds its weights in three sessions."""


@dataclass(frozen=True, slots=True, eq=False)
class EngineLoader:
    """Takes the place of `Loader` for models from callers.

    Attributes:
        client: Calls the engines.
        limits: The limits of models.
        enclosure: Where the models run.
    """

    client: EngineClient
    limits: Limits
    enclosure: Enclosure

    def load(self, name: str, source: ModelBytes, deadline: Deadline | None = None) -> EngineModel:
        """Loads a model in an engine.

        Raises as `EngineClient.describe`, and Forbidden (UPLOADS_NOT_CONTAINED).
        """
        place = self.enclosure.open()
        facts, states = self.client.describe(source, deadline or Deadline())
        try:
            _check(facts, states, self.limits)
            background = default_background(facts.schema, self.limits, source.schema_path)
        except (ValueError, SequelaError) as error:
            self.client.reject(source.digest, error)
        info = ModelInfo(
            name, source.digest, facts.schema, facts.fixed_length, background, tuple(facts.warnings)
        )
        calls = EngineCalls(self.client, source)
        recurrence = None
        if facts.static_enters is not None:
            recurrence = EngineRecurrence(calls, facts.static_enters, states, len(facts.schema.targets))
        return EngineModel(
            info=info,
            execution="; ".join(filter(None, (facts.execution, place))),
            size=len(source.onnx) * (COPIES if recurrence else 1),
            calls=calls,
            step_work=facts.step_work,
            recurrence=recurrence,
        )


def _check(facts: ModelFacts, states: tuple[NDArray[Any], ...], limits: Limits) -> None:
    """Raises ValueError if facts contradict each other or a limit."""
    _check_schema(facts.schema, limits)
    statics = sum(item.role is Role.STATIC for item in facts.schema.inputs)
    if facts.static_enters is not None and len(facts.static_enters) != statics:
        raise ValueError(f"{len(facts.static_enters)} of {statics} static inputs enter the states")
    if (facts.static_enters is None) != (not states):
        raise ValueError("states without a recurrence, or the reverse")
    for state in states:
        if state.ndim < 1 or len(state) != 1 or not np.isfinite(state).all():
            raise ValueError(f"a state of shape {state.shape}")


def _check_schema(schema: ModelSchema, limits: Limits) -> None:
    if len({item.name for item in schema.inputs}) != len(schema.inputs):
        raise ValueError("two inputs of the same name")
    widths = {item.name: item.width for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC)}
    if min(widths.values(), default=0) < 1 or sum(widths.values()) > limits.max_columns:
        raise ValueError(f"inputs with {sorted(widths.values())[:8]} columns")
    if not 1 <= len(schema.targets) <= limits.max_columns:
        raise ValueError(f"{len(schema.targets)} targets")
    names = Counter(item.name for item in schema.features)
    if not names or max(names.values()) > 1:
        raise ValueError("no features, or two of the same name")
    for item in schema.features:
        for name, columns in item.columns.items():
            if not all(0 <= column < widths.get(name, 0) for column in columns):
                raise ValueError(f"feature {item.name[:80]!r} has columns that are not there")
