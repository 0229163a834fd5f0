"""The metadata of the files of a run: the question, the features and the target."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sequela_client.cohort import schema
from sequela_client.cohort.description import Description
from sequela_client.cohort.explain import Describer
from sequela_client.cohort.question import BulkQuestion


def question_record(question: BulkQuestion, describer: Describer) -> dict[str, Any]:
    """Returns the question with the digests of its models, so that a retrained model makes it another question."""
    checkpoints = question.checkpoints or ((None,) if question.checkpoint_column is None else ())
    digests = {str(each or ""): describer.of(each).digest for each in checkpoints}
    return {**question.record(), "model_digests": digests}


def file_schema(question: BulkQuestion, describer: Describer, description: Description) -> Any:
    """Returns the schema of the files of a run, with its metadata."""
    return schema.with_metadata(
        {
            schema.QUESTION_KEY: question_record(question, describer),
            schema.FEATURES_KEY: description.features(),
            schema.TARGET_KEY: {"name": description.target.name, "label": description.target.label},
            schema.PACKAGE_KEY: _version(),
        }
    )


def _version() -> str:
    try:
        return version("sequela")
    except PackageNotFoundError:
        return ""
