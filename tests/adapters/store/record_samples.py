"""Records to store, small and made fast."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from datetime import UTC, datetime, timedelta

from adapters.store.store_samples import NOON
from sequela.adapters.store.ports import Record, Records, StoredRecord
from sequela.explain.explanation import Cost, TargetScore
from sequela.explain.explanation_query import Filter, Selector
from sequela.explain.explanation_summary import ExplanationSummary

WEEK = timedelta(days=7)
BODY = b"body of the content"
EVER = math.inf


def record(number: int = 0, *, body: bytes = BODY, **changed: object) -> Record:
    """Returns a record that was made `number` seconds after noon. `changed` are fields of the summary or the record."""
    summary = ExplanationSummary(
        name=f"explanations/e{number}",
        create_time=NOON + timedelta(seconds=number),
        caller_id="",
        labels={},
        model="models/m/versions/1",
        model_digest="a" * 64,
        event_count=480,
        pruned_events=463,
        targets=(TargetScore("fraud", 0.25, 0.5, -1.1, float(number)),),
    )
    own = {field.name for field in dataclasses.fields(Record)}
    now = datetime.now(UTC)
    made = Record(
        dataclasses.replace(summary, **{key: value for key, value in changed.items() if key not in own}),
        Cost(1000, 10, 50_000, {"prune": 0.001}),
        hashlib.sha256(body).hexdigest(),
        accepted=now,
        expires=now + WEEK,
    )
    return dataclasses.replace(made, **{key: value for key, value in changed.items() if key in own})


def listed(records: Records, wanted: Filter | None = None, limit: int = 100) -> list[str]:
    """Returns the names of all pages together, without `explanations/`."""
    found, position = [], ""
    while True:
        page = records.page(wanted or Filter(), position, limit)
        assert len(page.records) <= limit
        found += [each.summary.name.removeprefix("explanations/") for each in page.records]
        position = page.next_position
        if not position:
            return found


def delete(records: Records, wanted: Selector) -> int:
    """Deletes without a limit of time, and returns how many records were deleted."""
    found = records.delete(wanted, EVER)
    assert found.complete
    return found.count


def stored(made: Record, body: bytes = BODY) -> StoredRecord:
    """Returns what readers should find."""
    return StoredRecord(made, body)
