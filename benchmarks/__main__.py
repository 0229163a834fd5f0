"""Measure Sequela beside other explainers: the tables on the terminal, their numbers in a JSON file."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks import accuracy

OUTPUT = Path(__file__).resolve().parents[1] / "build" / "bench.json"
SEEDS = 50


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
    rows = accuracy.measure_all(range(arguments.seeds))
    Console().print(accuracy.table(rows))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"accuracy": [asdict(row) for row in rows]}, indent=1) + "\n")
    print(f"numbers: {arguments.json}")


if __name__ == "__main__":
    main()
