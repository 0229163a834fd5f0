"""An explanation with a different value in every field, and explainers that tests control."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import OutOfTime
from sequela.explain.explanation import (
    Attribution,
    Cost,
    EventValues,
    Explanation,
    ExplanationWarning,
    Feature,
    LevelExplanation,
    LevelQuality,
    Pruning,
    PruningPoint,
    Reason,
    StopReason,
    TargetScore,
)
from sequela.explain.kept_explanation import EncodedExplanation
from sequela.explain.options import Estimator, FeatureScope, Level, ResolvedOptions
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.explain.request import EventInfo, ExplainRequest
from sequela.explain.schema import Link
from sequela.timeshap.players import PlayerKind
from sequela.timeshap.pruning import Verdict

WHEN = datetime(2026, 3, 4, 5, 6, 7, 890_000, UTC)
MISS = Attribution(PlayerKind.FEATURE, (0.01, 0.02), (0.003, 0.004), feature="near")
USED = Estimator.CONTROL_VARIATE
QUALITY = LevelQuality(StopReason.BUDGET, 7, 96, 0.25, 1e-9, "all used", 3, True, (MISS,), 1.5, USED, 2)


def level(*kinds: PlayerKind) -> LevelExplanation:
    attributions = tuple(
        Attribution(kind, (0.5 + index, -0.25), (0.125, 0.0625), -index, -index, f"f{index}", True)
        for index, kind in enumerate(kinds)
    )
    return LevelExplanation(attributions, QUALITY)


def explanation() -> Explanation:
    """Returns an explanation of two targets with all levels."""
    kind = PlayerKind
    return Explanation(
        name="explanations/e",
        create_time=WHEN,
        caller_id="alert",
        labels={"team": "a"},
        model="models/m/versions/1",
        model_digest="1" * 64,
        background="models/m/backgrounds/b",
        background_digest="2" * 64,
        event_count=9,
        targets=(TargetScore("t", 0.1, 0.9, 0.11, 0.91, "T"), TargetScore("u", 0.2, 0.8, 0.21, 0.81, "U")),
        explained=True,
        pruning=Pruning(
            pruned_events=4,
            tolerance=(0.025, 0.03),
            scan_complete=True,
            curve=(PruningPoint(-4, (0.01, 0.02)),),
            attribution=(0.02, 0.03),
            standard_error=(0.001, 0.002),
            verdicts=(Verdict.WITHIN, Verdict.UNCERTAIN),
            history_attribution=(0.021, 0.031),
            quality=QUALITY,
        ),
        levels={
            "event": level(kind.PRUNED, kind.HISTORY, kind.EVENT, kind.STATIC),
            "feature": level(kind.PRUNED, kind.FEATURE),
            "cell": level(kind.CELL, kind.EVENT_REST, kind.FEATURE_REST, kind.OTHER),
        },
        options=ResolvedOptions(
            levels=(Level.EVENT, Level.FEATURE, Level.CELL),
            feature_scope=FeatureScope.FULL_SEQUENCE,
            pruning_tolerance=(0.025, 0.03),
            cell_threshold=(0.1, 0.2),
            top_k_events=3,
            top_k_features=2,
            max_coalitions=4096,
            target_standard_error=(0.005, 0.006),
            seed=42,
            refine_history=True,
            minimum_score=0.5,
            full_pruning_curve=True,
            link=Link.LOGIT,
            output_event=-2,
            estimator=USED,
        ),
        features=(
            Feature("amount", "Amount", "EUR", "what was paid", False),
            Feature("age", "Age", "a", "", True),
        ),
        event_values=(
            EventValues(-1, ("1 EUR",), EventInfo("id", WHEN, {"Amount": "1"})),
            EventValues(0, ("2",)),
        ),
        static_values=("33 a",),
        cost=Cost(10, 2, 60, {"prune": 0.5}, True, 12, 3),
        cut_short=True,
        warnings=(ExplanationWarning("OUTPUTS_LEFT_OUT", "2 of 5 outputs were explained"),),
        output_count=5,
        reasons=(
            Reason("t", "Amount.", "templates[1]", "7", kind.CELL, 0.5, 0.125, -1, "amount"),
            Reason("t", "Age.", "default", "1", kind.FEATURE, 0.4, 0.1, feature="age", tied=True),
        ),
        event_weights=(0.25, 0.75),
        requested_by="anna",
    )


class LoadingStates:
    """The operator's models, which are loading until a test ends that."""

    def __init__(self) -> None:
        self.loaded = threading.Event()

    def ready(self) -> bool:
        return self.loaded.is_set()

    def lacks_models(self) -> bool:
        return False

    def unready(self) -> list[ModelRecord]:
        loading = ModelRecord(
            "models/m/versions/1", "", ModelSource.REPOSITORY, ModelState.LOADING, datetime.now(UTC)
        )
        return [] if self.ready() else [loading]

    def notes(self) -> list[str]:
        return []


class Scripted:
    """An explainer that does what a test says. `begun` counts the requests that reached it."""

    def __init__(self, act: Callable[[ExplainRequest, Deadline], Any]) -> None:
        self._act = act
        self.begun = threading.Semaphore(0)

    def answer(self, question: ExplainRequest, deadline: Deadline) -> EncodedExplanation:
        return EncodedExplanation(self.explain(question, deadline))

    def explain(self, question: ExplainRequest, deadline: Deadline) -> Explanation:
        self.begun.release()
        self._act(question, deadline)
        return replace(explanation(), caller_id=question.caller_id)


class Gate(Scripted):
    """Holds every request until it is opened, and checks the deadline like an explainer between two batches.

    It has no partial answer to return when the deadline is reached.
    """

    def __init__(self) -> None:
        super().__init__(self._hold)
        self.open = threading.Event()
        self.stopped: list[BaseException] = []

    def _hold(self, _: ExplainRequest, deadline: Deadline) -> None:
        try:
            while not self.open.wait(0.005):
                deadline.check()
        except DeadlinePassed:
            raise OutOfTime("DEADLINE_TOO_SHORT", "held until the time was up") from None
        except BaseException as error:
            self.stopped.append(error)
            raise
