"""Reads the background of a bulk explanation from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sequela_client.cohort.question import BulkQuestion
from sequela_client.files import load
from sequela_client.model_inputs import file_inputs
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.rows import RowOptions


def with_background_values(question: BulkQuestion, layout: Layout) -> BulkQuestion:
    """Returns the question with the values of its background. It is read if the question names a file by a Path.

    Raises:
        CallerError: the file cannot be read, or does not fit the model.
    """
    if not isinstance(question.background, Path):
        return question
    rows = RowOptions(question.columns)
    values = file_inputs.background(load(question.background), layout, rows, file_inputs.Notes())
    return replace(question, background=values)
