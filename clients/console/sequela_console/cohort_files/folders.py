"""Which folders are cohorts, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sequela_client.cohort import schema
from sequela_client.errors import CallerError


def named_folders(texts: Iterable[str]) -> Mapping[str, Path]:
    """Returns folders by name, from `FOLDER` or `NAME=FOLDER`. A folder without a name is called as it is.

    Raises:
        CallerError: two folders have the same name.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, folder = _named(text)
        if name in found:
            raise CallerError(
                f"--cohort: {found[name]} and {folder} are both called {name!r}; name one of them: NAME=FOLDER"
            )
        found[name] = folder
    return found


def _named(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    # A path may have an equals sign of its own.
    if separator and name and "/" not in name and not Path(text).exists():
        return name, Path(folder)
    path = Path(text)
    return path.resolve().name, path


def folders_in(parent: Path | None) -> Mapping[str, Path]:
    """Returns the cohorts in a folder by name: those of its folders that have parts."""
    if parent is None or not parent.is_dir():
        return {}
    return {
        each.name: each
        for each in sorted(parent.iterdir())
        if each.is_dir() and any(each.glob(schema.PART_PATTERN))
    }
