"""Finds out whether a folder has all rows of a question, as far as that is possible without a server."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sequela_client.cohort.folder import BACKGROUND_FILE, QUESTION_NAME
from sequela_client.cohort.parts import DoneRows
from sequela_client.cohort.question import BulkQuestion
from sequela_client.errors import CallerError
from sequela_client.models import ModelFile, choose


def rows_there(folder: Path, question: BulkQuestion, part_rows: int, retry_failed: bool) -> int | None:
    """Returns how many rows of a question a folder has, provided that the folder belongs to this question.

    Args:
        folder: the folder.
        question: what is asked.
        part_rows: how many rows each file has.
        retry_failed: whether failed rows count as missing.

    Returns:
        None if only a server can say whether the question is the same: it gives the model its name, or the folder
            has another question.
    """
    record = _record(question, part_rows)
    path = folder / QUESTION_NAME
    if record is None or not path.exists():
        return None
    known = json.loads(path.read_text("utf-8"))
    if BACKGROUND_FILE in record:
        # Only a server can say which values the file has for a model. The same file has the same ones.
        known, record = ({**each, "background": None} for each in (known, record))
    return len(DoneRows(folder, not retry_failed)) if known == record else None


def background_file_record(question: BulkQuestion) -> dict[str, str]:
    """The digest of the file of a background; empty if the background is none.

    Raises:
        CallerError: the file cannot be read.
    """
    if not isinstance(question.background, Path):
        return {}
    try:
        content = question.background.read_bytes()
    except OSError as error:
        text = f"{question.background}: {error.strerror}"
        raise CallerError(text, reason="FILE_NOT_READABLE") from error
    return {BACKGROUND_FILE: hashlib.sha256(content).hexdigest()}


def _record(question: BulkQuestion, part_rows: int) -> dict[str, Any] | None:
    """What the folder's question has to be; None if that is not known."""
    checkpoints = question.checkpoints or ((None,) if question.checkpoint_column is None else ())
    digests = {str(each or ""): _digest(question, each) for each in checkpoints}
    if None in digests.values():
        return None
    files = background_file_record(question)
    record = {**question.record(), "model_digests": digests, "part_rows": part_rows, **files}
    # As it is read back.
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def _digest(question: BulkQuestion, checkpoint: str | None) -> str | None:
    """The digest that a server gives to a model: that of a file, and none to an endpoint. None: only a server knows."""
    try:
        chosen = choose(question.model_of(checkpoint))
        if isinstance(chosen, ModelFile):
            return chosen.read().digest
    except CallerError:
        return None
    return "" if chosen.HasField("endpoint") else None
