"""Describes the model of a bulk explanation: the inputs and features by which sequences are read, and the target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela_client.client import Sequela
from sequela_client.cohort.question import BulkQuestion
from sequela_client.errors import CallerError
from sequela_client.model_description import described, layout
from sequela_client.model_inputs.layout import Layout, layout_of
from sequela_client.resources import Model, ModelFeature, Target


@dataclass(frozen=True, slots=True)
class Description:
    """What a bulk explanation needs to know about a model.

    Args:
        layout: its inputs and features.
        target: the output that is explained; its label may be empty.
        digest: the digest of the model; empty if it is behind an endpoint.
    """

    layout: Layout
    target: Target
    digest: str

    def features(self) -> list[dict[str, Any]]:
        """Returns the features for the metadata of a cohort file."""
        return [_feature(feature) for feature in self.layout.features]


def describe(client: Sequela, question: BulkQuestion, checkpoint: str | None) -> Description:
    """Describes the model of a checkpoint.

    Raises:
        CallerError: MODEL_NOT_DESCRIBED, nothing says what its inputs are; TARGET_NEEDED, it has several outputs.
    """
    name = question.model_name(checkpoint)
    found = described(client, name)
    known = layout_of(found) if found else layout(client, name, _path(question.schema))
    if known is None:
        raise CallerError(
            f"model {name}: nothing says what its features are; write a schema.json (docs/schema.md)",
            reason="MODEL_NOT_DESCRIBED",
        )
    return Description(known, _target(question, name, found), found.digest if found else "")


def _path(schema: str | None) -> Path | None:
    return Path(schema) if schema else None


def _target(question: BulkQuestion, name: str, found: Model | None) -> Target:
    if found is None:
        return Target("" if question.target is None else str(question.target), "")
    names = [target.name for target in found.targets]
    if question.target is None:
        if len(names) > 1:
            raise CallerError(
                f"model {name}: has {len(names)} outputs ({', '.join(names[:12])}), and a cohort has one; "
                "name it with --target (target= in Python)",
                reason="TARGET_NEEDED",
            )
        return found.targets[0]
    wanted = str(question.target)
    # An output may be called 1, so names go before numbers.
    number = int(wanted) if wanted.isdigit() and wanted not in names else None
    if wanted not in names and (number is None or number >= len(names)):
        raise CallerError(
            f"target: {wanted} is not an output of the model {name}; it has {', '.join(names[:12])}",
            reason="TARGET_NOT_FOUND",
        )
    return found.targets[names.index(wanted) if number is None else number]


def _feature(feature: ModelFeature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "label": feature.label,
        "unit": feature.unit,
        "kind": feature.kind,
        "categories": list(feature.categories),
    }
