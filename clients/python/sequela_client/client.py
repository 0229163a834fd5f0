"""The blocking client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeVar, Unpack

import grpc

from sequela_client import operations
from sequela_client.calls import Listing
from sequela_client.channel import Client, Deadline
from sequela_client.errors import SequelaError
from sequela_client.explanation import Explanation
from sequela_client.flows import Call, Flow
from sequela_client.inputs import BackgroundLike, BackgroundValues, SequenceLike, Values
from sequela_client.models import ModelLike
from sequela_client.options import Options, documented
from sequela_client.requests import Average, BackgroundShape
from sequela_client.resources import Background, ExplanationSummary, Model, Outcome, Scores
from sequela_client.streams import MessageStream

T = TypeVar("T")


class Sequela(Client):
    """A client of one server; safe to use from several threads.

        with Sequela("localhost:50051") as sequela:
            e = sequela.explain(sequence, model="model.onnx", background=average_event)

    A `model` is a path (a str that ends in .onnx or has a separator), a registered name, or
    `grpc://host:port/name`; a schema.json beside a model file belongs to it. `timeout` is in seconds (None:
    the client's). Every method raises SequelaError.
    """

    _grpc: ClassVar[Any] = grpc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancels calls under way."""
        self._closed = True
        self._channel.close()

    @documented
    def explain(
        self,
        sequence: SequenceLike,
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        caller_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Explanation:
        """Explains the score of one sequence: (l, d), arrays by input name, or a `Sequence`."""
        flow = operations.explain(self._sent, sequence, model, background, options, caller_id, labels)
        return self._run(flow, timeout)

    @documented
    def explain_many(
        self,
        sequences: Iterable[SequenceLike],
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Outcome]:
        """Explains many sequences over one stream, answers in their order as they come; one may fail alone.

        The sequences are read as the stream takes them, in a thread of their own; `timeout` is each one's.
        """
        flow = operations.explain_many(self._sent, model, background, options, self._seconds(timeout))
        bulk = self._run(flow, timeout)
        feed = MessageStream(sequences, bulk.message)
        stream = self._stubs.explanations.ExplainStream(iter(feed))
        try:
            for answer in stream:
                yield from bulk.outcomes(answer)
            yield from bulk.rest()
        except grpc.RpcError as error:
            raise feed.failure or self._failure(error) from None
        finally:
            stream.cancel()

    def score(
        self,
        sequences: SequenceLike | Iterable[SequenceLike],
        *,
        model: ModelLike,
        targets: Iterable[str | int] | str | int | None = None,
        output_event: int | None = None,
        timeout: float | None = None,
    ) -> Scores:
        """Scores one sequence, or several, without explaining them."""
        flow = operations.score(self._sent, sequences, model, targets, output_event)
        return self._run(flow, timeout)

    def get_explanation(self, name: str, *, timeout: float | None = None) -> Explanation:
        """An explanation made before, by its name `explanations/e`."""
        return self._run(operations.get_explanation(name), timeout)

    def list_explanations(
        self,
        *,
        caller_id: str = "",
        model: str = "",
        labels: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int = 50,
        timeout: float | None = None,
    ) -> Iterator[ExplanationSummary]:
        """Explanations made in [start, end), newest first; the pages are fetched as they are needed."""
        return self._all(
            operations.list_explanations(caller_id, model, labels, start, end, page_size), timeout
        )

    def register_model(self, path: ModelLike, *, name: str = "", timeout: float | None = None) -> Model:
        """Uploads a model file under a name `m` or `m/v` (empty: its digest)."""
        return self._run(operations.register_model(path, name), timeout)

    def get_model(self, name: str, *, timeout: float | None = None) -> Model:
        """Describes a model."""
        return self._run(operations.get_model(name), timeout)

    def models(self, *, page_size: int = 50, timeout: float | None = None) -> Iterator[Model]:
        """All models by name."""
        return self._all(operations.list_models(page_size), timeout)

    def delete_model(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes an uploaded model."""
        self._run(operations.delete_model(name), timeout)

    def create_background(
        self, name: str, values: BackgroundValues | Values, *, model: ModelLike, timeout: float | None = None
    ) -> Background:
        """Keeps an average event (d) or a matrix (k, d) as a named background of a model."""
        return self._run(operations.create_background(self._sent, name, values, model), timeout)

    def average_background(
        self,
        name: str,
        sequences: Iterable[SequenceLike],
        *,
        model: ModelLike,
        average: Average = "mean",
        shape: BackgroundShape = "event",
        timeout: float | None = None,
    ) -> Background:
        """Averages sequences, streamed to the server, into a named background of a model."""
        flow = operations.average_background(self._sent, name, sequences, model, average, shape)
        return self._run(flow, timeout)

    def get_background(self, name: str, *, timeout: float | None = None) -> Background:
        """A background with its values, by its name `models/m/backgrounds/b`."""
        return self._run(operations.get_background(name), timeout)

    def backgrounds(
        self, *, model: str = "", page_size: int = 50, timeout: float | None = None
    ) -> Iterator[Background]:
        """All backgrounds by name, without their values; of one model, `models/m` or `m`, or of all."""
        return self._all(operations.list_backgrounds(model, page_size), timeout)

    def delete_background(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a background."""
        self._run(operations.delete_background(name), timeout)

    def _all(self, listing: Listing[T], timeout: float | None) -> Iterator[T]:
        rest: Listing[T] | None = listing
        while rest is not None:
            items, rest = self._run(rest.page(), timeout)
            yield from items

    def _run(self, flow: Flow[T], timeout: float | None) -> T:
        """Carries out a flow: makes the calls it yields, within one deadline."""
        deadline = Deadline.after(self._seconds(timeout))
        try:
            call = next(flow)
            while True:
                try:
                    answer = self._make(call, deadline)
                except SequelaError as error:
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _make(self, call: Call, deadline: Deadline) -> Any:
        self._check_open()
        method = attrgetter(call.rpc)(self._stubs)
        try:
            return method(call.blocking_request, timeout=deadline.remaining)
        except grpc.RpcError as error:
            raise call.failure or self._failure(error) from None
