"""The study of alerts as they come in production: different ones, always the same seed, default settings."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.alerts.alert_models import MODELS, TINY_MODEL, AlertModel, usable
from benchmarks.alerts.all_cores import all_cores
from benchmarks.alerts.one_core import measure_one_core
from benchmarks.alerts.tables import all_cores_table, one_core_tables, tiny_table
from benchmarks.alerts.tiny import measure_tiny
from benchmarks.alerts.versions import EARLIER, Version, earlier_version, this_version
from benchmarks.beside import say
from benchmarks.effort import Effort
from benchmarks.report import Finding

MODEL_NAMES = [each.name for each in MODELS]


def study(effort: Effort, folder: Path, *, before: str = EARLIER, models: Sequence[str] = ()) -> Finding:
    """Measures this version beside an earlier one.

    Args:
        effort: how much to measure.
        folder: a folder for models and for the earlier version.
        before: the commit of the earlier version.
        models: the names of the models; all of them if there are none.
    """
    chosen = usable([each for each in MODELS if not models or each.name in models], say)
    with earlier_version(before, folder) as earlier:
        versions = [earlier, this_version()]
        for each in versions:
            say(f"alerts: {each.name} is {each.commit} in {each.root}")
        rows, tables = _measure(chosen, versions, effort, folder)
    return Finding("alerts", rows, tables)


def _measure(
    models: Sequence[AlertModel], versions: Sequence[Version], effort: Effort, folder: Path
) -> tuple[list[Any], list[Any]]:
    one_core = [row for model in models for row in measure_one_core(model, versions, effort, folder)]
    with all_cores([*models, TINY_MODEL], versions, effort, folder) as setup:
        several = [row for model in models for row in setup.measure(model)]
        tiny = measure_tiny(setup)
    commits = f"before: {versions[0].commit}, now: {versions[-1].commit}"
    tables = [
        *one_core_tables(one_core, commits),
        all_cores_table(several, len(os.sched_getaffinity(0)), effort.coalitions),
        tiny_table(tiny),
    ]
    return [*versions, *one_core, *several, *tiny], tables
