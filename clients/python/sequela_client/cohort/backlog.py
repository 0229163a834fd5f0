"""Leaves out what an earlier run has explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from sequela_client.cohort.batches import VARIANTS, batch_keys
from sequela_client.cohort.parts import DoneRows
from sequela_client.cohort.question import BulkQuestion


def pending_batches(batches: Iterable[Any], question: BulkQuestion, done: DoneRows) -> Iterator[Any]:
    """The sequences that are left, each with the variants that are left."""
    names = tuple(variant.name for variant in question.variants)
    for batch in batches:
        left = done.pending(batch_keys(batch, question).ids, names)
        if left is None:
            yield batch
            continue
        column = pa.array(left, pa.list_(pa.string()))
        marked = batch.append_column(pa.field(VARIANTS, column.type), column)
        kept = marked.filter(pa.array([bool(each) for each in left]))
        if len(kept):
            yield kept
