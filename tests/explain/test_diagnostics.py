"""A tracer sees every game as it was played, and an execution can be forced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from asking import ask, assert_alike, explainer, key, levels, loaded, numbers, question
from matrix import BY_NAME
from numpy.typing import NDArray
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled, DoesNotFit, InvalidInput
from sequela.explain.base_and_score import ScoredTask
from sequela.explain.diagnostics import NO_DIAGNOSTICS, Diagnostics
from sequela.explain.evaluate.choose_execution import ExecutionKind
from sequela.explain.explanation import Explanation
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.options import Estimator
from sequela.explain.task import Task
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution

GRU = BY_NAME["gru"]
LENGTH = 9
OPTIONS: dict[str, Any] = {"pruning_tolerance": 0.003, "top_k_events": 2, "top_k_features": 2}


@dataclass
class RecordedGame:
    """Everything that a tracer is told of one game."""

    level: str
    players: Players
    live: NDArray[np.bool_]
    coalitions: list[NDArray[np.bool_]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    stages: list[tuple[int, Solution, Estimator]] = field(default_factory=list)
    outcome: GameOutcome | None = None

    def evaluated(self, coalitions: NDArray[np.bool_], values: NDArray[np.float64]) -> None:
        self.coalitions.append(coalitions)
        self.values.append(values)

    def solved(self, coalitions: int, solution: Solution, estimator: Estimator) -> None:
        self.stages.append((coalitions, solution, estimator))

    def finished(self, outcome: GameOutcome) -> None:
        assert self.outcome is None
        self.outcome = outcome


class Recorder:
    """Implements `Tracer` and `ExplanationTrace`."""

    def __init__(self) -> None:
        self.games: list[RecordedGame] = []
        self.steps: list[tuple[str, Any]] = []

    def explanation(self, name: str, _: Task) -> Recorder:
        self.steps.append(("explanation", name))
        return self

    def execution_chosen(self, execution: str) -> None:
        self.steps.append(("execution", execution))

    def scored(self, scored: ScoredTask) -> None:
        self.steps.append(("scored", scored))

    def pruned(self, events: int, *curve: Any) -> None:
        self.steps.append(("pruned", (events, *curve)))

    def game(self, *arguments: Any) -> RecordedGame:
        self.games.append(RecordedGame(*arguments))
        return self.games[-1]

    def finished(self, explanation: Explanation) -> None:
        self.steps.append(("finished", explanation))

    def failed(self, error: BaseException) -> None:
        self.steps.append(("failed", error))


def diagnosed(diagnostics: Diagnostics, length: int = LENGTH, **options: Any) -> Explanation:
    model = loaded(GRU)
    asked = question(model, GRU.sample(length), GRU.average(), **OPTIONS | options)
    return explainer(model, diagnostics=diagnostics).explain(asked, Deadline())


def test_every_game_is_recorded() -> None:
    """Under the answer's name and the level's; the answer is the same as without a tracer."""
    recorder = Recorder()
    answer = diagnosed(Diagnostics(tracer=recorder))
    plain = ask(GRU, GRU.sample(LENGTH), GRU.average(), **OPTIONS)
    assert [game.level for game in recorder.games] == ["event", "feature", "cell"]
    assert recorder.steps[0] == ("explanation", answer.name)
    for game, level, same in zip(recorder.games, levels(answer), levels(plain), strict=True):
        assert game.outcome is not None
        assert game.outcome.solution is not None
        assert numbers(level) == numbers(same)
        np.testing.assert_array_equal(game.outcome.solution.values, [a.values for a in level.attributions])
        assert len(game.players) == len(level.attributions)
        assert game.live.sum() == level.quality.players


def test_refined_history_is_recorded_game_by_game() -> None:
    """The first game has P as one player."""
    recorder = Recorder()
    answer = diagnosed(
        Diagnostics(tracer=recorder), refine_history=True, pruning_tolerance=0.01, levels=("event",)
    )
    sizes = [len(game.players) for game in recorder.games]
    assert len(sizes) > 1
    assert sizes == list(range(sizes[0], sizes[0] + len(sizes)))
    assert sizes[-1] == len(answer.levels["event"].attributions)


def test_what_is_recorded_gives_the_numbers() -> None:
    """All coalitions of an exact game, each once and with its complement: their odd parts, weighted as Shapley values
    are, give the attributions; a sampled game has the coalitions that its answer counts.
    """
    recorder = Recorder()
    answer = diagnosed(Diagnostics(tracer=recorder), levels=("event",), max_coalitions=1 << 12)
    (game,) = recorder.games
    coalitions, values = np.concatenate(game.coalitions), np.concatenate(game.values)
    m = int(game.live.sum())
    assert len(np.unique(coalitions, axis=0)) == len(coalitions) == 2**m - 2
    np.testing.assert_allclose(
        shapley_values(coalitions, values, dict(recorder.steps)["scored"].scores.gain),
        [a.values for a in answer.levels["event"].attributions],
        atol=1e-12,
    )


def shapley_values(
    coalitions: NDArray[np.bool_], values: NDArray[np.float64], gain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From all coalitions but ∅ and N, by the definition with sizes in place of orders."""
    m = coalitions.shape[1]
    sizes = coalitions.sum(axis=1)
    orders = np.array([1.0 / (m * comb(m - 1, s)) for s in range(m)])
    joined = np.where(coalitions, orders[sizes - 1][:, None], 0.0)
    left = np.where(~coalitions, orders[np.minimum(sizes, m - 1)][:, None], 0.0)
    # v(N) - v(∅) is known by its sum only: both ends weigh the same for every player.
    return (joined - left).T @ values + gain / m


