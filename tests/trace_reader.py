"""Reads the files of a trace with only numpy and the standard library, and computes their results again."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import brute_force
import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class GameRecord:
    """The files of one game."""

    folder: Path
    facts: Mapping[str, Any]

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of both `.npz` files."""
        name = self.facts["files"]
        return arrays_of(self.folder / f"{name}.npz") | arrays_of(self.folder / f"{name}_players.npz")

    @cached_property
    def players(self) -> list[dict[str, str]]:
        return table(self.folder / f"{self.facts['files']}_players.csv")

    @cached_property
    def stages(self) -> list[dict[str, str]]:
        return table(self.folder / f"{self.facts['files']}_stages.csv")

    @property
    def gain(self) -> NDArray[np.float64]:
        return np.asarray(self.arrays["score"] - self.arrays["base"])

    def attributions(self, column: str = "attribution") -> NDArray[np.float64]:
        """The attributions (players, targets)."""
        targets = range(len(self.gain))
        return np.array([[float(row[f"{column}_{target}"]) for target in targets] for row in self.players])

    def shapley_values(self) -> NDArray[np.float64]:
        """Computes the Shapley values (players, targets) by their definition. Every coalition must be recorded once."""
        live = self.arrays["live"]
        members = [frozenset(np.flatnonzero(row).tolist()) for row in self.arrays["coalitions"][:, live]]
        m = int(live.sum())
        assert len(members) == len(set(members)) == max(2**m - 2, 0)
        values = dict(zip(members, self.arrays["values"], strict=True))
        values |= {frozenset(): self.arrays["base"], frozenset(range(m)): self.arrays["score"]}
        result = np.zeros((len(live), len(self.gain)))
        result[live] = brute_force.shapley(values, m)
        return result


@dataclass(frozen=True)
class Trace:
    """The folder of one explanation."""

    folder: Path

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "explanation.json").read_text(encoding="utf-8"))
        return found

    @property
    def games(self) -> list[GameRecord]:
        return [GameRecord(self.folder, facts) for facts in self.facts["games"]]

    def game(self, level: str) -> GameRecord:
        return next(game for game in self.games if game.facts["level"] == level)

    @cached_property
    def inputs(self) -> dict[str, NDArray[Any]]:
        return arrays_of(self.folder / "inputs.npz")

    def perturbed(self, game: GameRecord, coalitions: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Computes h_X(z) for coalitions (n, players): the values of every input by name, without padding."""
        feeds = {}
        for item in self.facts["inputs"]:
            number = item["input"]
            owners = game.arrays[f"owners_{number}"]
            x, b = (self.inputs[f"{which}_{number}"] for which in ("sequence", "background"))
            feeds[item["name"]] = np.stack([np.where(row[owners], x, b) for row in coalitions])
        return feeds


def traces(folder: Path) -> list[Trace]:
    """Returns all explanations in a folder, in any order."""
    return [Trace(each) for each in folder.iterdir()]


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
