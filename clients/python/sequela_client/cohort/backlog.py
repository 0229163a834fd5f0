"""Finds the sequences and variants that an earlier run has not explained yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from sequela_client.cohort.batches import VARIANTS, batch_keys
from sequela_client.cohort.parts import DoneRows
from sequela_client.cohort.question import BulkQuestion


def pending_batches(batches: Iterable[Any], question: BulkQuestion, done: DoneRows) -> Iterator[Any]:
    """Yields the sequences that still have to be explained, each with the variants that are missing."""
    names = tuple(variant.name for variant in question.variants)
    for batch in batches:
        left = done.pending(batch_keys(batch, question).ids, names)
        if left is None:
            # Nothing is done yet, so the batch is complete as it is.
            yield batch
            continue
        column = pa.array(left, pa.list_(pa.string()))
        marked = batch.append_column(pa.field(VARIANTS, column.type), column)
        kept = marked.filter(pa.array([bool(each) for each in left]))
        if len(kept):
            yield kept
