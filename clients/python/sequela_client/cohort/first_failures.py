"""Ends a run if its first rows all fail for the same reason, since then the data or the model must be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sequela_client.cohort import schema
from sequela_client.errors import CallerError

FIRST_FAILURES = 100


def checked(batches: Iterable[Any], first_failures: int) -> Iterator[Any]:
    """Yields rows as they come, but holds the first ones back until one of them differs.

    Args:
        batches: RecordBatches of rows.
        first_failures: how many rows are the first ones; 0: nothing is checked.

    Raises:
        CallerError: the first rows all failed for the same reason. They were not yielded, so they are not written.
    """
    remaining = iter(batches)
    held: list[Any] = []
    for batch in remaining if first_failures else ():
        held.append(batch)
        # One explained row, or another reason, shows that the fault is not in all of the data.
        if not _same_failure(held):
            break
        if sum(map(len, held)) >= first_failures:
            raise _error(held[0], first_failures)
    yield from held
    yield from remaining


def _same_failure(batches: list[Any]) -> bool:
    table = pa.Table.from_batches(batches)
    failed = pc.all(pc.equal(table["status"], schema.FAILED)).as_py()
    return bool(failed) and len(pc.unique(table["reason"])) <= 1


def _error(batch: Any, first_failures: int) -> CallerError:
    first = batch.slice(0, 1).to_pylist()[0]
    return CallerError(
        f"the first {first_failures:,} rows all failed with {first['reason']}, so the run was stopped and none of them "
        f"was written. The first is sequence {first['id']}: {first['message']}. To write failed rows and continue, use "
        "stop_after_failures=0 (--stop-after-failures 0)",
        reason=first["reason"],
    )
