"""Measures Sequela beside other explainers and under load. Prints tables; writes numbers and charts."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import (
    access,
    accuracy,
    beside,
    endpoint,
    engines,
    exact,
    latency,
    load,
    memory,
    plots,
    pruning,
    scaling,
    store,
)
from benchmarks.alerts import study as alerts
from benchmarks.alerts.versions import EARLIER
from benchmarks.arem.data import AremNotFound
from benchmarks.beside import say
from benchmarks.beside_tables import tables
from benchmarks.bulk import study as bulk
from benchmarks.cases import CASES
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.estimators import coverage_study, error_study, row_study
from benchmarks.estimators.catalogue import GAMES
from benchmarks.machine import this_machine
from benchmarks.report import Finding, Study

OUTPUT = Path(__file__).resolve().parents[1] / "build"
WIDTH = 130  # columns, if the width of the terminal is not known
STUDIES: dict[str, Study] = {
    "exact": exact.study,
    "latency": latency.study,
    "memory": memory.study,
    "scaling": scaling.study,
    "load": load.study,
    "access": access.study,
    "engines": engines.study,
    "accuracy": accuracy.study,
    "estimators": error_study.study,
    "coverage": coverage_study.study,
    "rows": row_study.study,
    "endpoint": endpoint.study,
    "bulk": bulk.study,
    "pruning": pruning.study,
    "store": store.study,
    "alerts": alerts.study,
}


def explanations(names: Sequence[str], effort: Effort, folder: Path) -> Finding:
    """Compares other explainers on the named cases. A case whose data is missing is left out."""
    rows = []
    for name in names:
        try:
            rows += beside.measure(CASES[name](folder), effort, folder)
        except AremNotFound as missing:
            say(f"{name} is left out: {missing}")
    return Finding("explanations", rows, tables(rows))


def studies(only: Sequence[str], known: Mapping[str, Study] = STUDIES) -> Iterable[Study]:
    """Returns the studies that were named, or all of them."""
    names = [name for name in CASES if not only or name in only]
    if names:
        yield partial(explanations, names)
    yield from (study for name, study in known.items() if not only or name in only)


def main() -> None:
    """Parses the arguments, runs the studies and writes the results."""
    names = [*CASES, *STUDIES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="run everything briefly; do not keep the figures"
    )
    parser.add_argument("--only", nargs="+", default=[], choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--seeds",
        type=int,
        help="number of seeds in the studies that have several",
    )
    parser.add_argument(
        "--games",
        nargs="+",
        default=[],
        choices=GAMES,
        metavar="GAME",
        help=f"games in the studies estimators, coverage and rows: {', '.join(GAMES)}",
    )
    parser.add_argument(
        "--repeats", type=int, help="number of rounds, and of explanations that medians are taken over"
    )
    parser.add_argument("--kept", type=int, help="number of explanations in each store of the study store")
    parser.add_argument("--listed", type=int, help="number of records in each list of the study store")
    parser.add_argument("--sequences", type=int, help="number of sequences in the study bulk")
    parser.add_argument("--alerts", type=int, help="number of sequences of each case in the study pruning")
    parser.add_argument(
        "--before",
        default=EARLIER,
        help="commit of the earlier version in the study alerts (default: %(default)s)",
    )
    parser.add_argument(
        "--alert-models",
        nargs="+",
        default=[],
        choices=alerts.MODEL_NAMES,
        metavar="MODEL",
        help=f"models in the study alerts: {', '.join(alerts.MODEL_NAMES)}",
    )
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="folder for the results (default: %(default)s)"
    )
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    effort = replace(
        effort,
        seeds=arguments.seeds or effort.seeds,
        compared_seeds=arguments.seeds or effort.compared_seeds,
        coverage_seeds=arguments.seeds or effort.coverage_seeds,
        games=tuple(arguments.games),
        sequences=arguments.sequences or effort.sequences,
        alerts=arguments.alerts or effort.alerts,
        repeats=arguments.repeats or effort.repeats,
        kept=arguments.kept or effort.kept,
        listed=arguments.listed or effort.listed,
    )
    machine = this_machine()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(str(machine))
    numbers: dict[str, Any] = {"machine": asdict(machine), "effort": asdict(effort)}
    path: Path = arguments.output / "bench.json"
    arguments.output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sequela-bench-") as folder:
        known = STUDIES | {
            "alerts": partial(alerts.study, before=arguments.before, models=arguments.alert_models)
        }
        for study in studies(arguments.only, known):
            finding = study(effort, Path(folder))
            console.print(*finding.tables, sep="\n")
            numbers[finding.name] = [asdict(row) for row in finding.rows]
            text = json.dumps(numbers, indent=1, default=str)  # paths
            path.write_text(text + "\n")  # so that a later error loses nothing
            for chart in finding.charts:
                plots.draw(chart, arguments.output)
            for file in finding.files:
                shutil.copy(file, arguments.output)
    console.print(f"{time.monotonic() - started:.0f} s; numbers: {path}")


if __name__ == "__main__":
    main()
