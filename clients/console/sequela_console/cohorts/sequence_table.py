"""The sequences of a table of events: which rows of the files they are, and their class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray
from pyarrow import compute, parquet
from sequela_client.cohort import schema

from sequela_console.cohorts.event_spec import DecisionClass, EventSpec, LabelClass

Numbers = NDArray[np.int64]

UNKNOWN, NEGATIVE, POSITIVE = -1, 0, 1
"""The classes of a sequence."""

# Rows that are read at once where only short columns are needed.
_ROWS = 50_000
_COLUMNS = ["id", "variant", "row", "status", "raw_score", "length", "pruned_events", "labels"]


@dataclass(frozen=True, slots=True)
class SequenceTable:
    """The sequences in the order of the table of events: by variant, then by row.

    Args:
        places: the place of each sequence among all rows of all files.
        rows: the column `row` of the files.
        variants: indices into the variants of the spec.
        classes: 1 positive, 0 negative.
        lengths: how many events each has.
        own: how many of them have values of their own, that is were not pruned.
        without_class: explained rows that are left out, since nothing says what class they are.
        unmatched: sequences that are left out, since one of the variants does not have them.
        negatives: the values of the label of negative rows, at most two; empty for decisions.
    """

    places: Numbers
    rows: Numbers
    variants: Numbers
    classes: Numbers
    lengths: Numbers
    own: Numbers
    without_class: int
    unmatched: int
    negatives: frozenset[str]


def sequence_table(files: tuple[Path, ...], spec: EventSpec) -> SequenceTable:
    """Returns the sequences of the files that the spec chooses."""
    held, negatives = _held(files, spec)
    explained = held["variant"] >= 0
    known = explained & (held["class"] != UNKNOWN)
    kept = known & _in_all_variants(held["id"], known, len(spec.variants))
    order = np.flatnonzero(kept)
    order = order[np.lexsort((held["row"][order], held["variant"][order]))]
    left = np.unique(held["id"][known & ~kept])
    return SequenceTable(
        places=order,
        rows=held["row"][order],
        variants=held["variant"][order],
        classes=held["class"][order],
        lengths=held["length"][order],
        own=held["length"][order] - held["pruned"][order],
        without_class=int(np.count_nonzero(explained & ~known)),
        unmatched=len(left),
        negatives=negatives,
    )


def _held(files: tuple[Path, ...], spec: EventSpec) -> tuple[dict[str, Numbers], frozenset[str]]:
    """Returns the columns of all rows as numbers, ids as numbers of their own, and values of negative labels."""
    negatives: set[str] = set()
    ids: list[Any] = []
    parts: dict[str, list[Numbers]] = {each: [] for each in ("variant", "row", "class", "length", "pruned")}
    for batch in _batches(files):
        ids.append(batch["id"])
        if len(negatives) <= 1:
            negatives |= _negative_values(batch, spec)
        for name, values in _numbers(batch, spec).items():
            parts[name].append(values)
    columns = {name: np.concatenate([np.empty(0, np.int64), *values]) for name, values in parts.items()}
    held = arrow.chunked_array(ids, arrow.string()).combine_chunks().dictionary_encode()
    return {**columns, "id": np.asarray(held.indices, dtype=np.int64)}, frozenset(negatives)


def _negative_values(batch: Any, spec: EventSpec) -> set[str]:
    if isinstance(spec.classes, DecisionClass):
        return set()
    values = compute.map_lookup(batch["labels"], arrow.scalar(spec.classes.key), "first")
    return set(values.drop_null().unique().to_pylist()) - {spec.classes.positive}


def _batches(files: tuple[Path, ...]) -> Iterator[Any]:
    for file in files:
        with parquet.ParquetFile(file) as opened:
            yield from opened.iter_batches(_ROWS, columns=_COLUMNS)


def _numbers(batch: Any, spec: EventSpec) -> dict[str, Numbers]:
    named = compute.index_in(batch["variant"], arrow.array(spec.variants, arrow.string()))
    variants = np.asarray(compute.fill_null(named, -1), dtype=np.int64)
    explained = np.asarray(compute.equal(batch["status"], schema.EXPLAINED))
    return {
        "variant": np.where(explained, variants, -1),
        "row": np.asarray(batch["row"], dtype=np.int64),
        "class": class_of(batch, spec.classes),
        "length": _filled(batch["length"]),
        "pruned": _filled(batch["pruned_events"]),
    }


def _filled(column: Any) -> Numbers:
    return np.asarray(compute.fill_null(column, 0), dtype=np.int64)


def class_of(batch: Any, classes: LabelClass | DecisionClass) -> Numbers:
    """Returns the class of each row: 1 positive, 0 negative, −1 unknown."""
    if isinstance(classes, DecisionClass):
        scores = np.asarray(compute.fill_null(batch["raw_score"], np.nan), dtype=np.float64)
        return np.where(np.isfinite(scores), (scores >= classes.threshold).astype(np.int64), UNKNOWN)
    values = compute.map_lookup(batch["labels"], arrow.scalar(classes.key), "first")
    positive = compute.cast(compute.equal(values, classes.positive), arrow.int64())
    return np.asarray(compute.fill_null(positive, UNKNOWN), dtype=np.int64)


def _in_all_variants(ids: Numbers, known: NDArray[np.bool_], variants: int) -> NDArray[np.bool_]:
    """Returns for each row whether its sequence is known in every variant; a variant has each sequence once."""
    counts = np.bincount(ids[known], minlength=int(ids.max()) + 1 if len(ids) else 0)
    found: NDArray[np.bool_] = counts[ids] == variants if len(ids) else np.empty(0, np.bool_)
    return found
