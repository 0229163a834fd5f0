"""Draws the pictures of docs/gallery.md into docs/gallery: figures of the demo's alerts, as SVG with text as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure
from sequela_client import Explanation, Sequela
from sequela_client.files import read_sequence
from sequela_client.plots import style

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "service" / "sequela" / "demo"
FOLDER = ROOT / "docs" / "gallery"
MODEL = "account_takeover"

# The two alerts of TimeSHAP's Fig. 5 have 47 and 286 events as well.
ALERTS = ("takeover-47", "takeover-286")
FIGURES: dict[str, Callable[[Explanation], Figure]] = {
    "pruning": lambda alert: alert.plot.pruning(),
    "events": lambda alert: alert.plot.events(),
    "features": lambda alert: alert.plot.features(),
    "cells": lambda alert: alert.plot.cells(),
}


def alert_pictures() -> dict[str, str]:
    """The pictures of Fig. 5 a to h, as SVG by the names of their files."""
    pictures = {}
    with Sequela.local(model_repository=DEMO / "models") as sequela:
        for name in ALERTS:
            sequence = read_sequence(DEMO / "alerts" / f"{name}.json")
            alert = sequela.explain(sequence, model=MODEL, full_pruning_curve=True)
            for kind, draw in FIGURES.items():
                pictures[f"{name}-{kind}.svg"] = style.svg(draw(alert))
    return pictures


def main() -> None:
    """Writes all pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, picture in alert_pictures().items():
        (FOLDER / name).write_text(picture, encoding="utf-8")
        print(f"{name}: {len(picture.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
