"""The asyncio client: the blocking one's methods, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeVar, Unpack

import grpc
import grpc.aio

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
from sequela_client.streams import AnyIterable, MessageStream

T = TypeVar("T")


class AsyncSequela(Client):
    """A client of one server for asyncio; make it where an event loop runs.

        async with AsyncSequela("localhost:50051") as sequela:
            e = await sequela.explain(sequence, model="model.onnx", background=average_event)

    Methods and arguments are those of `Sequela`; lists and streams are async iterators. A model file is read and
    digested in the loop, once.
    """

    _grpc: ClassVar[Any] = grpc.aio

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        self._closed = True
        await self._channel.close()

    @documented
    async def explain(
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
        return await self._run(flow, timeout)

    @documented
    async def explain_many(
        self,
        sequences: AnyIterable[SequenceLike],
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> AsyncIterator[Outcome]:
        """Explains many sequences over one stream, answers in their order as they come; one may fail alone.

        The sequences, from an iterable or an async one, are read as the stream takes them; `timeout` is each
        one's.
        """
        flow = operations.explain_many(self._sent, model, background, options, self._seconds(timeout))
        bulk = await self._run(flow, timeout)
        feed = MessageStream(sequences, bulk.message)
        stream = self._stubs.explanations.ExplainStream(feed)
        try:
            async for answer in stream:
                for outcome in bulk.outcomes(answer):
                    yield outcome
            for outcome in bulk.rest():
                yield outcome
        except grpc.RpcError as error:
            raise feed.failure or await self._failure_of(error) from None
        except asyncio.CancelledError:  # which grpc.aio makes of an error among the caller's sequences
            if feed.failure is None:
                raise
            raise feed.failure from None
        finally:
            stream.cancel()

    async def score(
        self,
        sequences: SequenceLike | Iterable[SequenceLike],
        *,
        model: ModelLike,
        targets: Iterable[str | int] | str | int | None = None,
        output_event: int | None = None,
        timeout: float | None = None,
    ) -> Scores:
        """Scores one sequence, or several, without explaining them."""
        return await self._run(operations.score(self._sent, sequences, model, targets, output_event), timeout)

    async def get_explanation(self, name: str, *, timeout: float | None = None) -> Explanation:
        """An explanation made before, by its name `explanations/e`."""
        return await self._run(operations.get_explanation(name), timeout)

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
    ) -> AsyncIterator[ExplanationSummary]:
        """Explanations made in [start, end), newest first; the pages are fetched as they are needed."""
        return self._all(
            operations.list_explanations(caller_id, model, labels, start, end, page_size), timeout
        )

    async def register_model(self, path: ModelLike, *, name: str = "", timeout: float | None = None) -> Model:
        """Uploads a model file under a name `m` or `m/v` (empty: its digest)."""
        return await self._run(operations.register_model(path, name), timeout)

    async def get_model(self, name: str, *, timeout: float | None = None) -> Model:
        """Describes a model."""
        return await self._run(operations.get_model(name), timeout)

    def models(self, *, page_size: int = 50, timeout: float | None = None) -> AsyncIterator[Model]:
        """All models by name."""
        return self._all(operations.list_models(page_size), timeout)

    async def delete_model(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes an uploaded model."""
        await self._run(operations.delete_model(name), timeout)

    async def create_background(
        self, name: str, values: BackgroundValues | Values, *, model: ModelLike, timeout: float | None = None
    ) -> Background:
        """Keeps an average event (d) or a matrix (k, d) as a named background of a model."""
        return await self._run(operations.create_background(self._sent, name, values, model), timeout)

    async def average_background(
        self,
        name: str,
        sequences: AnyIterable[SequenceLike],
        *,
        model: ModelLike,
        average: Average = "mean",
        shape: BackgroundShape = "event",
        timeout: float | None = None,
    ) -> Background:
        """Averages sequences, streamed to the server, into a named background of a model."""
        flow = operations.average_background(self._sent, name, sequences, model, average, shape)
        return await self._run(flow, timeout)

    async def get_background(self, name: str, *, timeout: float | None = None) -> Background:
        """A background with its values, by its name `models/m/backgrounds/b`."""
        return await self._run(operations.get_background(name), timeout)

    def backgrounds(
        self, *, model: str = "", page_size: int = 50, timeout: float | None = None
    ) -> AsyncIterator[Background]:
        """All backgrounds by name, without their values; of one model, `models/m` or `m`, or of all."""
        return self._all(operations.list_backgrounds(model, page_size), timeout)

    async def delete_background(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a background."""
        await self._run(operations.delete_background(name), timeout)

    async def _all(self, listing: Listing[T], timeout: float | None) -> AsyncIterator[T]:
        rest: Listing[T] | None = listing
        while rest is not None:
            items, rest = await self._run(rest.page(), timeout)
            for item in items:
                yield item

    async def _run(self, flow: Flow[T], timeout: float | None) -> T:
        """Carries out a flow: makes the calls it yields, within one deadline."""
        deadline = Deadline.after(self._seconds(timeout))
        try:
            call = next(flow)
            while True:
                try:
                    answer = await self._make(call, deadline)
                except SequelaError as error:
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _make(self, call: Call, deadline: Deadline) -> Any:
        self._check_open()
        method = attrgetter(call.rpc)(self._stubs)
        try:
            return await method(call.request, timeout=deadline.remaining)
        except grpc.RpcError as error:
            raise call.failure or await self._failure_of(error) from None
        except asyncio.CancelledError:
            if call.failure is None:
                raise
            raise call.failure from None

    async def _failure_of(self, error: grpc.RpcError) -> SequelaError:
        """As `_failure`, without holding up the event loop."""
        return await asyncio.to_thread(self._failure, error)
