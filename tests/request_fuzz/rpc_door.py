"""Cases for the methods of gRPC, which are those that the server lists by reflection, and how answers are judged."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from serving import Failure
from waiting import PATIENCE

from request_fuzz import http2
from request_fuzz.case import LATE, NO_ANSWER, PATIENT_SECONDS, Case, FrameCase, RpcCase
from request_fuzz.messages import change, damage
from request_fuzz.rpc_seeds import seeds
from request_fuzz.values import TEXTS

SERVER_FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)
SERVER_FAULT_NUMBERS = {str(code.value[0]) for code in SERVER_FAULTS}
TIMEOUTS = (1e-9, 0.001, 0.02, 0.3, 1e9)
REFUSED_BY_GRPC = (
    "Error parsing",
    "Compression bit set",
    "Decompression failed",
    "Metadata keys",
    "Illegal header",
    "Duplicate",
)
"""How the messages begin with which gRPC refuses malformed headers as INTERNAL, before any code of the server runs."""
MAX_ANSWERS = 64
"""How many answers of a stream are read before the call is cancelled; no case asks for as many on purpose."""
MORE_TURNS = 4
"""How many more turns methods with several seeds get, because they do more with their messages."""
FRAMES = 0.06
"""The share of cases that are sent in frames made here."""

METADATA = (
    ("x-request-id", "a" * 5_000),
    ("x-request-id", "~'\"<>"),
    ("traceparent", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"),
    ("traceparent", "ff-zz"),
    ("tracestate", "=,=,=" * 300),
    ("authorization", "Bearer"),
    ("authorization", "Bearer " + "x" * 4_000),
    ("authorization", "Basic eDp4"),
    ("strange-bin", "\xff\x00\xfe"),
    ("x-envoy-expected-rq-timeout-ms", "-1"),
    ("baggage", "k=" + "%" * 2_000),
)
HEADERS: tuple[tuple[str, str], ...] = (
    ("grpc-timeout", "99999999H"),
    ("grpc-timeout", "999999999999S"),
    ("grpc-timeout", "-1S"),
    ("grpc-timeout", "1"),
    ("grpc-timeout", "0n"),
    ("grpc-timeout", "\xff"),
    ("content-type", "application/json"),
    ("content-type", "application/grpc+" + "x" * 300),
    ("content-type", ""),
    ("content-length", "99999999999999999999"),
    ("content-length", "-1"),
    ("grpc-encoding", "gzip"),
    ("grpc-encoding", "lies"),
    ("grpc-encoding", ""),
    (":method", "GET"),
    (":method", "PUT"),
    (":scheme", "ftp"),
    (":path", "/"),
    (":path", "no slash"),
    (":path", "//"),
    (":path", "/a/b/c"),
    (":path", "/\xff/\xfe"),
    (":path", "/" + "x" * 5_000),
    (":authority", "\x00"),
    (":authority", "x" * 3_000),
    ("te", "gzip"),
    ("host", "a b"),
    ("Upper-Case", "x"),
    ("", "x"),
    ("a b", "x"),
    ("x", "\r\n"),
    ("x", "y" * 20_000),
    ("x-request-id", "\xff\xfe"),
    ("authorization", "Bearer \xff"),
    ("user-agent", "\x01"),
    ("odd-bin", "no base64!"),
    ("traceparent", "\xff"),
    ("connection", "close"),
)


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its service and name, the class of its requests, and which sides send streams."""

    name: str
    kind: type[Message]
    takes_stream: bool
    gives_stream: bool


