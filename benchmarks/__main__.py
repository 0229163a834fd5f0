"""Measure Sequela beside other explainers: the tables on the terminal, their numbers in a JSON file."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks import accuracy, timing
from benchmarks.arem.data import AremNotFound
from benchmarks.machine import this_machine

OUTPUT = Path(__file__).resolve().parents[1] / "build" / "bench.json"
SEEDS = 50


def timed() -> list[timing.Row]:
    """None where there are no recordings to explain."""
    try:
        return timing.measure_all()
    except AremNotFound as missing:
        print(f"times are left out: {missing}")
        return []


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="runs of each estimator (default: %(default)s)"
    )
    parser.add_argument(
        "--json", type=Path, default=OUTPUT, help="where the numbers go (default: %(default)s)"
    )
    arguments = parser.parse_args()
    console, machine = Console(), this_machine()
    console.print(machine)
    if times := timed():
        console.print(timing.table(times))
    errors = accuracy.measure_all(range(arguments.seeds))
    console.print(accuracy.table(errors))

    numbers = {
        "machine": asdict(machine),
        "timing": [asdict(row) for row in times],
        "accuracy": [asdict(row) for row in errors],
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(numbers, indent=1) + "\n")
    print(f"numbers: {arguments.json}")


if __name__ == "__main__":
    main()