def comb(n: int, k: int) -> int:
    return int(np.prod([(n - i) / (i + 1) for i in range(k)]).round())


def test_steps_are_recorded() -> None:
    """The execution, both scores, the scan and the answer, in this order."""
    recorder = Recorder()
    answer = diagnosed(Diagnostics(tracer=recorder))
    assert [name for name, _ in recorder.steps] == [
        "explanation",
        "execution",
        "scored",
        "pruned",
        "finished",
    ]
    _, (_, execution), (_, scored), (_, scan), (_, found) = recorder.steps
    assert execution == "states"
    assert scored.scores.score == [item.score for item in answer.targets]
    assert answer.pruning is not None
    assert scan[0] == answer.pruning.pruned_events
    assert found is answer


def test_errors_are_recorded() -> None:
    """And reach the caller as they are."""
    recorder = Recorder()
    with pytest.raises(InvalidInput) as caught:
        diagnosed(Diagnostics(tracer=recorder), levels=("nonsense",))
    assert not recorder.steps  # nothing was computed yet
    deadline = Deadline()
    deadline.cancel()
    model = loaded(GRU)
    with pytest.raises(Cancelled) as cancelled:
        explainer(model, diagnostics=Diagnostics(tracer=recorder)).explain(
            question(model, GRU.sample(LENGTH), GRU.average()), deadline
        )
    assert recorder.steps[-1] == ("failed", cancelled.value)
    assert caught.value.reason == "LEVEL_UNKNOWN"


def test_stages_are_recorded() -> None:
    """A sampled game reports each stage that was solved; the last one is the answer."""
    recorder = Recorder()
    answer = diagnosed(
        Diagnostics(tracer=recorder),
        levels=("event",),
        pruning_tolerance=0.0,
        max_coalitions=300,
        target_standard_error=0.0,
    )
    (game,) = recorder.games
    level = answer.levels["event"]
    size, solution, estimator = game.stages[-1]
    assert (size, estimator) == (level.quality.coalitions, Estimator.CONTROL_VARIATE)
    assert sum(map(len, game.coalitions)) == size - 2
    np.testing.assert_array_equal(solution.errors, [a.standard_errors for a in level.attributions])
    assert game.outcome is not None
    assert key(level.attributions[0]) == ("event", 1 - LENGTH)


@pytest.mark.parametrize("kind", ExecutionKind)
def test_a_forced_execution_agrees(kind: ExecutionKind) -> None:
    """Whole or from states: the same coalitions and, to float noise, the same numbers."""
    assert_alike(diagnosed(Diagnostics(execution=kind)), diagnosed(NO_DIAGNOSTICS), 1e-6)


def test_whole_runs_more_events() -> None:
    """What is forced is what runs."""
    whole, states = (
        diagnosed(Diagnostics(execution=kind), length=40).cost.model_events
        for kind in (ExecutionKind.WHOLE, ExecutionKind.STATES)
    )
    assert whole > 2 * states


def test_an_execution_that_is_not_there_is_refused() -> None:
    """With the reason."""
    case = BY_NAME["transformer"]
    model = loaded(case)
    asked = question(model, case.sample(4), case.average())
    strict = explainer(model, diagnostics=Diagnostics(execution=ExecutionKind.STATES))
    with pytest.raises(DoesNotFit, match="execution states") as caught:
        strict.explain(asked, Deadline())
    assert caught.value.reason == "EXECUTION_UNSUPPORTED"


def test_diagnosed_answers_are_not_reused() -> None:
    """A forced execution is computed each time, under a name of its own."""
    model = loaded(GRU)
    forced = explainer(model, diagnostics=Diagnostics(execution=ExecutionKind.WHOLE))
    asked = question(model, GRU.sample(LENGTH), GRU.average(), **OPTIONS)
    first, second = (forced.explain(asked, Deadline()) for _ in range(2))
    assert not second.cost.cached
    assert first.name != second.name
