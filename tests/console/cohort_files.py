"""Cohorts of made-up rows, written in the format of `sequela explain-all` without a server, in a second."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sequela_client.cohort import schema

Row = dict[str, Any]

STEPS = 12
CHECKPOINTS = ("1", "200", "600")
COUNTRIES = ("home", "abroad", "unknown")
FEATURES: tuple[Mapping[str, Any], ...] = (
    {"name": "amount", "label": "Amount", "unit": "EUR", "kind": "numeric", "categories": []},
    {"name": "visits", "label": "Visits", "unit": "", "kind": "numeric", "categories": []},
    {"name": "client_age", "label": "Client's age", "unit": "years", "kind": "numeric", "categories": []},
    {"name": "country", "label": "Country", "unit": "", "kind": "categorical", "categories": list(COUNTRIES)},
    {"name": "shop", "label": "Shop", "unit": "", "kind": "categorical", "categories": []},
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def write_cohort(
    folder: Path, count: int = 60, checkpoints: Iterable[str] = CHECKPOINTS, seed: int = 0, steps: int = STEPS
) -> Path:
    """Writes a cohort: sequences of up to `steps` events and five attributes, for each checkpoint, without pruning.

    Some sequences have no label, one failed, one is below the minimum score, and some values are missing.
    """
    rng = np.random.default_rng(seed)
    rows = [row for number in range(count) for row in _sequence(rng, number, tuple(checkpoints), steps)]
    return write_rows(folder, rows)


def write_rows(
    folder: Path, rows: Iterable[Row], features: Iterable[Mapping[str, Any]] = FEATURES, parts: int = 2
) -> Path:
    """Writes rows into parts of a new folder."""
    folder.mkdir(parents=True)
    described = schema.with_metadata(
        {
            schema.QUESTION_KEY: {"model": "models/payments", "first_positive": 0.5},
            schema.FEATURES_KEY: list(features),
            schema.TARGET_KEY: {"name": "fraud", "label": "Probability of fraud"},
            schema.PACKAGE_KEY: "0.1.0",
        }
    )
    held = list(rows)
    size = -(-len(held) // parts)
    for part in range(parts):
        table = pa.Table.from_pylist(held[part * size : (part + 1) * size], schema.SCHEMA).cast(described)
        pq.write_table(table, folder / schema.PART_NAME.format(part))
    return folder


def _sequence(rng: np.random.Generator, number: int, checkpoints: tuple[str, ...], steps: int) -> list[Row]:
    length = int(rng.integers(1, steps + 1)) if number % 5 == 0 else steps
    values = _values(rng, length)
    labels = {} if number % 17 == 3 else {"outcome": "fraud" if rng.random() < 0.3 else "genuine"}
    head = {
        "id": f"c{number:05d}",
        "row": number,
        "time": START + timedelta(days=int(rng.integers(0, 60))),
        "full_length": length + 2,
        "labels": list({**labels, "region": str(rng.choice(["north", "south"]))}.items()),
    }
    return [_row(rng, head, f"checkpoint={each}", each, length, values) for each in checkpoints]


def _values(rng: np.random.Generator, length: int) -> list[list[str]]:
    """Displayed values, latest event first, as the service writes them: with commas, and empty if missing."""
    age = str(int(rng.integers(18, 90)))
    return [
        [
            f"{rng.lognormal(6, 1.5):,.2f}" if rng.random() > 0.05 else "",
            str(int(rng.integers(0, 4))),
            age,
            str(rng.choice(COUNTRIES[:2], p=[0.8, 0.2])),
            f"shop {int(rng.integers(0, 7))}",
        ]
        for _ in range(length)
    ]


def _row(
    rng: np.random.Generator,
    head: Row,
    variant: str,
    checkpoint: str,
    length: int,
    values: list[list[str]],
) -> Row:
    row = {**head, "variant": variant, "checkpoint": checkpoint}
    if head["row"] == 7:
        return {
            **row,
            "status": "failed",
            "reason": "SEQUENCE_EMPTY",
            "message": "the sequence has no events",
        }
    if head["row"] == 8:
        return {**row, "status": "below_minimum", "target": "fraud"}
    effects = rng.normal(0, 0.05, length) * (rng.random(length) > 0.1)
    if head["row"] == 9:
        effects[:] = 0.0
    base, score = 0.2, float(0.2 + effects.sum())
    return {
        **row,
        "status": "explained",
        "seed": 0,
        "explanation": f"explanations/{head['row']:032x}",
        "model": f"models/payments/versions/{checkpoint}",
        "model_digest": checkpoint * 8,
        "background": "",
        "background_digest": "b" * 8,
        "method_version": "3",
        "target": "fraud",
        "score": score,
        "base_value": base,
        "raw_score": score,
        "raw_base_value": base,
        "length": length,
        "first_positive": int(-rng.integers(0, 5)) if score > 0.2 else None,
        "pruned_events": 0,
        "pruning": {
            "tolerance": 0.0,
            "value": None,
            "standard_error": None,
            "verdict": None,
            "scan_complete": True,
            "curve": [{"t": -t, "importance": float(abs(effects[t:].sum()))} for t in range(1, length)],
        },
        "events": [
            {"t": -t, "value": float(value), "standard_error": 0.001} for t, value in enumerate(effects)
        ],
        "history": [],
        "features": _features(rng, float(effects.sum())),
        "cells": None,
        "quality": {"event": _quality(length), "feature": _quality(len(FEATURES)), "cell": None},
        "cut_short": False,
        "warnings": ["TOLERANCE_EXCEEDS_DIFFERENCE"] if abs(score - base) < 0.02 else [],
        "reasons": [
            {
                "template": "templates[0]",
                "text": "The amount raised the score.",
                "feature": "amount",
                "t": 0,
                "value": float(effects[0]),
                "standard_error": 0.001,
            }
        ],
        "event_weights": list(map(float, rng.dirichlet(np.ones(length)))),
        "event_values": [{"t": -t, "values": each} for t, each in enumerate(values)],
    }


def _features(rng: np.random.Generator, total: float) -> list[Row]:
    """Attributions that add up to the total; that of visits is always 0."""
    shares = rng.normal(0, 1, len(FEATURES))
    shares[1] = 0.0
    shares = shares - (shares.sum() - 1) / 4
    shares[1] = 0.0
    shares[0] += 1 - shares.sum()
    return [
        {"feature": feature["name"], "value": float(total * share), "standard_error": 0.001}
        for feature, share in zip(FEATURES, shares, strict=True)
    ]


def _quality(players: int) -> Row:
    return {
        "stop_reason": "exact",
        "players": players,
        "null_players": 0,
        "coalitions": 2**players,
        "largest_standard_error": 0.001,
        "additivity_residual": 0.0,
        "estimator": "",
    }


def read_rows(folder: Path) -> list[Row]:
    """All rows of a cohort as plain Python values, part by part."""
    found = []
    for path in sorted(folder.glob("part-*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


@cache
def rows_once(folder: Path) -> list[Row]:
    """The same, read once for all tests that neither change the cohort nor the rows."""
    return read_rows(folder)


def labels_of(row: Row) -> dict[str, str]:
    """The labels of a row."""
    return dict(row["labels"] or ())


def as_json(item: Any) -> str:
    """JSON for a parameter of an address."""
    return json.dumps(item, separators=(",", ":"))
