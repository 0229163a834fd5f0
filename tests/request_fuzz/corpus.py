"""Cases that a test sends again: those to which the server once gave a wrong answer, and some of each kind."""

from __future__ import annotations

from pathlib import Path

from request_fuzz.case import Case, HttpCase, from_text, to_text

FOLDER = Path(__file__).parent / "corpus"


def read(name: str) -> Case:
    """Reads a case by the name of its file."""
    return from_text((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def names(door: str) -> list[str]:
    """Returns the names of the cases of a door, `rpc` or `http`."""
    return sorted(path.stem for path in FOLDER.glob(f"{door}_*.json"))


def keep(case: Case, name: str) -> Path:
    """Writes a case, and returns its file."""
    door = "http" if isinstance(case, HttpCase) else "rpc"
    path = FOLDER / f"{door}_{name}.json"
    path.write_text(to_text(case), encoding="utf-8")
    return path
