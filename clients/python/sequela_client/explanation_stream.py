"""The state of a stream of explanations: what was sent, what was answered, and what is sent again if it breaks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import arguments, requests
from sequela_client.channel import Deadline
from sequela_client.content_digests import column_order
from sequela_client.errors import CallerError, DeadlineExceeded, TryAgain
from sequela_client.inputs import SequenceLike
from sequela_client.models import with_missing_file
from sequela_client.resources import Outcome, outcome
from sequela_client.statuses import from_item


def refusal(response: pb.ExplainStreamResponse) -> TryAgain | None:
    """Returns why a busy server refused an item that it asks to send again later; None if it did not."""
    if response.WhichOneof("outcome") != "error":
        return None
    error = from_item(response.error)
    # An item whose time is up has used all the time that it was given.
    if (
        isinstance(error, TryAgain)
        and error.retry_after is not None
        and not isinstance(error, DeadlineExceeded)
    ):
        return error
    return None


@dataclass(frozen=True, slots=True)
class _Pending:
    """A sequence without an answer: its number among the caller's, its order of columns, and its request."""

    number: int
    order: Any
    request: pb.ExplainRequest


@dataclass(slots=True)
class ExplanationStream:
    """The sequences of a stream, in the order in which they are sent; a sequence has its place in this order.

    Background values are sent with every sequence until an answer has their digest, which is sent from then on. Each
    order of columns has its own digest. If a sequence cannot be sent, only that sequence fails, as if the server had
    refused it. One thread adds sequences and makes messages while another one reads answers.

    Args:
        model: the model of all sequences.
        background: their background; None: the model's default.
        options: their options.
        timeout: seconds for each of them; None: no limit.
        dry_run: whether their explanations are computed anew, and not stored.
        priority: the contract's number of their priority; 0: the server's default.
    """

    model: pb.ModelReference
    background: pb.BackgroundReference | None
    options: pb.ExplainOptions
    timeout: float | None
    dry_run: bool = False
    priority: Any = 0
    answered: int = field(default=0, init=False)
    """The place of the first sequence without an answer. Answers come in the order of the places."""
    added: int = field(default=0, init=False)
    """The place of the next sequence that is added."""
    _pending: dict[int, _Pending] = field(default_factory=dict, init=False)
    _digests: dict[Any, str] = field(default_factory=dict, init=False)
    _refused: deque[Outcome] = field(default_factory=deque, init=False)

    def add(self, number: int, given: SequenceLike) -> None:
        """Adds the caller's next sequence, unless it cannot be sent."""
        try:
            request = arguments.convert_item("sequences", number, self._request, given)
        except CallerError as error:
            self._refused.append(Outcome(number, None, error))
            return
        self._pending[self.added] = _Pending(number, column_order(request.sequence), request)
        self.added += 1

    def message(self, place: int) -> pb.ExplainStreamRequest:
        """Returns the message for the sequence at a place."""
        pending = self._pending[place]
        message = pb.ExplainStreamRequest(request=pending.request)
        message.request.model.CopyFrom(self.model)
        message.request.dry_run = self.dry_run
        message.request.priority = self.priority
        if pending.order in self._digests:
            message.request.background.digest = self._digests[pending.order]
        elif self.background is not None:
            message.request.background.CopyFrom(self.background)
        # A message without its own timeout may use all of the time that is left to the stream.
        if self.timeout is not None and self.timeout <= Deadline.LONGEST_SECONDS:
            message.timeout.FromNanoseconds(round(self.timeout * 1e9))
        return message

    def _request(self, given: SequenceLike) -> pb.ExplainRequest:
        return requests.explain(given, self.options)

    def single_request(self, first: int, response: pb.ExplainStreamResponse) -> pb.ExplainRequest:
        """Returns the request for Explain that asks the same as the message of a response.

        Args:
            first: as in `outcomes`, which comes later.
            response: the response.
        """
        request = pb.ExplainRequest()
        request.CopyFrom(self.message(first + response.index).request)
        if self.background is not None:
            # Another replica may answer, which does not know the digest.
            request.background.CopyFrom(self.background)
        request.priority = request.priority or pb.PRIORITY_BULK
        return request

    def outcomes(self, first: int, response: pb.ExplainStreamResponse) -> Iterator[Outcome]:
        """Yields the outcome of one response, after those of earlier sequences that were not sent.

        Args:
            first: the place of the sequence that the server counts as 0, since it was sent first.
            response: the response.
        """
        place = first + response.index
        pending = self._pending.pop(place)
        self.answered = place + 1
        names = pb.Sequence(inputs=[pb.InputTensor(name=name) for name, *_ in pending.order])
        answer = outcome(response, pb.ExplainRequest(sequence=names, background=self.background))
        yield from self._refused_before(pending.number)
        error = None if answer.error is None else with_missing_file(answer.error, self.model.name)
        # From now on the digest is enough; the values of a background may be large.
        if answer.explanation and self.background is not None and self.background.HasField("values"):
            self._digests[pending.order] = answer.explanation.background_digest
        yield replace(answer, index=pending.number, error=error)

    def rest(self) -> Iterator[Outcome]:
        """Yields the outcomes that are left once the stream has ended."""
        while self._refused:
            yield self._refused.popleft()

    def _refused_before(self, number: int) -> Iterator[Outcome]:
        while self._refused and self._refused[0].index < number:
            yield self._refused.popleft()
