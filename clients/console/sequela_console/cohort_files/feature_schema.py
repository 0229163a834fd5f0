"""The features of a cohort's model, as the metadata of its files describe them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import parquet
from sequela_client.cohort import schema


@dataclass(frozen=True, slots=True)
class CohortFeatureInfo:
    """A feature.

    Args:
        name: its name.
        label: its name for people.
        unit: the unit of its values; empty if it has none.
        kind: numeric, categorical, one_hot, group or unknown.
        categories: the names of its categories in the schema's order; empty if the schema names none.
        description: empty, since files of cohorts have none.
        static: false, since files of cohorts do not say it.
    """

    name: str
    label: str
    unit: str
    kind: str
    categories: tuple[str, ...]
    description: str = ""
    static: bool = False


@dataclass(frozen=True, slots=True)
class CohortTarget:
    """The explained output: its name, and what people call it, if anybody said so."""

    name: str
    label: str

    @property
    def text(self) -> str:
        """What people call it, else its name."""
        return self.label or self.name


def features_of(file: Path) -> tuple[CohortFeatureInfo, ...]:
    """Returns the features, in the order of the displayed values."""
    held = json.loads(_metadata(file).get(schema.FEATURES_KEY, "[]"))
    return tuple(map(_feature, held))


def target_of(file: Path) -> CohortTarget:
    """Returns the target."""
    held = json.loads(_metadata(file).get(schema.TARGET_KEY, "null")) or {}
    return CohortTarget(str(held.get("name", "")), str(held.get("label") or ""))


def _metadata(file: Path) -> dict[str, str]:
    return schema.metadata(parquet.read_schema(file))


def _feature(held: dict[str, Any]) -> CohortFeatureInfo:
    return CohortFeatureInfo(
        name=str(held["name"]),
        label=str(held.get("label") or held["name"]),
        unit=str(held.get("unit") or ""),
        kind=str(held.get("kind") or "unknown"),
        categories=tuple(map(str, held.get("categories") or ())),
    )
