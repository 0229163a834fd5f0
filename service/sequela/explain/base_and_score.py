"""The first step of an explanation: f(B) and f(X), and which targets are explained."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.link import apply_link
from sequela.explain.task import Task
from sequela.timeshap.players import one_player


@dataclass(frozen=True, slots=True, eq=False)
class BaseAndScore:
    """f(B) and f(X), raw and after the link, (2, targets) each.

    If the score is below `minimum_score`, f(B) is not computed, and both arrays hold only f(X), (1, targets).
    """

    raw: NDArray[np.float64]
    linked: NDArray[np.float64]

    @property
    def has_base(self) -> bool:
        """Whether f(B) was computed."""
        return len(self.raw) > 1

    @property
    def base(self) -> NDArray[np.float64]:
        """f(B) after the link, (targets,)."""
        return np.asarray(self.linked[0])

    @property
    def score(self) -> NDArray[np.float64]:
        """f(X) after the link, (targets,)."""
        return np.asarray(self.linked[1])

    @property
    def gain(self) -> NDArray[np.float64]:
        """f(X) - f(B) after the link, (targets,)."""
        return self.score - self.base


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTask:
    """A task whose targets are known, with their scores. `evaluator` returns values for these targets only."""

    task: Task
    evaluator: Evaluator
    scores: BaseAndScore


def score_task(task: Task, evaluator: Evaluator) -> ScoredTask:
    """Scores X and B, and chooses the targets: by default those with the highest scores.

    Raises:
        DeadlinePassed: The deadline passed before the scores were computed.
        Cancelled: The caller cancelled the request.
        DoesNotFit: The model failed.
    """
    raw = _raw_scores(task, evaluator)
    # The last row is f(X) in both cases.
    order = task.targets.by_score(raw[-1])
    evaluator = evaluator.of(order)
    chosen = raw[:, order]
    # The link comes last, because targets are ordered by raw scores.
    scores = BaseAndScore(chosen, apply_link(evaluator.link, chosen).values)
    return ScoredTask(replace(task, targets=task.targets.pick(order)), evaluator, scores)


def _raw_scores(task: Task, evaluator: Evaluator) -> NDArray[np.float64]:
    """f(B) and f(X) before the link, (2, targets), or only f(X), (1, targets).

    A score below the minimum is not explained, so f(B) is not computed either.
    """
    players = one_player(task.extent)
    minimum = task.request.options.minimum_score
    if minimum is not None:
        raw = evaluator.score(players)
        # The minimum is for the first target, in the order of the answer.
        if raw[0, task.targets.by_score(raw[0])[0]] < minimum:
            return raw
    return evaluator.base_and_score(players)
