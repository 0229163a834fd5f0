"""What a model repository contains: its version folders, and what is wrong with its layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sequela.adapters.repository.layout_warnings import layout_warnings
from sequela.adapters.repository.model_folders import (
    Fingerprint,
    ModelFolder,
    find_folders,
    readable_fingerprint,
)
from sequela.names import ModelName


@dataclass(frozen=True, slots=True)
class RepositoryContent:
    """What one reading of a repository found.

    Attributes:
        local: The folders of models that run on this machine, with the fingerprints of their files.
        remote: The folders of endpoints.
        warnings: What is wrong with the layout, one sentence each.
        unsettled: The names of folders that have changed since the reading before, and may still be changing.
    """

    local: Mapping[ModelFolder, Fingerprint] = field(default_factory=dict)
    remote: frozenset[ModelFolder] = frozenset()
    warnings: tuple[str, ...] = ()
    unsettled: frozenset[ModelName] = frozenset()

    @classmethod
    def of(cls, root: Path) -> RepositoryContent:
        """Reads a repository. Raises OSError if it cannot be read."""
        folders = find_folders(root)
        remote = frozenset(folder for folder in folders if folder.is_endpoint)
        local = {folder: readable_fingerprint(folder) for folder in folders if folder not in remote}
        return cls(local, remote, tuple(layout_warnings(root)))

    @property
    def empty(self) -> bool:
        """Whether there is no model."""
        return not (self.local or self.remote)

    def since(self, before: RepositoryContent) -> RepositoryContent:
        """Returns what this reading and the one before it agree on.

        Files that are just being copied change from reading to reading, and a folder that is replaced may be missing
        for a moment.
        """
        local = {folder: files for folder, files in self.local.items() if before.local.get(folder) == files}
        remote = self.remote & before.remote
        settled = {folder.name for folder in (*local, *remote)}
        return RepositoryContent(local, remote, self.warnings, (self._names | before._names) - settled)

    @property
    def _names(self) -> frozenset[ModelName]:
        return frozenset(folder.name for folder in (*self.local, *self.remote))
