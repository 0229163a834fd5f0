"""Draws all pictures of docs/gallery.md: `python -m scripts.gallery`. It takes a few minutes on two cores."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.gallery import FOLDER
from scripts.gallery.accounts import account_pictures
from scripts.gallery.alerts import alert_pictures
from scripts.gallery.churn import churn_pictures
from scripts.gallery.console import console_pictures
from scripts.gallery.screenshots import screenshots

# What can be drawn alone. Each takes the folder of the cohorts.
SETS: dict[str, Callable[[Path], dict[str, bytes]]] = {
    "alerts": lambda _: alert_pictures(),
    "accounts": account_pictures,
    "churn": churn_pictures,
    "screenshots": screenshots,
    "console": console_pictures,
}


def main() -> None:
    """Draws the sets that the command line names, or all."""
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/gallery.md.")
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], help="what is drawn (default: all)")
    parser.add_argument("--cohorts", type=Path, help="a folder that keeps the cohorts for the next time")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with _cohorts(options.cohorts) as cohorts:
        for each in options.sets or SETS:
            for name, picture in SETS[each](cohorts).items():
                (FOLDER / name).write_bytes(picture)
                print(f"{name}: {len(picture) / 1000:.0f} kB", flush=True)


@contextmanager
def _cohorts(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


if __name__ == "__main__":
    main()
