"""Records explanations as files, one folder for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from sequela.adapters.trace_files.facts import (
    Facts,
    answer_facts,
    error_facts,
    input_arrays,
    score_facts,
    task_facts,
)
from sequela.adapters.trace_files.folder import TraceFolder, never_raises
from sequela.adapters.trace_files.game_files import GameFiles
from sequela.adapters.trace_files.writer import Writer
from sequela.explain.base_and_score import ScoredTask
from sequela.explain.explanation import Explanation
from sequela.explain.layout import Layout
from sequela.explain.task import Task
from sequela.explain.tracer import NO_TRACE, ExplanationTrace, GameTrace
from sequela.timeshap.players import Players

log = structlog.get_logger("sequela.trace_files")


class FileTracer:
    """Records every explanation in a folder of its own. Implements `Tracer`. Safe for several threads.

    Args:
        folder: The parent of the folders. It is created if necessary.
        max_bytes: The largest size of the arrays of one explanation. They are held in memory until they are written.

    Raises:
        OSError: The folder cannot be created or written to.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder that cannot be written to must stop the start, not fail with each explanation.
        probe = folder / ".writable"
        probe.touch(mode=0o600)
        probe.unlink()
        self._folder, self._max_bytes = folder, max_bytes
        self._writer = Writer()

    def close(self) -> None:
        """Waits until everything is written. Nothing is recorded afterwards."""
        self._writer.close()

    def explanation(self, name: str, task: Task) -> ExplanationTrace:
        """As in `Tracer`. If the folder cannot be made, a warning is logged and nothing is recorded."""
        path = self._folder / name.rpartition("/")[2]
        try:
            folder = TraceFolder(path, self._writer, self._max_bytes)
        except OSError as error:
            log.warning("trace not written", folder=str(path), detail=str(error))
            return NO_TRACE
        files = ExplanationFiles(folder, task.layout)
        files.started(name, task)
        return files


class ExplanationFiles:
    """The files of one explanation. Implements `ExplanationTrace`. `explanation.json` is rewritten with every step.

    Args:
        folder: Where the files are written.
        layout: The model's inputs and features.
    """

    def __init__(self, folder: TraceFolder, layout: Layout) -> None:
        self.folder = folder
        self._layout = layout
        self._facts: Facts = {}
        self._games: list[Facts] = []
        self._base_and_score = np.zeros((2, 0))

    @never_raises
    def started(self, name: str, task: Task) -> None:
        """Writes the request."""
        self._add(task_facts(name, task))
        self.folder.write_fitting_arrays("inputs.npz", input_arrays(task))

    @never_raises
    def execution_chosen(self, execution: str) -> None:
        """As in `ExplanationTrace`."""
        self._add({"execution": execution})

    @never_raises
    def scored(self, scored: ScoredTask) -> None:
        """As in `ExplanationTrace`."""
        self._add(score_facts(scored))
        self._base_and_score = scored.scores.linked

    @never_raises
    def pruned(
        self, events: int, splits: NDArray[np.intp], curve: NDArray[np.float64], complete: bool
    ) -> None:
        """As in `ExplanationTrace`."""
        self._add({"pruned_events": events, "scan_complete": complete})
        length = self._facts["sequence"]["events"]
        header = ("split", "event", *(f"importance_{target}" for target in range(curve.shape[1])))
        rows = zip(splits.tolist(), curve.tolist(), strict=True)
        self.folder.write_table(
            "pruning.csv", header, [(split, split - length, *values) for split, values in rows]
        )

    def game(self, level: str, players: Players, live: NDArray[np.bool_]) -> GameTrace:
        """As in `ExplanationTrace`."""
        # Without f(B) and f(X), the values of a game could not be interpreted.
        if self.folder.broken or len(self._base_and_score) < 2:
            return NO_TRACE
        # A level plays several games if the history is refined, and each gets files of its own.
        count = 1 + sum(game["level"] == level for game in self._games)
        name = level if count == 1 else f"{level}_{count}"
        facts = {"level": level, "files": name, "players": len(players), "live_players": int(live.sum())}
        self._games.append(facts)
        return GameFiles(self.folder, name, facts, players, live, self._base_and_score, self._layout)

    @never_raises
    def finished(self, explanation: Explanation) -> None:
        """As in `ExplanationTrace`."""
        self._add(answer_facts(explanation))
        if self.folder.left_out:
            log.warning("trace cut", folder=str(self.folder.path), detail="; ".join(self.folder.left_out))

    @never_raises
    def failed(self, error: BaseException) -> None:
        """As in `ExplanationTrace`."""
        self._add(error_facts(error))

    def _add(self, facts: Facts) -> None:
        self._facts |= facts
        known = self._facts | {"games": self._games, "left_out": self.folder.left_out}
        self.folder.write_facts("explanation.json", known)
