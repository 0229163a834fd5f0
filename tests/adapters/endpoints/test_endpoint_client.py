"""Rows become calls: how many, of which size, sent how often, and what is told of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from sequela.adapters.endpoints.endpoint_client import CallLimits, EndpointClient
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.transport import NoteVersion
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import DoesNotFit, Unavailable
from sequela.explain.endpoint_info import EndpointInfo
from sequela.explain.ports import Observers, PaddingRows, RemoteRows
from sequela.explain.row_independence import RowIndependence
from sequela.timeshap.cells import Cells

Outputs = NDArray[np.float64]
TERMS = EndpointTerms(max_batch_rows=4, max_calls=1)
INFO = EndpointInfo("grpc://h:1/m", "1", "", True, "", TERMS.max_coalitions, None)
NO_FRAME = PaddingRows((np.empty((0, 1)),), (np.empty((0, 1)),))
LOST = Unavailable("ENDPOINT_UNAVAILABLE", "lost")


@dataclass
class Calls:
    """The model: a row's output is its own value. Remembers the sizes of calls, and fails the ones it is told to."""

    failures: dict[int, Exception] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def __call__(
        self, batch: Cells, padding: PaddingRows, output_event: int, until: float, note_version: NoteVersion
    ) -> Outputs:
        (events,) = batch.events
        self.sizes.append(len(events))
        if error := self.failures.get(len(self.sizes)):
            raise error
        return events[:, 0].astype(np.float64)  # (n, 1)


@dataclass
class Heard:
    """A listener that writes down what it is told."""

    sent: list[int] = field(default_factory=list)
    answered: list[slice] = field(default_factory=list)

    def call_sent(self, rows: int) -> None:
        self.sent.append(rows)

    def version_named(self, version: str) -> None:
        """Answers of this model name none."""

    def call_answered(self, rows: slice, outputs: Outputs, seconds: float) -> None:
        assert outputs[:, 0].tolist() == list(range(rows.start, rows.stop))
        self.answered.append(rows)


def rows(count: int, max_call_rows: int | None = None) -> RemoteRows:
    """Rows whose only event has the row's number as its value."""

    def build(numbers: NDArray[np.intp]) -> Cells:
        return Cells((numbers.reshape(-1, 1, 1).astype(np.float32),), ())

    return RemoteRows(count, build, NO_FRAME, 0, 8, max_call_rows)


Client = Callable[..., EndpointClient]


@pytest.fixture
def client() -> Client:
    def make(calls: Calls, terms: EndpointTerms = TERMS, **limits: int) -> EndpointClient:
        limiter = Limiter("m/1", "grpc://h:1/m", terms, Observers(()), 1.0)
        call_limits = CallLimits(**{"tensor_bytes": 1 << 20, **limits})
        return EndpointClient(INFO, limiter, calls, call_limits, RowIndependence())

    return make


def score(endpoint: EndpointClient, wanted: RemoteRows, heard: Heard, timeout: float = math.inf) -> Outputs:
    return endpoint.score_batches(wanted, Deadline(timeout), math.inf, heard)


@pytest.mark.parametrize(
    ("limits", "max_call_rows", "sizes"),
    [
        ({}, None, [3, 3, 4]),  # the operator's terms, as even as can be
        ({"tensor_bytes": 16}, None, [2] * 5),  # 8 bytes a row
        ({"tensor_bytes": 1}, None, [1] * 10),  # at least one row
        ({"max_rows": 3}, None, [2, 3, 2, 3]),  # the server's
        ({}, 1, [1] * 10),  # the caller's
    ],
)
def test_every_limit_bounds_calls(
    client: Client, limits: dict[str, int], max_call_rows: int | None, sizes: list[int]
) -> None:
    """Outputs are in the rows' order, and the listener hears of each call."""
    calls, heard = Calls(), Heard()
    found = score(client(calls, **limits), rows(10, max_call_rows), heard)
    assert found[:, 0].tolist() == list(range(10))
    assert calls.sizes == heard.sent == sizes
    assert [part.stop - part.start for part in heard.answered] == sizes


def test_rows_that_fill_up_a_fixed_batch_are_counted(client: Client) -> None:
    """They leave too."""
    heard = Heard()
    score(client(Calls(), fixed_rows=3), rows(4), heard)
    assert heard.sent == [3, 3]


def test_a_lost_call_is_sent_again(client: Client) -> None:
    """Every attempt is heard of, one answer is."""
    calls, heard = Calls({1: RetryableError(LOST), 2: RetryableError(LOST)}), Heard()
    assert score(client(calls), rows(4), heard)[:, 0].tolist() == [0, 1, 2, 3]
    assert (heard.sent, heard.answered) == ([4, 4, 4], [slice(0, 4)])


def test_attempts_end(client: Client) -> None:
    """With the error of the last one."""
    calls, heard = Calls({number: RetryableError(LOST) for number in range(1, 9)}), Heard()
    with pytest.raises(Unavailable, match="lost"):
        score(client(calls), rows(4), heard)
    assert (len(heard.sent), heard.answered) == (TERMS.attempts, [])


def test_a_refused_call_is_not_sent_again(client: Client) -> None:
    """Answers that came before it were heard of; calls after it do not begin."""
    calls, heard = Calls({2: DoesNotFit("ENDPOINT_REFUSED", "no")}), Heard()
    with pytest.raises(DoesNotFit, match="no"):
        score(client(calls), rows(12), heard)
    assert (heard.sent, heard.answered) == ([4, 4], [slice(0, 4)])


def test_without_time_to_send_again(client: Client) -> None:
    """The deadline's cause is what took the time."""
    deadline = Deadline(60.0)

    class Late(Calls):
        """Its second call uses up the time."""

        def __call__(
            self,
            batch: Cells,
            padding: PaddingRows,
            output_event: int,
            until: float,
            note_version: NoteVersion,
        ) -> Outputs:
            if len(self.sizes) == 1:
                deadline.shorten(0.0)
            return super().__call__(batch, padding, output_event, until, note_version)

    calls = Late({number: RetryableError(LOST) for number in range(1, 99)})
    endpoint = client(calls, EndpointTerms(attempts=10, max_calls=1))
    with pytest.raises(DeadlinePassed) as caught:
        endpoint.score_batches(rows(4), deadline, math.inf, Heard())
    assert caught.value.__cause__ is LOST
    assert calls.sizes == [4, 4]


def test_no_call_begins_after_the_deadline(client: Client) -> None:
    """Nor is it counted."""
    heard = Heard()
    with pytest.raises(DeadlinePassed):
        score(client(Calls()), rows(4), heard, timeout=0.0)
    assert heard.sent == []


def test_expected_seconds_follow_calls(client: Client) -> None:
    """Of as many full calls as rows need; unknown before any."""
    endpoint = client(Calls())
    assert endpoint.expected_seconds(100, 8) == 0.0
    endpoint.limiter.call(4, math.inf, lambda _: np.zeros(4))
    assert endpoint.expected_seconds(100, 8) == pytest.approx(25 * endpoint.limiter.call_seconds(4))
    assert endpoint.expected_seconds(2, 8) == endpoint.limiter.call_seconds(2)


def test_preferences_are_those_of_now(client: Client) -> None:
    """Terms that the operator changes show in the endpoint's facts."""
    endpoint = client(Calls())
    assert endpoint.limiter.amend(EndpointTerms(max_calls=1, max_coalitions=200))
    assert endpoint.info.max_coalitions == 200
    assert endpoint.info.uri == INFO.uri
