"""The cohorts that the operator named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CohortCatalogue:
    """Cohorts by name.

    Args:
        folders: the folders that `sequela explain-all` wrote.
    """

    folders: Mapping[str, Path]
