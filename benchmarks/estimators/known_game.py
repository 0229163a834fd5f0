"""A game with known Shapley values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Coalitions: TypeAlias = npt.NDArray[np.bool_]
Worth: TypeAlias = Callable[[Coalitions], Floats]
"""Returns the values (n,) of coalitions (n, m), which are True for the players that are in."""


@dataclass(frozen=True, eq=False)
class KnownGame:
    """A game of m players, which is called with coalitions (n, m) and returns their values (n,).

    Attributes:
        name: The name in tables.
        worth: Returns the values of coalitions.
        truth: The Shapley values, (m,).
        truth_errors: The standard errors of `truth`, (m,); 0 where it is exact.
    """

    name: str
    worth: Worth
    truth: Floats
    truth_errors: Floats

    @property
    def players(self) -> int:
        """The number of players m."""
        return len(self.truth)

    @property
    def scale(self) -> float:
        """The root mean square of the Shapley values."""
        return float(np.sqrt(np.mean(self.truth**2)))

    def __call__(self, coalitions: Coalitions) -> Floats:
        """Returns the values (n,) of coalitions (n, m)."""
        return self.worth(coalitions)

    def __str__(self) -> str:
        return self.name


def exact(name: str, worth: Worth, truth: Floats) -> KnownGame:
    """Returns a game whose Shapley values are known exactly."""
    return KnownGame(name, worth, truth, np.zeros_like(truth))
