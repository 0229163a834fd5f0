"""Reads AReM, a data set of 75 recordings of five activities.

"Activity Recognition system based on Multisensor data fusion", UCI machine learning repository (Palumbo, Gallicchio,
Pucci, Micheli). The recordings are not part of Sequela. They are read from the folder that the environment variable
SEQUELA_SHARED names, or from a folder `shared` beside the checkout.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

ACTIVITIES = ("cycling", "lying", "sitting", "standing", "walking")
RECORDINGS_PER_ACTIVITY = 15
FEATURES = ("avg_rss12", "var_rss12", "avg_rss13", "var_rss13", "avg_rss23", "var_rss23")

_ROOT = Path(__file__).resolve().parents[2]
_COMMENT_LINES = 5  # four lines about the recording, and one with the names of the columns


class AremNotFound(FileNotFoundError):
    """The recordings are not on this machine."""


@dataclass(frozen=True)
class Recording:
    """One recording: `values` (l, 6) in the units of the file, oldest first. l is 480, but 479 for sitting/8."""

    activity: str
    number: int
    values: npt.NDArray[np.float64]

    @property
    def name(self) -> str:
        """The name that `read` takes, such as `cycling/9`."""
        return f"{self.activity}/{self.number}"


def folder() -> Path:
    """Returns the folder with the recordings. Raises AremNotFound, which names the folders that were tried."""
    shared = os.environ.get("SEQUELA_SHARED")
    shared_root = Path(shared) if shared else _ROOT.parent / "shared"
    arem = shared_root / "data" / "arem"
    if not arem.is_dir():
        raise AremNotFound(f"no AReM recordings in {arem}: SEQUELA_SHARED names the folder with data/arem")
    return arem


def read(name: str, root: Path | None = None) -> Recording:
    """Returns one recording by its name, such as `cycling/9`. Raises AremNotFound if there is no such file."""
    activity, number = name.split("/")
    path = (root or folder()) / activity / f"dataset{number}.csv"
    if not path.is_file():
        raise AremNotFound(f"no recording {name}: {path} does not exist")
    # The first column is the clock. The columns are named, because two files have a comma at the end of every line.
    columns = range(1, 1 + len(FEATURES))
    values = np.loadtxt(path, delimiter=",", skiprows=_COMMENT_LINES, usecols=columns, ndmin=2)
    return Recording(activity, int(number), values)


def read_all(root: Path | None = None) -> list[Recording]:
    """Returns all 75 recordings, by activity and number."""
    arem = root or folder()
    names = (f"{a}/{n}" for a in ACTIVITIES for n in range(1, RECORDINGS_PER_ACTIVITY + 1))
    return [read(name, arem) for name in names]
