"""Makes the calls of the blocking client's methods, one after the other, and again if that may help."""

from __future__ import annotations

import time
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeVar

import grpc
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.calls import Call, Listing, Operation
from sequela_client.channel import Client, Deadline
from sequela_client.errors import SequelaError, TryAgain
from sequela_client.explanation_stream import ExplanationStream, refusal

T = TypeVar("T")


class BlockingClient(Client):
    """A client that waits for every call. `Sequela` has its methods."""

    _grpc: ClassVar[Any] = grpc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; running calls are cancelled. A server of `local` stops."""
        self._closed = True
        for channel in self._connections.take_all():
            channel.close()
        if self._server is not None:
            self._server.stop()

    def _all(self, listing: Listing[T], timeout: float | None) -> Iterator[T]:
        rest: Listing[T] | None = listing
        while rest is not None:
            items, rest = self._run(rest.page(), timeout)
            yield from items

    def _run(self, operation: Operation[T], timeout: float | None) -> T:
        """Carries out an operation: makes the calls that it yields, all within one deadline."""
        deadline = Deadline.after(self._seconds(timeout))
        try:
            call = next(operation)
            while True:
                try:
                    # One deadline holds for all calls of an operation: an upload leaves less time for the
                    # explanation.
                    answer = self._attempt(call, deadline)
                except SequelaError as error:
                    # The operation decides whether it can continue, for example by uploading a model that is missing.
                    call = operation.throw(error)
                else:
                    call = operation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _attempt(self, call: Call, deadline: Deadline, failures: int = 0) -> Any:
        """Makes a call that has already failed `failures` times, and repeats it as long as that may help."""
        while True:
            try:
                answer = self._make(call, deadline)
            except TryAgain as error:
                failures += 1
                if not call.is_repeatable:
                    raise
                wait = self._budget.wait_seconds(error, failures, deadline.remaining)
                if wait is None:
                    raise
                time.sleep(wait)
            else:
                self._budget.succeeded()
                return answer

    def _accepted(
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
        time.sleep(wait)
        # It is sent alone, since a stream keeps the order of its items, and later ones have already been sent.
        call = Call("explanations.Explain", state.single_request(first, response))
        try:
            answer = self._attempt(call, deadline, failures=1)
        except SequelaError:
            return response
        return pb.ExplainStreamResponse(index=response.index, explanation=answer.explanation)

    def _make(self, call: Call, deadline: Deadline) -> Any:
        self._check_open()
        with self._connections.use() as connection:
            method = attrgetter(call.rpc)(connection)
            try:
                return method(call.blocking_request, timeout=deadline.remaining, metadata=self._sent())
            except grpc.RpcError as error:
                raise call.failure or self._failure(error, call.request) from None

    def _close_channel(self, channel: grpc.Channel) -> None:
        channel.close()
