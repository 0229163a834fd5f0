"""Runs the real explainer on the models of the matrix, with real ONNX models and stores in the process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from brute_force import Attributions
from matrix import Case
from numpy.typing import NDArray
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.store.backgrounds import BackgroundStore
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.sqlite.store import memory_store
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.worker_pool import WorkerPool
from sequela.errors import NotFound
from sequela.explain.explanation import Attribution, Explanation, LevelExplanation
from sequela.explain.limits import Limits
from sequela.explain.options import Options
from sequela.explain.ports import Model, Observers
from sequela.explain.request import (
    BackgroundChoice,
    EventInfo,
    ExplainRequest,
    GivenBackground,
    GivenSequence,
    ModelChoice,
    NamedArray,
    NamedModel,
)
from sequela.explain.service import Explainer
from sequela.timeshap.players import PlayerKind

Arrays = Mapping[str, NDArray[Any]]


class FixedModels:
    """An implementation of the `Models` port with a few models that are loaded already."""

    def __init__(self, *models: Model) -> None:
        self._models = {model.info.name: model for model in models}

    def resolve(self, choice: ModelChoice, deadline: Deadline | None = None) -> Model:
        assert isinstance(choice, NamedModel)
        if choice.name not in self._models:
            raise NotFound("MODEL_NOT_FOUND", choice.name)
        return self._models[choice.name]


def loaded(case: Case) -> Model:
    """Loads the model of a case as the server does."""
    return _loaded(case.name, case.path)


@cache
def _loaded(name: str, path: Path) -> Model:
    schema = path.with_name("schema.json")
    text = schema.read_bytes() if schema.exists() else b""
    source = ModelBytes(path.read_bytes(), text, "onnx", "schema_json")
    return Loader().load(f"models/{name}/versions/1", source)


def explainer(
    *models: Model,
    observer: Any = None,
    limits: Limits | None = None,
    pool: WorkerPool | None = None,
    **options: Any,
) -> Explainer:
    """Makes an explainer with empty stores. `options` are further arguments of `Explainer`."""
    observer = observer or Observers(())
    store = memory_store()
    return Explainer(
        FixedModels(*models),  # type: ignore[arg-type]
        BackgroundStore(store, observer),
        ExplanationStore(store.records, observer),
        observer,
        limits or Limits(),
        pool or one_worker(),
        **options,
    )


@cache
def one_worker() -> WorkerPool:
    """Returns a pool with one worker, which the tests share as the requests of a server share theirs."""
    return WorkerPool(1)


def named(arrays: Arrays) -> tuple[NamedArray, ...]:
    """Returns inputs as a caller sends them."""
    return tuple(NamedArray(name, array) for name, array in arrays.items())


def question(
    model: Model,
    sequence: Arrays,
    background: Arrays | BackgroundChoice | None,
    events: tuple[EventInfo, ...] = (),
    **options: Any,
) -> ExplainRequest:
    """Returns a request to explain a sequence."""
    given = GivenBackground(named(background)) if isinstance(background, Mapping) else background
    return ExplainRequest(
        model=NamedModel(model.info.name),
        sequence=GivenSequence(named(sequence), events),
        background=given,
        options=Options(**options),
    )


def ask(
    case: Case, sequence: Arrays, background: Arrays, timeout: float = math.inf, **options: Any
) -> Explanation:
    """Explains one sequence with a model of the matrix."""
    model = loaded(case)
    return explainer(model).explain(question(model, sequence, background, **options), Deadline(timeout))


def key(attribution: Attribution) -> tuple[Any, ...]:
    """Returns the key of an attribution's player in the brute force."""
    match attribution.kind:
        case PlayerKind.EVENT | PlayerKind.EVENT_REST:
            return (attribution.kind.value, attribution.last_event)
        case PlayerKind.FEATURE | PlayerKind.FEATURE_REST:
            return (attribution.kind.value, attribution.feature)
        case PlayerKind.CELL:
            return ("cell", attribution.last_event, attribution.feature)
        case PlayerKind.HISTORY:
            return ("block", attribution.first_event, attribution.last_event)
        case _:
            return (attribution.kind.value,)


def assert_same(found: LevelExplanation, wanted: Attributions, tolerance: float) -> None:
    """Asserts that both have the same players and attributions, and that all of them are exact."""
    values = {key(attribution): attribution.values for attribution in found.attributions}
    expected = {player.key: row for player, row in zip(wanted.players, wanted.values, strict=True)}
    assert values.keys() == expected.keys()
    for name, row in expected.items():
        np.testing.assert_allclose(values[name], row, atol=tolerance, rtol=0, err_msg=str(name))
    assert not any(any(attribution.standard_errors) for attribution in found.attributions)


class Watched:
    """A model that records, or calls back, before every batch. It is run on whole sequences, which makes batches easy
    to count.
    """

    recurrence = None

    def __init__(self, model: Any, before: Any) -> None:
        self._model, self._before = model, before
        self.batches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def run(self, *arguments: Any) -> Any:
        self.batches += 1
        self._before(self.batches)
        return self._model.run(*arguments)


def levels(answer: Explanation) -> list[LevelExplanation]:
    """Returns the levels of an answer, in order."""
    return list(answer.levels.values())


def numbers(level: LevelExplanation | None) -> list[Any]:
    """Returns all numbers that are the same for the same seed."""
    assert level is not None
    return [(a.values, a.standard_errors) for a in level.attributions]


def run_whole(model: Model) -> Any:
    """Returns the model without its recurrence, so that it can only be run on whole sequences."""
    return Watched(model, lambda _: None)


def assert_alike(found: Explanation, wanted: Explanation, tolerance: float) -> None:
    """Asserts that both have the same players from the same coalitions, and numbers that differ only by rounding."""
    assert len(levels(found)) == len(levels(wanted)) > 0
    for one, other in zip(levels(found), levels(wanted), strict=True):
        assert (one.quality.stop_reason, one.quality.coalitions) == (
            other.quality.stop_reason,
            other.quality.coalitions,
        )
        assert [key(a) for a in one.attributions] == [key(a) for a in other.attributions]
        for a, b in zip(one.attributions, other.attributions, strict=True):
            np.testing.assert_allclose(a.values, b.values, rtol=0, atol=tolerance)
            np.testing.assert_allclose(a.standard_errors, b.standard_errors, rtol=0, atol=tolerance)


class Stepped:
    """A model with its recurrence that calls back before and after each of their calls. `before` gets the name of the
    call (`run` on whole sequences, `advance` and `finish` from states) and the number of rows.
    """

    def __init__(
        self, model: Any, before: Callable[[str, int], None], after: Callable[[], None] = lambda: None
    ) -> None:
        self._model, self._before, self._after = model, before, after
        self._recurrence = model.recurrence

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model if hasattr(self._model, name) else self._recurrence, name)

    @property
    def recurrence(self) -> Any:
        return self

    def run(self, *arguments: Any) -> Any:
        return self._called("run", self._model.run, arguments)

    def advance(self, *arguments: Any) -> Any:
        return self._called("advance", self._recurrence.advance, arguments)

    def finish(self, *arguments: Any) -> Any:
        return self._called("finish", self._recurrence.finish, arguments)

    def _called(self, name: str, ask: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        self._before(name, len(arguments[0].events[0]))
        try:
            return ask(*arguments)
        finally:
            self._after()
