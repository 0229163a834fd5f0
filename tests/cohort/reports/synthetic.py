"""Rows of a cohort drawn at random, with everything that a report may read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from cohort.reports.cohort_files import quality

FEATURES = ("amount", "clients_age", "new_device", "unused")
START = datetime(2026, 1, 1, tzinfo=UTC)
REASONS = ("SEQUENCE_TOO_LONG", "NOT_FINITE")


def rows(count: int, seed: int = 0, **changed: Any) -> list[dict[str, Any]]:
    """Rows of one variant: most are explained, some are below the minimum score, and some failed."""
    random = np.random.default_rng(seed)
    return [{**_row(random, place), **changed} for place in range(count)]


def _row(random: np.random.Generator, place: int) -> dict[str, Any]:
    labels = {
        "age": str(int(random.integers(18, 90))),
        "segment": ["young", "old", "<b>bold</b> & 'quoted'"][int(random.integers(3))],
        "fraud": str(int(random.random() < 0.5)),
        "period": ["before", "after"][place % 2],
    }
    common = {
        "id": f"account-{place:05}",
        "variant": "",
        "row": place,
        "seed": 0,
        "labels": list(labels.items()),
        "time": START + timedelta(hours=int(random.integers(0, 24 * 59))),
        "cut_short": False,
        "warnings": [],
    }
    draw = random.random()
    if draw < 0.05:
        reason = REASONS[int(random.integers(2))]
        return {**common, "status": "failed", "reason": reason, "message": f"{reason} of {common['id']}"}
    length = int(random.integers(1, 40))
    first = None if random.random() < 0.2 else -int(random.integers(0, 30))
    known = {"length": length, "full_length": length + 30, "first_positive": first, "target": "fraud"}
    if draw < 0.2:
        # The server does not compute the base value of such a row.
        score = float("nan") if draw < 0.1 else float(random.random() * 0.3)
        return {
            **common,
            **known,
            "status": "below_minimum",
            "score": score,
            "raw_score": score,
            "base_value": float("nan"),
        }
    return {**common, **known, **explained(random, length), "status": "explained"}


def explained(random: np.random.Generator, length: int) -> dict[str, Any]:
    """What an explanation of so many events says."""
    pruned = int(random.integers(0, length)) if random.random() < 0.7 else 0
    kept = length - pruned
    sampled = kept > 15
    error = 0.004 if sampled else 0.0
    values = random.normal(0.3 * 0.6 ** np.arange(kept), 0.05)
    block = float(random.normal(0, 0.01)) if pruned else 0.0
    difference = float(values.sum() + block)
    features = random.normal([0.3, 0.05, -0.02, 0.0], [0.1, 0.02, 0.02, 0.0])
    return {
        "explanation": "models/m/versions/1/explanations/x",
        "model": "models/m/versions/1",
        "model_digest": "sha256:aa",
        "background": "models/m/backgrounds/b",
        "background_digest": "sha256:bb",
        "method_version": "1",
        "score": difference + 0.02,
        "base_value": 0.02,
        "raw_score": difference,
        "raw_base_value": 0.0,
        "pruned_events": pruned,
        "pruning": {
            "tolerance": 0.025,
            "value": block if pruned else None,
            "standard_error": error if pruned else None,
            "verdict": ["within", "exceeds", "offsetting"][int(random.integers(3))] if pruned else None,
            "scan_complete": True,
            "curve": curve(random, length),
        },
        "events": [{"t": -t, "value": float(v), "standard_error": error} for t, v in enumerate(values)],
        "features": [
            {"feature": name, "value": float(value), "standard_error": 0.0 if name == "unused" else error}
            for name, value in zip(FEATURES, features, strict=True)
        ],
        "quality": {
            "event": quality("target" if sampled else "exact", error, kept),
            "feature": quality(),
            "cell": None,
        },
        "warnings": ["BACKGROUND_IS_ALARMING"] if random.random() < 0.3 else [],
        "event_values": [
            {"t": -t, "values": [f"{random.integers(1, 500)}", f"{20 + t % 3}", "yes", "0"]}
            for t in range(kept)
        ],
    }


def curve(random: np.random.Generator, length: int) -> list[dict[str, Any]]:
    """A full pruning curve: the older the split, the less it matters, give or take."""
    sizes = 0.5 * 0.8 ** np.arange(1, length) * random.normal(1, 0.3, length - 1)
    return [{"t": -t, "importance": float(size)} for t, size in enumerate(sizes, start=1)]
