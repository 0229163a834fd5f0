"""Whether a folder has everything that is asked, as far as that is known without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sequela_client.cohort.folder import QUESTION_NAME
from sequela_client.cohort.parts import DoneRows
from sequela_client.cohort.question import BulkQuestion
from sequela_client.errors import CallerError
from sequela_client.models import ModelFile, choose


def rows_there(folder: Path, question: BulkQuestion, part_rows: int, retry_failed: bool) -> int | None:
    """How many rows of a question a folder has, if it was asked nothing else.

    Args:
        folder: the folder.
        question: what is asked.
        part_rows: how many rows each file has.
        retry_failed: whether failed rows count as missing.

    Returns:
        None if only a server can say that the question is the same: the model is not a file, or the background is one.
    """
    record = _record(question, part_rows)
    path = folder / QUESTION_NAME
    if record is None or not path.exists() or json.loads(path.read_text("utf-8")) != record:
        return None
    return len(DoneRows(folder, not retry_failed))


def _record(question: BulkQuestion, part_rows: int) -> dict[str, Any] | None:
    """What the folder's question has to be; None if that is not known."""
    checkpoints = question.checkpoints or ((None,) if question.checkpoint_column is None else ())
    digests = {str(each or ""): _digest(question, each) for each in checkpoints}
    if None in digests.values() or isinstance(question.background, Path):
        return None
    record = {**question.record(), "model_digests": digests, "part_rows": part_rows}
    # As it is read back.
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def _digest(question: BulkQuestion, checkpoint: str | None) -> str | None:
    """The digest that a server gives to a model file."""
    try:
        chosen = choose(question.model_of(checkpoint))
        return chosen.read().digest if isinstance(chosen, ModelFile) else None
    except CallerError:
        return None
