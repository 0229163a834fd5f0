"""What runs the operator's models once they were loaded: this process, or engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class VersionFolder:
    """A version of a model: its name `models/m/versions/v`, its folder, and the digest of its files."""

    name: str
    path: Path
    digest: str


class ModelRunners(Protocol):
    """What runs the models after they were loaded: this process, or engines. `here` says which."""

    @property
    def here(self) -> bool:
        """Whether the loaded models themselves are run."""

    @property
    def count(self) -> int:
        """How many engines run the models; 0 if this process runs them."""

    def hold(self, versions: Sequence[VersionFolder]) -> frozenset[str]:
        """Makes exactly these models available to requests. It is called whenever they change, one call at a time.

        Returns:
            The digests of the models that can be run.
        """

    def ready(self) -> bool:
        """Returns whether requests can be answered."""

    def absent(self) -> frozenset[str]:
        """Returns the digests of models that some engine did not have in the last minute."""


class OwnProcess:
    """Implements `ModelRunners` for models that run in this process."""

    here = True
    count = 0

    def hold(self, versions: Sequence[VersionFolder]) -> frozenset[str]:
        """See `ModelRunners`."""
        return frozenset(version.digest for version in versions)

    def ready(self) -> bool:
        """See `ModelRunners`."""
        return True

    def absent(self) -> frozenset[str]:
        """See `ModelRunners`."""
        return frozenset()
