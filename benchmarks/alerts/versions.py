"""Versions of Sequela: that of this checkout, and an earlier one in a worktree of git."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EARLIER = "207edb01"  # the last commit that plans, draws and solves anew for every alert
ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("service", "clients/python", "proto/python")  # folders with packages


@dataclass(frozen=True, slots=True)
class Version:
    """A version of Sequela.

    Args:
        name: `before` or `now`.
        commit: its commit, with `-dirty` if files were changed since.
        root: the folder with its code.
    """

    name: str
    commit: str
    root: Path

    @property
    def python_path(self) -> str:
        """The value of PYTHONPATH with which Python imports this version, whichever is installed."""
        return os.pathsep.join(str(self.root / each) for each in SOURCES)


def this_version() -> Version:
    """Returns the version of this checkout, with its uncommitted changes."""
    return Version("now", _git(ROOT, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=8"), ROOT)


@contextmanager
def earlier_version(commit: str, folder: Path, repository: Path = ROOT) -> Iterator[Version]:
    """Checks a commit of the repository out below the folder, and removes it afterwards.

    Raises:
        ValueError: git has no such commit, or this is not a checkout.
    """
    root = folder / "before"
    _git(repository, "worktree", "add", "--detach", str(root), commit)
    try:
        yield Version("before", _git(root, "rev-parse", "--short=8", "HEAD"), root)
    finally:
        _git(repository, "worktree", "remove", "--force", str(root))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(
            f"git {' '.join(arguments)} failed: {done.stderr.strip()}; the study of alerts needs a checkout of git "
            "with the earlier version, which --before names"
        )
    return done.stdout.strip()
