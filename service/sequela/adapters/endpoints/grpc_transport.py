"""A model behind an endpoint that speaks the Open Inference Protocol, version 2, over gRPC."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as pb
from sequela_proto.inference import open_inference_pb2_grpc as rpc

from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.answers import WrongAnswer
from sequela.adapters.endpoints.credentials import Credentials, UnusableCredentials
from sequela.adapters.endpoints.failures import (
    RetryableError,
    invalid_answer_error,
    overload_error,
    refusal,
    seconds_left,
    unreachable_error,
    unusable_error,
)
from sequela.adapters.endpoints.grpc_channel import GrpcChannelFinder
from sequela.adapters.endpoints.grpc_messages import (
    infer_request,
    read_description,
    read_output,
)
from sequela.adapters.endpoints.reconnecting_connection import ReconnectingConnection
from sequela.adapters.endpoints.transport import Description, Feeds, NoteVersion, ignore_version
from sequela.adapters.endpoints.transport_limits import TransportLimits
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import SequelaError
from sequela.spans import outgoing_headers

Request = TypeVar("Request")
Answer = TypeVar("Answer")

CLOSED = "Channel closed"
"""gRPC's text for calls on a channel that we closed."""
CLOCK_SKEW_SECONDS = 0.05
"""A server may reach a deadline this many seconds earlier than we do."""
_TOO_LARGE = re.compile(r"larger than max \((\d+) vs\.? (\d+)\)")


class GrpcTransport:
    """Implements `Transport`."""

    def __init__(
        self,
        uri: EndpointUri,
        version: str,
        credentials: Credentials,
        limits: TransportLimits,
        guard: AddressGuard | None,
    ) -> None:
        self._uri, self._version, self._credentials = uri, version, credentials
        self._message_bytes = limits.message_bytes
        self._channel: ReconnectingConnection[grpc.Channel] = ReconnectingConnection(
            GrpcChannelFinder(uri, credentials, limits, guard)
        )

    def describe(self, until: float) -> Description:
        """As `Transport.describe`."""
        request = pb.ModelMetadataRequest(name=self._uri.name, version=self._version)
        metadata = self._call(lambda stub: stub.ModelMetadata, request, until)
        try:
            described = read_description(self._uri.name, self._version, metadata)
        except WrongAnswer as error:
            raise invalid_answer_error(self._uri, str(error)) from None
        return replace(described, max_rows=self._max_rows(until))

    def infer(
        self, feeds: Feeds, output: str, until: float, note_version: NoteVersion = ignore_version
    ) -> NDArray[np.float64]:
        """As `Transport.infer`."""
        request = infer_request(self._uri.name, self._version, feeds, output)
        size = request.ByteSize()
        if size > self._message_bytes:
            text = (
                f"the call has {size} bytes, which exceeds the limit of {self._message_bytes} bytes "
                "(--endpoint-message-bytes)"
            )
            raise unusable_error(self._uri, text)
        answer = self._call(lambda stub: stub.ModelInfer, request, until)
        try:
            outputs = read_output(request, answer, output)
        except WrongAnswer as error:
            raise invalid_answer_error(self._uri, str(error)) from None
        note_version(answer.model_version)
        return outputs

    def ready(self, until: float) -> bool:
        """As `Transport.ready`."""
        request = pb.ModelReadyRequest(name=self._uri.name, version=self._version)
        try:
            return self._call(lambda stub: stub.ModelReady, request, until).ready
        # Whatever is wrong with the endpoint, it does not take calls now.
        except (SequelaError, RetryableError, DeadlinePassed):
            return False

    def close(self) -> None:
        """As `Transport.close`."""
        self._channel.close()

    def _max_rows(self, until: float) -> int | None:
        """Returns the largest batch, using Triton's extension. Other servers respond with various errors."""
        request = pb.ModelConfigRequest(name=self._uri.name, version=self._version)
        try:
            config = self._call(lambda stub: stub.ModelConfig, request, until).config
        except SequelaError:
            return None
        return config.max_batch_size if config.max_batch_size > 0 else None

    def _call(
        self,
        method: Callable[[rpc.GRPCInferenceServiceStub], grpc.UnaryUnaryMultiCallable[Request, Answer]],
        request: Request,
        until: float,
    ) -> Answer:
        start = time.monotonic()
        try:
            with self._channel.use(seconds_left(until)) as channel:
                call = method(rpc.GRPCInferenceServiceStub(channel))
                metadata = (*self._credentials.metadata(), *outgoing_headers())
                answer = call(request, timeout=seconds_left(until), metadata=metadata)
        except grpc.RpcError as error:
            self._raise_for(error, start, until)
        except UnusableCredentials as error:
            raise unusable_error(self._uri, str(error)) from None
        except (OSError, ValueError) as error:
            # gRPC raises ValueError if the channel was closed in the meantime.
            seconds_left(until)
            raise unreachable_error(self._uri, str(error)) from None
        self._channel.note_answer()
        return answer

    def _raise_for(self, error: Any, start: float, until: float) -> NoReturn:
        """Raises the error for a status code."""
        code, words = error.code(), error.details() or ""
        detail = f"{code.name}: {words}"
        match code:
            case grpc.StatusCode.UNAVAILABLE:
                # The host may have new addresses, so the next call looks the name up again.
                self._channel.doubt()
                raise unreachable_error(self._uri, words) from None
            case grpc.StatusCode.CANCELLED if CLOSED in words:
                raise unreachable_error(self._uri, words) from None
            case grpc.StatusCode.DEADLINE_EXCEEDED if time.monotonic() >= until - CLOCK_SKEW_SECONDS:
                self._channel.note_no_answer(start)
                raise DeadlinePassed from None
            case grpc.StatusCode.CANCELLED | grpc.StatusCode.DEADLINE_EXCEEDED:
                # Neither cancelled by us nor our deadline. The server may have done the work, so do not retry.
                raise unreachable_error(self._uri, detail).error from None
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                self._raise_exhausted(words)
        raise refusal(self._uri, detail) from None

    def _raise_exhausted(self, words: str) -> NoReturn:
        """Raises the error for an overloaded server, or for a message that was too large for us or for the server."""
        sizes = _TOO_LARGE.search(words)
        if sizes is None:
            raise overload_error(self._uri, words) from None
        # The limit in gRPC's text shows on which side the message was too large.
        if int(sizes[2]) == self._message_bytes:
            text = (
                f"the answer has {sizes[1]} bytes, which exceeds the limit of {self._message_bytes} bytes "
                "(--endpoint-message-bytes)"
            )
            raise invalid_answer_error(self._uri, text) from None
        raise refusal(self._uri, words) from None