def methods(channel: grpc.Channel) -> list[Method]:
    """Returns the methods that a server lists by reflection."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answer = next(iter(stub.ServerReflectionInfo(asked, timeout=PATIENCE)))
    names = sorted(each.name for each in answer.list_services_response.service)
    return [method for name in names for method in _of_service(name)]


def _of_service(name: str) -> Iterator[Method]:
    for each in descriptor_pool.Default().FindServiceByName(name).methods:
        kind: Any = message_factory.GetMessageClass(each.input_type)
        yield Method(f"{name}/{each.name}", kind, each.client_streaming, each.server_streaming)


class RpcDoor:
    """Makes cases for all methods in turn, and sends them."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel = grpc.insecure_channel(address, [("grpc.max_send_message_length", -1)])
        self.methods = methods(self._channel)
        self._seeds = {each.name: seeds(each.name, each.kind) for each in self.methods}
        with_seeds = [each for each in self.methods if len(self._seeds[each.name]) > 1]
        self._turns = [*self.methods, *with_seeds * MORE_TURNS]
        self._by_name = {each.name: each for each in self.methods}

    def case(self, number: int, seed: int) -> Case:
        """Returns one case; the same number and seed make the same one."""
        rng = random.Random(f"rpc {seed} {number}")
        method = self._turns[number % len(self._turns)]
        messages = tuple(_messages(rng.choice(self._seeds[method.name]), method, rng))
        if rng.random() < FRAMES:
            return _in_frames(method, messages, rng)
        metadata = tuple(rng.sample(METADATA, rng.choice((0, 0, 0, 1, 2))))
        timeout = rng.choice(TIMEOUTS) if rng.random() < 0.08 else PATIENT_SECONDS
        return RpcCase(method.name, messages, metadata, timeout)

    def ask(self, case: Case) -> tuple[str, str]:
        """Sends a case. Returns how it ended, and what is wrong with that, or nothing."""
        if isinstance(case, FrameCase):
            return self._ask_in_frames(case)
        assert isinstance(case, RpcCase)
        call = self._channel.stream_stream(f"/{case.method}")
        metadata = [
            (key, value.encode("latin-1") if key.endswith("-bin") else value) for key, value in case.metadata
        ]
        answers: Any = call(iter(case.messages), timeout=case.timeout_seconds, metadata=metadata)
        try:
            self._read(answers, self._by_name[case.method])
        except grpc.RpcError as error:
            return _verdict(Failure(error), case)
        return "OK", ""

    def _read(self, answers: Iterable[bytes], method: Method) -> None:
        for count, _ in enumerate(answers, 1):
            if count == _most_answers(method):
                answers.cancel()  # type: ignore[attr-defined]
                return

    def _ask_in_frames(self, case: FrameCase) -> tuple[str, str]:
        try:
            most = _most_answers(self._by_name[case.method])
            found = http2.ask(self._address, case.headers, case.body, PATIENCE, most)
        except TimeoutError:
            return "hang", NO_ANSWER
        number, _, message = found.partition(" ")
        at_fault = number in SERVER_FAULT_NUMBERS and not message.startswith(REFUSED_BY_GRPC)
        return f"frames: {number}", f"grpc-status {found}" if at_fault else ""

    def smaller(self, case: Case) -> Iterator[Case]:
        """Yields cases with less in them."""
        if isinstance(case, FrameCase):
            for at in range(len(case.headers)):
                yield replace(case, headers=case.headers[:at] + case.headers[at + 1 :])
            for body in pieces_left_out(case.body):
                yield replace(case, body=body)
        elif isinstance(case, RpcCase):
            for at in range(len(case.metadata)):
                yield replace(case, metadata=case.metadata[:at] + case.metadata[at + 1 :])
            for at, message in enumerate(case.messages):
                before, after = case.messages[:at], case.messages[at + 1 :]
                yield replace(case, messages=before + after)
                for less in pieces_left_out(message):
                    yield replace(case, messages=(*before, less, *after))

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


def _most_answers(method: Method) -> int:
    """Returns how many answers are read: of a stream that answers a single message, which may last for ever, one."""
    return MAX_ANSWERS if method.takes_stream or not method.gives_stream else 1


def pieces_left_out(content: bytes) -> Iterator[bytes]:
    """Yields the content without a half of it, a quarter, and so on down to single bytes."""
    size = len(content)
    while size > 1:
        size = (size + 1) // 2
        for start in range(0, len(content), size):
            yield content[:start] + content[start + size :]


def _messages(valid: Iterable[Message], method: Method, rng: random.Random) -> Iterator[bytes]:
    found = [_copy(each, method) for each in valid]
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        if found:
            change(rng.choice(found), rng)
    if method.takes_stream and found and rng.random() < 0.3:
        found = rng.choice((found[1:], found[::-1], found * rng.choice((2, 20)), [found[0], *found]))
    sent = [each.SerializeToString() for each in found]
    if sent and rng.random() < 0.35:
        place = rng.randrange(len(sent))
        sent[place] = damage(sent[place], rng.choice(sent), rng)
    if rng.random() < 0.03:
        sent = rng.choice(([], sent * 2, [b""], [rng.choice(TEXTS).encode()]))
    return iter(sent)


def _copy(message: Message, method: Method) -> Message:
    copied = method.kind()
    copied.CopyFrom(message)
    return copied


def _in_frames(method: Method, messages: tuple[bytes, ...], rng: random.Random) -> FrameCase:
    headers = [*http2.call_headers(f"/{method.name}"), ("grpc-timeout", "2S")]
    for _ in range(rng.choice((1, 1, 2, 3))):
        name, value = rng.choice(HEADERS)
        kept = [each for each in headers if each[0] != name] if rng.random() < 0.8 else headers
        headers = [(name, value), *kept] if name.startswith(":") else [*kept, (name, value)]
    if rng.random() < 0.1:
        headers.pop(rng.randrange(len(headers)))
    packed = b"".join(struct.pack(">BI", 0, len(each)) + each for each in messages)[:16_000]
    packed = rng.choice((packed, packed, b"\x01" + packed[1:], packed[:7], b"", b"\xff" * 5))
    return FrameCase(method.name, tuple(headers), packed)


def _verdict(failure: Failure, case: RpcCase) -> tuple[str, str]:
    ending = f"{failure.code.name} {failure.reason}".strip()
    if failure.code in SERVER_FAULTS:
        return ending, f"{failure.code.name}: {failure.message}"
    if failure.code is grpc.StatusCode.UNAVAILABLE and not failure.reason:
        return ending, f"the connection broke: {failure.message}"
    late = failure.code is grpc.StatusCode.DEADLINE_EXCEEDED and not failure.reason
    if late and case.timeout_seconds == PATIENT_SECONDS:
        return ending, LATE
    return ending, ""
