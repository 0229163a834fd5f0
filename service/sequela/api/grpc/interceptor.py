"""Wraps every gRPC call: checks its caller, adds a request id, a log line and metrics, and converts errors.

The caller is checked before the request is read: its token, which is in the metadata, and the certificate of its
connection, which gRPC only tells once the call has begun.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from sequela.api.access_control import NO_CONTROL, AccessControl
from sequela.api.access_record import AccessRecord, access_record, note_resource
from sequela.api.drain_gate import DrainGate
from sequela.api.errors import Failure, to_failure
from sequela.api.grpc.context import Context
from sequela.api.grpc.credentials import credentials_of, token_of
from sequela.api.grpc.message_heads import malformed
from sequela.api.grpc.message_reader import MessageReader
from sequela.api.grpc.probes import is_probe
from sequela.api.grpc.raw_messages import is_raw, serialize_or_pass
from sequela.api.grpc.resources import resource_of
from sequela.api.grpc.status import grpc_status, retry_pushback
from sequela.api.request_id import REQUEST_ID_KEY, request_id_of
from sequela.api.request_log import request_log
from sequela.explain.ports import Observer
from sequela.explain.telemetry import Call, CallHandled, CallStarted, MessageReceived, MessageSent
from sequela.spans import NO_SPANS, RequestSpans

KINDS = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}

Method = Callable[[Any, Context], Any]

log = structlog.get_logger("sequela.api")


Parse = Callable[[bytes], Any]
"""Returns the message of some bytes, or the bytes themselves for a method that takes those."""


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Wraps methods of all four kinds in the same way. All calls end when the gate closes."""

    def __init__(
        self,
        observer: Observer,
        gate: DrainGate,
        reader: MessageReader,
        access: AccessControl = NO_CONTROL,
        spans: RequestSpans = NO_SPANS,
    ) -> None:
        self._observer = observer
        self._spans = spans
        self._gate = gate
        self._reader = reader
        self._access = access

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Returns the wrapped handler, or None for unknown methods."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        service, method = handler_call_details.method.lstrip("/").split("/", 1)
        kind = KINDS[handler.request_streaming, handler.response_streaming]
        call = Call(kind, service, method)
        token = token_of(handler_call_details.invocation_metadata)
        return self._wrap(handler, call, token)

    def _wrap(self, handler: Any, call: Call, token: str) -> Any:
        gives = self._stream_out if handler.response_streaming else self._message_out
        wrapper, behaviour = _kind(handler)
        parse = _pass if is_raw(behaviour) else _parser(handler.request_deserializer)

        async def method(messages: AsyncIterator[bytes], context: Context) -> Any:
            # The gate is inside, so that calls that it ends are logged and counted too.
            async with self._observe(call, context) as record, self._gate.inside():
                credentials = credentials_of(context, token)

                def admit() -> None:
                    self._access.admit(name_of(call), credentials, record)

                admit()
                if handler.request_streaming:
                    given = self._stream_in(call, admit, parse, self._reader.stream(call, messages, context))
                    return await gives(call, behaviour(given, context), context)
                async with self._reader.message(call, messages, context) as data:
                    return await gives(call, behaviour(self._message_in(call, parse, data), context), context)

        return wrapper(
            method,
            # Without a deserializer, the method gets bytes, which are parsed once the caller is known.
            request_deserializer=None,
            response_serializer=serialize_or_pass(handler.response_serializer),
        )

    def _message_in(self, call: Call, parse: Parse, data: bytes) -> Any:
        self._observer.notice(MessageReceived(call))
        message = parse(data)
        if not isinstance(message, bytes):
            note_resource(resource_of(message))
        return message

    async def _stream_in(
        self, call: Call, admit: Callable[[], None], parse: Parse, messages: AsyncIterator[bytes]
    ) -> AsyncIterator[Any]:
        async for data in messages:
            # The caller may have lost its rights since the stream began.
            admit()
            yield self._message_in(call, parse, data)

    async def _message_out(self, call: Call, answer: Awaitable[Any], _: Context) -> Any:
        message = await answer
        self._observer.notice(MessageSent(call))
        return message

    async def _stream_out(self, call: Call, answers: Any, context: Context) -> None:
        # A method may write to the stream itself, as Watch of the health service does.
        if not hasattr(answers, "__aiter__"):
            await answers
            return
        # If the caller cancels, the method's generator is closed at once, and its work stops.
        async with contextlib.aclosing(answers):
            async for message in answers:
                await context.write(message)
                self._observer.notice(MessageSent(call))

    @contextlib.asynccontextmanager
    async def _observe(self, call: Call, context: Context) -> AsyncIterator[AccessRecord]:
        metadata = _metadata(context)
        request_id = request_id_of(metadata.get(REQUEST_ID_KEY, ""))
        # Set before anything can fail, so that every answer has the id.
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
        started = time.monotonic()
        code, facts = grpc.StatusCode.OK, {"reason": ""}
        self._observer.notice(CallStarted(call))
        spans = NO_SPANS if is_probe(call) else self._spans
        with (
            request_log(spans, name_of(call), metadata, request_id=request_id, method=name_of(call)) as about,
            access_record(self._access.permissions, _host(context)) as record,
        ):
            try:
                yield record
            except grpc.aio.AbortError:
                # The method has set the status itself.
                code = grpc.StatusCode(context.code())
                raise
            except Exception as error:
                failure = to_failure(error)
                code, facts = failure.codes.grpc, failure.log_facts
                await _abort(context, failure, request_id)
            except BaseException:
                # Only a cancelled task gets here, because all other errors are Exceptions.
                code = _cancelled_code(context)
                raise
            finally:
                seconds = time.monotonic() - started
                self._observer.notice(CallHandled(call, code.name, seconds))
                about.span |= {"rpc.system.name": "grpc", "rpc.response.status_code": code.name}
                about.span |= {"error.type": facts["reason"]} if facts["reason"] else {}
                fields = {**facts, **about.explained()}
                _logger(call)("call", code=code.name, **fields, seconds=round(seconds, 6))
                self._access.report(record, name_of(call), code.name, facts["reason"], request_id)


