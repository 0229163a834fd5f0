"""Writes simulated accounts in the format of `sequela explain --sequence`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.account_takeover.features import CATEGORICAL
from models.account_takeover.simulate import Account


def write_alert(path: Path, account: Account, labels: dict[str, str]) -> None:
    """Writes an alert in the format of `sequela explain --sequence`, with the planted events and features."""
    takeover = account.takeover
    alert = {
        "id": path.stem,
        "labels": {"account": account.id, **labels},
        "truth": {"events": takeover.events, "features": takeover.features} if takeover else None,
        "inputs": {
            "numeric": [[round(float(value), 4) for value in row] for row in account.numeric()],
            "categorical": account.categorical().tolist(),
        },
        "events": list(_readable_events(account)),
    }
    path.write_text(json.dumps(alert, separators=(",", ":")).replace('{"id":', '\n{"id":') + "\n")


def _readable_events(account: Account) -> Iterator[dict[str, Any]]:
    """Yields the id, the time and the displayed values of each event."""
    for index, time in enumerate(account.history.times):
        raw = {name: column[index] for name, column in account.history.columns.items()}
        yield {"id": f"event-{index + 1:04d}", "time": f"{time}Z", "display": _display(raw)}


def _display(raw: dict[str, np.float64 | np.int64]) -> dict[str, str]:
    """Returns the displayed values of an event by feature name. An amount is shown for transactions only."""
    shown = {f.name: f.categories[int(raw[f.name])] for f in CATEGORICAL[:5]}
    shown["distance"] = f"{raw['distance']:,.0f} km"
    if raw["amount"] == 0:
        del shown["transaction_type"]
        return shown
    return {**shown, "amount": f"{raw['amount']:,.2f} EUR"}
