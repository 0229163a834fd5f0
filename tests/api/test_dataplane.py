"""The operations themselves, without any transport in front of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import pytest
from api.made import Scripted
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ScoreShape
from sequela.api.dataplane import DataPlane, Work
from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.engine_port import EngineOperation, EngineRequest, NoEngines
from sequela.api.executors import Executor, Executors
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput, NotFound, Unavailable
from sequela.explain.explanation import Explanation
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelRecord, ModelSource, ModelState, Observers, Page
from sequela.explain.request import (
    EndpointModel,
    ExplainRequest,
    GivenSequence,
    InlineModel,
    ModelChoice,
    NamedArray,
    NamedModel,
)

T = TypeVar("T")
POLICY = DeadlinePolicy(default_timeout=30.0, reserve=0.1, stream_window=4)
SEQUENCE = GivenSequence((NamedArray("events", np.zeros((2, 3))),))
NAMES = ("models/a/versions/1", "models/a/versions/2", "models/b/versions/1")


class SomeModels:
    """Three names on pages of two; what begins with `remote` is served elsewhere."""

    def configured(self, choice: ModelChoice) -> ModelRecord | None:
        if not isinstance(choice, NamedModel) or choice.name == "upload":
            return None
        source = ModelSource.ENDPOINT if choice.name.startswith("remote") else ModelSource.REPOSITORY
        return ModelRecord(choice.name, "", source, ModelState.READY, datetime.now(UTC))

    def list(self, _: int, token: str) -> Page[ModelRecord]:
        start = int(token or 0)
        more = str(start + 2) if start + 2 < len(NAMES) else ""
        return Page(tuple(map(self._record, NAMES[start : start + 2])), more)

    def info(self, choice: ModelChoice, _: Deadline) -> Any:
        assert isinstance(choice, NamedModel)
        if choice.name == "nobody":
            raise NotFound("MODEL_NOT_FOUND", "no model nobody")
        if choice.name == "loading":
            raise Unavailable("MODEL_LOADING", "still being loaded")
        return choice

    def _record(self, name: str) -> ModelRecord:
        return ModelRecord(name, "", ModelSource.UPLOAD, ModelState.READY, datetime.now(UTC))


def run(
    use: Callable[[DataPlane], Any],
    act: Callable[[ExplainRequest, Deadline], Any] = lambda request, deadline: None,
) -> Any:
    """Runs an operation of a data plane whose explainer does what `act` says."""

    async def inside() -> Any:
        quiet = Observers(())
        executors = Executors(
            *(Executor(name, 2, 8, quiet) for name in ("explain", "remote", "lookup", "uploads"))
        )
        models: Any = SomeModels()
        explainer: Any = Scripted(act)
        parts: Any = (explainer, explainer, models, None, executors, NoEngines())
        plane = DataPlane(*parts, POLICY, Limits(), quiet)
        try:
            return await use(plane)
        finally:
            executors.shut_down()

    return asyncio.run(inside())


def requests(count: int, model: str = "m") -> list[ExplainRequest]:
    return [ExplainRequest(NamedModel(model), SEQUENCE, caller_id=str(row)) for row in range(count)]


def caller(_: ExplainRequest, explanation: Explanation) -> str:
    return explanation.caller_id


@pytest.mark.parametrize(
    ("model", "executor"),
    [
        (NamedModel("m"), "explain"),
        (NamedModel("upload"), "uploads"),
        (InlineModel(b""), "uploads"),
        (NamedModel("remote"), "remote"),
        (EndpointModel("grpc://h:1/m"), "remote"),
    ],
    ids=["named", "upload", "inline", "configured endpoint", "endpoint"],
)
def test_work_runs_where_its_model_belongs(model: ModelChoice, executor: str) -> None:
    """One request and the rows of a batch alike; both are read and answered in that executor's threads."""
    seen: set[str] = set()

    def note(*_: Any) -> Any:
        seen.add(threading.current_thread().name.rsplit("_", 1)[0])
        return replace(requests(1)[0], model=model)

    work = Work(note, note, EngineRequest(EngineOperation.EXPLAIN, b""), ScoreShape(1), Priority.INTERACTIVE)
    run(lambda plane: plane.explain(model, work, Deadline(10)), note)
    assert seen == {executor}
    seen.clear()
    run(lambda plane: plane.explain_batch([note()], note, Deadline(10)), note)
    assert seen - {"MainThread"} == {executor}


def test_rows_are_answered_in_order_and_share_the_time() -> None:
    """Two threads, eight rows: none but the last two may use all the time that is left."""
    left: dict[str, float] = {}

    def act(request: ExplainRequest, deadline: Deadline) -> None:
        left[request.caller_id] = deadline.remaining

    found = run(lambda plane: plane.explain_batch(requests(8), caller, Deadline(90)), act)
    assert found == [str(row) for row in range(8)]
    shares: Sequence[float] = [90 * 2 / (7 - row + 2) for row in range(8)]
    assert [left[str(row)] for row in range(8)] == pytest.approx(shares, abs=1.0)


def test_the_row_that_fails_is_named() -> None:
    """The first of them, by its number."""

    def act(request: ExplainRequest, _: Deadline) -> None:
        if int(request.caller_id) >= 2:
            raise InvalidInput.at("inputs[0]", "TENSOR_NOT_FINITE", "holds nan")

    with pytest.raises(InvalidInput) as caught:
        run(lambda plane: plane.explain_batch(requests(5), caller, Deadline(10)), act)
    assert caught.value.metadata == {"row": "2"}


def test_nothing_is_read_for_a_model_that_is_not_there() -> None:
    """What is asked of a model is read among look-ups, once the model is found."""
    threads: list[str] = []

    def read(_: Any) -> str:
        threads.append(threading.current_thread().name.rsplit("_", 1)[0])
        return "read"

    with pytest.raises(NotFound):
        run(lambda plane: plane.read_for(NamedModel("nobody"), read, Deadline(10)))
    assert threads == []
    assert run(lambda plane: plane.read_for(NamedModel("m"), read, Deadline(10))) == "read"
    assert threads == ["lookup"]


def test_names_of_models_are_of_all_pages() -> None:
    """Each once, without its versions."""
    assert run(lambda plane: plane.model_names(Deadline(10))) == ["a", "b"]


def test_why_a_model_cannot_be_explained() -> None:
    """A model that is not ready is told apart from one that is not there."""

    def problem(name: str) -> Any:
        return run(lambda plane: plane.model_problem(NamedModel(name), Deadline(10)))

    assert problem("m") is None
    assert problem("loading").reason == "MODEL_LOADING"
    with pytest.raises(NotFound):
        problem("nobody")
