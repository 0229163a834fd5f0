"""The thread that sends what is owed, to stores that refuse some of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from adapters.store.outbox_contents import files, outbox_content, owed
from adapters.store.record_samples import BODY, record
from adapters.store.store_samples import Heard
from sequela.adapters.store.outbox.folder import OutboxFolder
from sequela.adapters.store.outbox.sender import OutboxSender
from sequela.adapters.store.ports import Addition, StoreDown
from sequela.explain.explanation_query import CallerSelector
from structlog.testing import capture_logs
from waiting import eventually


class Choosy:
    """A store that never takes one of the explanations."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def is_up(self) -> bool:
        return True

    def add_all(self, additions: Sequence[Addition]) -> None:
        names = [each.record.summary.name for each in additions]
        if "explanations/e1" in names:
            raise StoreDown("it is too large")
        self.taken += names


def test_one_that_cannot_be_sent_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """They are sent, though it is the oldest; it stays in the outbox."""
    outbox, store, heard = OutboxFolder(tmp_path, 1 << 20), Choosy(), Heard()
    for number in range(1, 30):
        outbox.file.add(Addition(record(number), BODY, None))
    sender = OutboxSender(outbox, store, heard, interval_seconds=0.01)
    sender.start()
    eventually(lambda: len(store.taken) == 28)
    eventually(lambda: owed(heard)[-1:] == [1])  # told after they were sent
    with capture_logs() as logged:
        sender.close(0.1)
    assert [line["event"] for line in logged] == ["explanations owed"]
    assert len(files(tmp_path)) == 1


class Meanwhile(Choosy):
    """A store that takes nothing, while somebody changes the outbox."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self._change = change

    def add_all(self, additions: Sequence[Addition]) -> None:
        self._change()
        super().add_all(additions)


@pytest.mark.parametrize("kept", ["", "second"])
def test_one_that_cannot_be_sent_does_not_come_back(tmp_path: Path, kept: str) -> None:
    """It is deleted, or replaced by a later one of its name, while the store refuses it."""
    outbox = OutboxFolder(tmp_path, 1 << 20)
    outbox.file.add(Addition(record(1, caller_id="first"), BODY, None))

    def change() -> None:
        outbox.file.delete(CallerSelector("first"))
        if kept:
            outbox.file.add(Addition(record(1, caller_id=kept), BODY, None))

    # The clock stands until the only attempt begins, and is then at the end.
    times = itertools.chain((0.0, 0.0), itertools.repeat(1.0))
    OutboxSender(outbox, Meanwhile(change), Heard(), clock=lambda: next(times)).close(0.1)
    found = outbox_content(tmp_path)
    assert [each.addition.record.summary.caller_id for each in found] == [kept] * bool(kept)


def test_one_that_is_added_while_another_is_sent_stays(tmp_path: Path) -> None:
    """Also if it takes the place of the one that is sent."""
    outbox = OutboxFolder(tmp_path, 1 << 20)
    outbox.file.add(Addition(record(2, caller_id="first"), BODY, None))
    sent = outbox.file.oldest(1)
    outbox.file.add(Addition(record(2, caller_id="second"), BODY, None))
    outbox.file.remove([each.number for each in sent])
    outbox.close()
    assert [each.addition.record.summary.caller_id for each in outbox_content(tmp_path)] == ["second"]
