"""What the server does with the end of a task, whatever engine it comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from adapters.store.record_samples import BODY, listed, record
from adapters.store.store_samples import Heard
from sequela.adapters.repository.model_runners import VersionFolder
from sequela.adapters.store.ports import Store
from sequela.adapters.store.sqlite.store import memory_store
from sequela.api.engine_port import EngineOperation, EngineRequest
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.single_flight import SingleFlight
from sequela.engines.exits import EngineExit, EngineLost, ExitReason
from sequela.errors import SequelaError
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.model_engines.crashes import MAX_CRASHES, MAX_MODEL_CRASHES, CrashLog
from sequela.model_engines.engine_service import ModelEngines, StoredParts
from sequela.model_engines.outcomes import RecordToKeep, TaskOutcome
from sequela.model_engines.tasks import ModelEngineConfig

MODEL = ModelRecord(
    "models/m/versions/1", "a" * 64, ModelSource.REPOSITORY, ModelState.READY, datetime.now(UTC)
)
REQUEST = EngineRequest(EngineOperation.EXPLAIN, b"")


class OneOutcome:
    """A pool whose engines end every task in the same way."""

    up = 1

    def __init__(self, outcome: TaskOutcome | ExitReason) -> None:
        self._outcome = outcome

    def call(self, *_: Any) -> bytes:
        if isinstance(self._outcome, TaskOutcome):
            return self._outcome.pack()
        raise EngineLost(EngineExit(self._outcome, "ended", busy=True))


def engines(outcome: TaskOutcome | ExitReason, store: Store | None = None) -> ModelEngines:
    pool: Any = OneOutcome(outcome)
    made = ModelEngines(1, lambda *_: pool, ModelEngineConfig(Limits()), CrashLog(600.0))
    records: Any = store.records if store else None
    made.connect(StoredParts(records, backgrounds=None, flights=SingleFlight(), observer=Heard()))  # type: ignore[arg-type]
    made.hold([VersionFolder(MODEL.name, Path("m/1"), MODEL.digest)])
    return made


def reason(made: ModelEngines) -> str:
    try:
        made.run(REQUEST, MODEL, Deadline(60))
    except SequelaError as error:
        return error.reason
    return "ok"


def test_an_engine_cannot_store_an_explanation_of_another_model() -> None:
    """The caller gets the answer; what is about the model of the request is stored, and nothing else."""
    store = memory_store()
    own, foreign = record(1, model_digest=MODEL.digest), record(2, model_digest="b" * 64)
    kept = tuple(RecordToKeep(each, BODY, None) for each in (foreign, own))
    made = engines(TaskOutcome(b"answer", records=kept), store)
    assert made.run(REQUEST, MODEL, Deadline(60)) == b"answer"
    assert listed(store.records) == ["e1"]


def test_an_engine_cannot_choose_whose_request_it_was() -> None:
    """The record names the caller that the server knows, whatever the engine says."""
    store = memory_store()
    kept = RecordToKeep(record(1, model_digest=MODEL.digest, requested_by="somebody else"), BODY, None)
    made = engines(TaskOutcome(b"answer", records=(kept,)), store)
    made.run(replace(REQUEST, requested_by="anna"), MODEL, Deadline(60))
    stored = store.records.get(kept.record.summary.name)
    assert stored is not None
    assert stored.record.summary.requested_by == "anna"


@pytest.mark.parametrize("cause", [ExitReason.KILLED, ExitReason.HOST_MEMORY, ExitReason.RETIRED])
def test_no_request_is_blamed_for_what_others_did_to_its_engine(cause: ExitReason) -> None:
    """However often somebody kills the engine, or the machine has no memory left."""
    made = engines(cause)
    reasons = {reason(made) for _ in range(MAX_MODEL_CRASHES + 1)}
    assert reasons <= {"ENGINE_KILLED", "ENGINE_OUT_OF_MEMORY"}


def test_a_request_is_blamed_for_a_crash() -> None:
    """After it ended as many engines as clients try by themselves."""
    made = engines(ExitReason.CRASHED)
    assert [reason(made) for _ in range(MAX_CRASHES + 1)] == [
        *["ENGINE_CRASHED"] * MAX_CRASHES,
        "REQUEST_QUARANTINED",
    ]
