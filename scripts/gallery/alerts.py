"""The figures of single alerts of the demo, as SVG with text as text."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure
from sequela_client import Explanation, Sequela
from sequela_client.files import read_sequence
from sequela_client.plots import style

from scripts.gallery import DEMO

MODEL = "account_takeover"

# The two alerts of TimeSHAP's Fig. 5 have 47 and 286 events as well.
ALERTS = ("takeover-47", "takeover-286")
FIGURES: dict[str, Callable[[Explanation], Figure]] = {
    "pruning": lambda alert: alert.plot.pruning(),
    "events": lambda alert: alert.plot.events(),
    "features": lambda alert: alert.plot.features(),
    "cells": lambda alert: alert.plot.cells(),
}


def explained_alerts() -> dict[str, Explanation]:
    """The explanations of the two alerts, by their names."""
    with Sequela.local(model_repository=DEMO / "models") as sequela:
        return {
            name: sequela.explain(
                read_sequence(DEMO / "alerts" / f"{name}.json"), model=MODEL, full_pruning_curve=True
            )
            for name in ALERTS
        }


def alert_pictures() -> dict[str, bytes]:
    """The pictures of Fig. 5 a to h by the names of their files."""
    return {
        f"{name}-{kind}.svg": style.svg(draw(alert)).encode()
        for name, alert in explained_alerts().items()
        for kind, draw in FIGURES.items()
    }
