"""What the functions that answer requests work with."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_console.alert_index.index import AlertIndex
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.settings import ConsoleSettings
from sequela_console.state.database import StateDatabase


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of a running console.

    Args:
        settings: what the operator chose.
        state: the console's own database.
        index: the index of stored explanations.
        cohorts: the cohorts that were named at the start.
    """

    settings: ConsoleSettings
    state: StateDatabase
    index: AlertIndex
    cohorts: CohortCatalogue
