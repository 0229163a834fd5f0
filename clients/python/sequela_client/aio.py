"""The asyncio client, which has the methods of the blocking client as coroutines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeVar, Unpack

import grpc
import grpc.aio
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import operations
from sequela_client.bearer_token import Metadata
from sequela_client.callers import Caller
from sequela_client.calls import Call, Listing, Operation
from sequela_client.channel import Client, Deadline
from sequela_client.errors import SequelaError, TryAgain
from sequela_client.explanation import Explanation
from sequela_client.explanation_stream import ExplanationStream, refusal
from sequela_client.inputs import BackgroundLike, BackgroundValues, SequenceLike, Values
from sequela_client.local_server import START_SECONDS, Setting, setting_arguments, start_server
from sequela_client.models import ModelLike
from sequela_client.options import Options, documented
from sequela_client.priority import Priority
from sequela_client.requests import Average, BackgroundShape
from sequela_client.resources import Background, ExplanationSummary, Model, Outcome, Scores
from sequela_client.resumptions import Resumptions
from sequela_client.sequence_reader import AsyncSequenceReader
from sequela_client.streams import AnyIterable
from sequela_client.trace_context import with_trace

T = TypeVar("T")


class AsyncSequela(Client):
    """An asyncio client of one server. Create it inside a running event loop.

        async with AsyncSequela("localhost:50051") as sequela:
            e = await sequela.explain(sequence, model="model.onnx", background=average_event)

    It has the same methods and arguments as `Sequela`, whose docstrings describe them. Lists and streams are async
    iterators. A model file is read once, and while it is read the event loop is blocked.
    """

    _grpc: ClassVar[Any] = grpc.aio

    @cached_property
    def _closings(self) -> set[asyncio.Future[None]]:
        return set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; running calls are cancelled. A server of `local` stops."""
        self._closed = True
        for channel in self._connections.take_all():
            await channel.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    @classmethod
    async def local(
        cls,
        *,
        model_repository: str | os.PathLike[str] | None = None,
        workers: int | None = None,
        timeout: float | None = 60.0,
        start_timeout: float = START_SECONDS,
        **settings: Setting,
    ) -> Self:
        """Starts a server for this session, on this machine, and returns a client of it; see `Sequela.local`.

        Use it as `async with await AsyncSequela.local() as sequela:`.
        """
        arguments = setting_arguments({"model_repository": model_repository, "workers": workers, **settings})
        server = await asyncio.to_thread(start_server, arguments, start_timeout)
        client = cls(server.address, timeout=timeout)
        client._own(server)
        return client

    @documented
    async def explain(
        self,
        sequence: SequenceLike,
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        caller_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        priority: Priority | None = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Explanation:
        """Explains the score of one sequence; see `Sequela.explain`."""
        operation = operations.explain(
            self._digests, sequence, model, background, options, caller_id, labels, dry_run, priority
        )
        return await self._run(operation, timeout)

    @documented
    async def explain_many(
        self,
        sequences: AnyIterable[SequenceLike],
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        dry_run: bool = False,
        priority: Priority | None = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> AsyncIterator[Outcome]:
        """Explains many sequences over one stream, and yields an outcome for each of them, in their order.

        `sequences` is an iterable or an async iterable. It is read as the stream needs the sequences. `timeout` is the
        number of seconds for each sequence. See `Sequela.explain_many`.
        """
        operation = operations.explain_many(
            self._digests, model, background, options, self._seconds(timeout), dry_run, priority
        )
        state = await self._run(operation, timeout)
        reader, resumptions = AsyncSequenceReader(sequences, state), Resumptions()
        try:
            while True:
                metadata = self._metadata()
                try:
                    async with aclosing(
                        self._explain_pending(state, reader, with_trace(metadata))
                    ) as outcomes:
                        async for outcome in outcomes:
                            yield outcome
                    return
                except grpc.RpcError as error:
                    failure = reader.failure or await self._failure_of(error, None)
                pause = self._pause(resumptions, failure, state.answered, metadata)
                if pause is None:
                    raise failure
                await asyncio.sleep(pause)
        finally:
            reader.close()

    async def _explain_pending(
        self, state: ExplanationStream, reader: AsyncSequenceReader, metadata: Metadata
    ) -> AsyncGenerator[Outcome, None]:
        """Opens a stream for the sequences that have no answer."""
        self._check_open()
        with self._connections.use() as connection:
            first = state.answered
            stream = connection.explanations.ExplainStream(reader.messages(first), metadata=metadata)
            try:
                async for response in stream:
                    answer = await self._accepted(state, first, response)
                    for outcome in state.outcomes(first, answer):
                        yield outcome
                for outcome in state.rest():
                    yield outcome
            except asyncio.CancelledError:  # grpc.aio raises this if the caller's own iterator fails
                if reader.failure is None:
                    raise
                raise reader.failure from None
            finally:
                # A caller may stop iterating early; the server must then not continue with the rest.
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
        """Scores one sequence, or a list of sequences, without explaining them; see `Sequela.score`."""
        return await self._run(
            operations.score(self._digests, sequences, model, targets, output_event), timeout
        )

    async def get_explanation(
        self, name: str, *, sequence: bool = True, timeout: float | None = None
    ) -> Explanation:
        """Reads a stored explanation by its name, `explanations/e`; see `Sequela.get_explanation`."""
        return await self._run(operations.get_explanation(name, sequence), timeout)

    def list_explanations(
        self,
        *,
        caller_id: str = "",
        model: str = "",
        labels: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        page_size: int = 50,
        timeout: float | None = None,
    ) -> AsyncIterator[ExplanationSummary]:
        """Lists stored explanations that were made in [start, end), newest first; see `Sequela.list_explanations`."""
        return self._all(
            operations.list_explanations(
                caller_id, model, labels, start, end, min_score, max_score, page_size
            ),
            timeout,
        )

    async def delete_explanations(
        self,
        *,
        name: str | None = None,
        caller_id: str | None = None,
        label: tuple[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Deletes stored explanations with their sequences; see `Sequela.delete_explanations`."""
        return await self._run(operations.delete_explanations(name, caller_id, label), timeout)

    async def register_model(self, path: ModelLike, *, name: str = "", timeout: float | None = None) -> Model:
        """Uploads a model file under a name, `m` or `m/v`. Without a name, the digest of the model is its name."""
        return await self._run(operations.register_model(path, name), timeout)

    async def get_model(self, name: str, *, timeout: float | None = None) -> Model:
        """Describes a model."""
        return await self._run(operations.get_model(name), timeout)

    def models(self, *, page_size: int = 50, timeout: float | None = None) -> AsyncIterator[Model]:
        """Lists all models, ordered by name."""
        return self._all(operations.list_models(page_size), timeout)

    async def delete_model(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a model that was uploaded."""
        await self._run(operations.delete_model(name), timeout)

    async def create_background(
        self, name: str, values: BackgroundValues | Values, *, model: ModelLike, timeout: float | None = None
    ) -> Background:
        """Stores an average event (d), or a row for each position (k, d), as a named background of a model."""
        return await self._run(operations.create_background(self._digests, name, values, model), timeout)

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
        """Averages sequences into a named background of a model; see `Sequela.average_background`."""
        operation = operations.average_background(self._digests, name, sequences, model, average, shape)
        return await self._run(operation, timeout)

    async def get_background(self, name: str, *, timeout: float | None = None) -> Background:
        """Reads a background with its values by its name, `models/m/backgrounds/b`."""
        return await self._run(operations.get_background(name), timeout)

    def backgrounds(
        self, *, model: str = "", page_size: int = 50, timeout: float | None = None
    ) -> AsyncIterator[Background]:
        """Lists the backgrounds of a model (`m` or `models/m`), or of all models, by name and without their values."""
        return self._all(operations.list_backgrounds(model, page_size), timeout)

    async def delete_background(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a background."""
        await self._run(operations.delete_background(name), timeout)

    async def get_caller(self, *, timeout: float | None = None) -> Caller:
        """Returns how the server identifies this client; see `Sequela.get_caller`."""
        return await self._run(operations.get_caller(), timeout)

    async def _all(self, listing: Listing[T], timeout: float | None) -> AsyncIterator[T]:
        rest: Listing[T] | None = listing
        while rest is not None:
            items, rest = await self._run(rest.page(), timeout)
            for item in items:
                yield item

    async def _run(self, operation: Operation[T], timeout: float | None) -> T:
        """Carries out an operation: makes the calls that it yields, all within one deadline."""
        deadline = Deadline.after(self._seconds(timeout))
        try:
            call = next(operation)
            while True:
                try:
                    answer = await self._attempt(call, deadline)
                except SequelaError as error:
                    # The operation decides whether it can continue, for example by uploading a model that is missing.
                    call = operation.throw(error)
                else:
                    call = operation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _attempt(self, call: Call, deadline: Deadline, failures: int = 0) -> Any:
        """Makes a call that has already failed `failures` times, and repeats it as long as that may help."""
        while True:
            try:
                answer = await self._make(call, deadline)
            except TryAgain as error:
                failures += 1
                if not call.is_repeatable:
                    raise
                wait = self._budget.wait_seconds(error, failures, deadline.remaining)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                self._budget.succeeded()
                return answer

    async def _accepted(
        self, state: ExplanationStream, first: int, response: pb.ExplainStreamResponse
    ) -> pb.ExplainStreamResponse:
        """Returns the response. If a busy server refused the item, returns the answer to a later attempt instead."""
        error = refusal(response)
        if error is None:
            if response.HasField("explanation"):
                self._budget.succeeded()
            return response
        deadline = Deadline.after(state.timeout)
        wait = self._budget.wait_seconds(error, 1, deadline.remaining)
        if wait is None:
            return response
        await asyncio.sleep(wait)
        # It is sent alone, since a stream keeps the order of its items, and later ones have already been sent.
        call = Call("explanations.Explain", state.single_request(first, response))
        try:
            answer = await self._attempt(call, deadline, failures=1)
        except SequelaError:
            return response
        return pb.ExplainStreamResponse(index=response.index, explanation=answer.explanation)

    async def _make(self, call: Call, deadline: Deadline) -> Any:
        self._check_open()
        with self._connections.use() as connection:
            method = attrgetter(call.rpc)(connection)
            try:
                return await method(call.request, timeout=deadline.remaining, metadata=self._sent())
            except grpc.RpcError as error:
                raise call.failure or await self._failure_of(error, call.request) from None
            except asyncio.CancelledError:
                if call.failure is None:
                    raise
                raise call.failure from None

    def _close_channel(self, channel: grpc.aio.Channel) -> None:
        # The event loop keeps no reference to a task.
        closing = asyncio.ensure_future(channel.close(None))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)

    async def _failure_of(self, error: grpc.RpcError, request: Any) -> SequelaError:
        """Calls `_failure` in a thread, since it may wait for the server."""
        return await asyncio.to_thread(self._failure, error, request)