def name_of(call: Call) -> str:
    """Returns the name of a method in logs and in the table of permissions."""
    return f"{call.service}/{call.method}"


def _kind(handler: Any) -> tuple[Callable[..., Any], Method]:
    """Returns the function that creates a handler with the same answers that reads messages itself, and the method."""
    if handler.response_streaming:
        method = handler.stream_stream if handler.request_streaming else handler.unary_stream
        return grpc.stream_stream_rpc_method_handler, method
    method = handler.stream_unary if handler.request_streaming else handler.unary_unary
    return grpc.stream_unary_rpc_method_handler, method


def _pass(data: bytes) -> bytes:
    return data


def _parser(deserializer: Parse) -> Parse:
    """Returns a deserializer that raises InvalidInput for malformed messages."""

    def parse(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError:
            raise malformed() from None

    return parse


def _host(context: Context) -> str:
    """Returns the address of the peer, which gRPC writes as `ipv4:127.0.0.1:40122`, without the port."""
    return str(context.peer()).rpartition(":")[0]


def _metadata(context: Context) -> dict[str, str]:
    """Returns the texts in the metadata of a call. Of several with the same key the first counts."""
    pairs = context.invocation_metadata() or ()
    return {key: value for key, value in reversed(tuple(pairs)) if isinstance(value, str)}


async def _abort(context: Context, failure: Failure, request_id: str) -> None:
    status: Any = grpc_status(failure)
    metadata = (*status.trailing_metadata, *retry_pushback(failure), (REQUEST_ID_KEY, request_id))
    await context.abort(status.code, status.details, metadata)


def _cancelled_code(context: Context) -> grpc.StatusCode:
    # gRPC cancels the task in both cases. Only the time left shows which one it is.
    return grpc.StatusCode.DEADLINE_EXCEEDED if context.time_remaining() == 0 else grpc.StatusCode.CANCELLED


def _logger(call: Call) -> Callable[..., Any]:
    """Returns the log method for a call. Probes arrive every few seconds, so they are only logged at debug level."""
    return log.debug if is_probe(call) else log.info  # type: ignore[no-any-return]
