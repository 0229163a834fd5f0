"""Asks a fixed set of questions and digests the answers, so that two commits can be compared bit for bit.

Run it in the folder `tests`, with the Python of the environment:

    ../.venv/bin/python -m regression --write before.json
    ../.venv/bin/python -m regression --compare before.json after.json
    ../.venv/bin/python -m regression --store
    ../.venv/bin/python -m regression --list

`--write` stores every answer with two digests, one of its numbers and structure, one of its words. `--compare` fails if
numbers or structure differ, and shows the first lines that do; of messages and other words it only counts how many
differ. `--engines` sets how many processes run the models of the server. `--store` writes `regression/digests.json`,
the digests of numbers that the test expects on this machine: run it after an intended change of results. `--list`
counts the questions. `--only WORDS` selects questions by their names.

To ask these questions of the packages of another checkout, put them first on the path:

    OTHER=../../other
    export PYTHONPATH=$OTHER/service:$OTHER/clients/python:$OTHER/proto/python
    ../.venv/bin/python -m regression --write other.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from regression import machine
from regression.questions import QUESTIONS, STORED, Answered, ask_all

SHOWN = 5
"""Pairs of lines that are shown of a difference."""


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m regression", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="FILE")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--engines", type=int, default=0, metavar="NUMBER")
    parser.add_argument("--only", default="", metavar="WORDS")
    given = parser.parse_args()
    if given.list:
        _list()
    elif given.compare:
        before, after = (json.loads(path.read_text()) for path in given.compare)
        sys.exit(compare(before, after))
    elif given.write:
        given.write.write_text(json.dumps(_report(ask_all(given.only, given.engines)), indent=1))
    elif given.store:
        _store(ask_all())
    else:
        parser.error("one of --write, --compare, --store and --list is wanted")


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """Prints how two files of `--write` differ. Returns 1 if numbers or structure differ, else 0."""
    if before["machine"] != after["machine"]:
        print(f"not the same machine:\n  {before['machine']}\n  {after['machine']}")
    one, other = before["questions"], after["questions"]
    for name in sorted(one.keys() ^ other.keys()):
        print(f"only in one of them: {name}")
    shared = [name for name in one if name in other]
    moved = [name for name in shared if one[name]["numbers"] != other[name]["numbers"]]
    words = [name for name in shared if one[name]["words"] != other[name]["words"]]
    for name in moved:
        _show(name, one[name]["lines"], other[name]["lines"])
    print(f"{len(shared)} questions: numbers differ in {len(moved)}, words in {len(words)}")
    return int(bool(moved) or one.keys() != other.keys())


def _show(name: str, before: list[str], after: list[str]) -> None:
    """Prints the first lines that differ, and whether only names of fields do."""
    values = [[line.partition(" = ")[2] for line in each] for each in (before, after)]
    same = sorted(values[0]) == sorted(values[1])
    print(f"{name}: {'the same values under other names' if same else 'values differ'}")
    pairs = [pair for pair in zip_longest(before, after, fillvalue="(nothing)") if pair[0] != pair[1]]
    for one, other in pairs[:SHOWN]:
        print(f"    {one}\n    {other}")


def _report(answered: list[Answered]) -> dict[str, Any]:
    """Returns the content of a file of `--write`."""
    questions = {
        each.question.name: {
            **each.lines.digests(),
            "interface": each.question.interface,
            "model": each.question.model,
            "refused": each.refused,
            "seconds": round(each.seconds, 3),
            "lines": each.lines.numbers,
            "words_lines": each.lines.words,
        }
        for each in answered
    }
    return {"machine": machine.key(), "questions": questions}


def _store(answered: list[Answered]) -> None:
    """Stores the digests of this machine. Those of other machines stay, unless the answers have changed."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    digests = {each.question.name: each.lines.digests()["numbers"] for each in answered}
    kept = stored if stored.get(machine.key()) in (None, digests) else {}
    STORED.write_text(json.dumps(kept | {machine.key(): digests}, indent=1) + "\n")


def _list() -> None:
    for question in QUESTIONS:
        print(f"{question.interface:28} {question.name}")
    for interface, count in Counter(question.interface for question in QUESTIONS).most_common():
        print(f"{count:4} {interface}")
    print(f"{len(QUESTIONS):4} questions of {len({each.model for each in QUESTIONS})} models")


if __name__ == "__main__":
    main()
