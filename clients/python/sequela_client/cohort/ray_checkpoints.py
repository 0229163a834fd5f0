"""Refuses Ray's own checkpoints if they would lose or repeat rows, before anything is computed."""

from __future__ import annotations

from typing import Any

from ray.data import DataContext
from ray.data._internal.execution.execution_callback import ExecutionCallback
from ray.data.checkpoint.load_checkpoint_callback import LoadCheckpointCallback

from sequela_client.cohort.question import BulkQuestion
from sequela_client.errors import CallerError

_REASON = "CHECKPOINTING_NOT_SUPPORTED"


class CheckpointGuard(ExecutionCallback):  # type: ignore[misc]  # Ray has no types for mypy
    """Ends a plan before it starts if Ray has switched off its checkpoints. Ray itself would only log a warning."""

    def before_execution_starts(self, executor: Any) -> None:
        """Raises CallerError if checkpoints are asked for, and the plan does not write any."""
        wanted = executor._data_context.checkpoint_config is not None
        if wanted and not any(isinstance(each, LoadCheckpointCallback) for each in executor._callbacks):
            raise CallerError(
                "checkpoint_config: Ray does not support checkpoints for this plan, and would run it without them; "
                "read files and write the result with a sink, or set checkpoint_config to None",
                reason=_REASON,
            )


def require_checkpoints(question: BulkQuestion, dataset: Any) -> None:
    """Raises CallerError if the dataset has checkpoints that Ray would ignore or apply wrongly."""
    config = dataset.context.checkpoint_config
    if config is None:
        return
    if config.id_column != "id" or question.id_column != "id":
        raise CallerError(
            f"checkpoint_config: id_column is {config.id_column!r}, and the ids are in {question.id_column!r}; Ray "
            "looks for them in the result, where the column is 'id': rename the column, and use 'id' for both",
            reason=_REASON,
        )
    if len(question.variants) > 1:
        raise CallerError(
            f"checkpoint_config: there are {len(question.variants)} variants of each sequence, and Ray keeps ids "
            "only; explain each variant by itself, or use `explain_files`, which continues without checkpoints of Ray",
            reason=_REASON,
        )
    if not _reads_files(dataset._logical_plan.dag):
        # Ray believes that such a plan supports checkpoints, but explains all of its rows again.
        raise CallerError(
            "checkpoint_config: the rows of this dataset do not come from files, so Ray cannot leave out those that "
            "are done; read them from files, or set checkpoint_config to None",
            reason=_REASON,
        )
    classes = dataset.context.custom_execution_callback_classes
    if CheckpointGuard not in classes:
        classes.append(CheckpointGuard)


def _reads_files(operator: Any) -> bool:
    """Returns whether all rows of a plan are read from files. Only then Ray leaves out rows that are done."""
    if type(operator).__name__ in ("Read", "ReadFiles"):
        return True
    below = operator.input_dependencies
    return bool(below) and all(map(_reads_files, below))


def check_no_checkpoints() -> None:
    """Raises CallerError if Ray's checkpoints are on."""
    if DataContext.get_current().checkpoint_config is not None:
        raise CallerError(
            "checkpoint_config: `explain_files` finds out from the folder which rows are done, and checkpoints of Ray "
            "could leave out others; set DataContext.get_current().checkpoint_config to None",
            reason=_REASON,
        )
