"""What is refused after an engine of a caller's model ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.upload_engines.engine_client import EngineClient
from sequela.adapters.upload_engines.model_tasks import ModelTask, RunModel
from sequela.adapters.upload_engines.quarantine import MAX_QUESTIONS, Quarantine
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.engines.exits import EngineExit, EngineLost, ExitReason
from sequela.errors import DoesNotFit
from sequela.timeshap.cells import Cells

SOURCE = ModelBytes(b"onnx", b"", "onnx", "schema")


class DyingPool:
    """An engine ends with each task, for a reason that the test sets."""

    def __init__(self) -> None:
        self.reason = ExitReason.CRASHED

    def call(self, *_: Any) -> bytes:
        raise EngineLost(EngineExit(self.reason, "was ended by SIGSEGV", SOURCE.digest, busy=True))


def client() -> EngineClient:
    return EngineClient(DyingPool(), Quarantine(600.0), 60.0, 20.0)  # type: ignore[arg-type]


def run(number: int) -> RunModel:
    return RunModel(Cells((np.full((1, 2, 3), float(number)),), ()), (np.zeros((2, 3)),), 0)


def reason(call: Any) -> str:
    try:
        call()
    except (DoesNotFit, EngineLost) as error:
        return error.reason
    except DeadlinePassed:
        return "late"
    return "ok"


def ask(engines: EngineClient, number: int) -> str:
    return reason(lambda: engines.run(SOURCE, run(number), Deadline(30.0).end))


def test_one_question_does_not_take_the_model_from_others() -> None:
    """However often it is asked; several different ones do."""
    engines = client()
    assert ask(engines, 0) == "ENGINE_CRASHED"
    assert [ask(engines, 0) for _ in range(5)] == ["REQUEST_QUARANTINED"] * 5
    assert [ask(engines, each) for each in range(1, MAX_QUESTIONS)] == ["ENGINE_CRASHED"] * (
        MAX_QUESTIONS - 1
    )
    assert ask(engines, MAX_QUESTIONS) == "MODEL_QUARANTINED"


def test_a_model_that_ends_its_engine_while_it_is_loaded_is_refused_at_once() -> None:
    """No question is to blame for that."""
    engines = client()
    assert reason(lambda: engines.describe(SOURCE, Deadline(30.0))) == "ENGINE_CRASHED"
    assert ask(engines, 0) == "MODEL_QUARANTINED"


@pytest.mark.parametrize("cause", [ExitReason.HOST_MEMORY, ExitReason.KILLED])
def test_nobody_is_blamed_for_a_machine_without_memory(cause: ExitReason) -> None:
    """Neither the question at work nor the models that waited."""
    engines = client()
    engines.pool.reason = cause  # type: ignore[attr-defined]
    for _ in range(MAX_QUESTIONS + 1):
        assert ask(engines, 0).startswith("ENGINE_")
        engines.quarantine.note_idle(SOURCE.digest, EngineExit(cause, "was killed"))
    engines.quarantine.check(SOURCE.digest, ModelTask(run(0)).question)


def test_an_engine_that_crashes_between_tasks_counts() -> None:
    """Its own threads may have been at work."""
    quarantine = Quarantine(600.0)
    for _ in range(MAX_QUESTIONS):
        quarantine.check("d", str)
        quarantine.note_idle("d", EngineExit(ExitReason.CRASHED, "was ended by SIGSEGV"))
    with pytest.raises(DoesNotFit, match="other questions"):
        quarantine.check("d", str)
