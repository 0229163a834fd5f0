"""Asks questions in the ways of different callers, some of whom make mistakes, are impatient or hang up."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from hashlib import sha256
from http.client import HTTPConnection

import grpc
import numpy as np
from matrix import BY_NAME
from regression.messages import inputs, refusal
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from waiting import PATIENCE

from overload.mixed_questions import (
    BACKGROUND,
    CASES,
    large_question,
    large_record,
    question,
    rest_body,
)

HTTP_SHARE, STREAM_SHARE, OWN_CHANNEL_SHARE = 0.05, 0.05, 0.02
MORE_SHARE = 0.15
"""How many questions go with one more call, whose answer does not count: a mistake, a repetition or the like."""
KEPT_ANSWERS = 500
"""How many of the latest answers are known, to ask their questions again."""
AT_ONCE, PAGE_SIZE = 64, 1_000
"""More calls than a server has threads for them, and fewer than may wait; and how many explanations a list has."""
LARGE_QUESTIONS = 16
"""More than there are engines of each kind."""
SHORT_SECONDS, HANG_UP_SECONDS = 0.03, 0.02
"""The longest of deadlines that are too short, and how long a caller waits at most before hanging up."""
MISTAKES = {
    "MODEL_NOT_FOUND",
    "BACKGROUND_NOT_FOUND",
    "TENSOR_NOT_FINITE",
    "OPTION_OUT_OF_RANGE",
    "SEQUENCE_EMPTY",
}
IMPATIENT = {"DEADLINE_EXCEEDED", "DEADLINE_TOO_SHORT", "DEADLINE_SPENT_WAITING", "QUEUE_FULL", ""}
"""The reasons that a caller with too short a deadline may get. The client's own clock gives none."""


def content(found: pb.Explanation) -> str:
    """Returns a digest of the bytes of an answer without its name, its times and its cost."""
    copy = pb.Explanation()
    copy.CopyFrom(found)
    for field in ("name", "create_time", "cost"):
        copy.ClearField(field)
    timed = (
        copy.pruning.quality,
        copy.event_level.quality,
        copy.feature_level.quality,
        copy.cell_level.quality,
    )
    for part in timed:
        if part.HasField("time"):
            part.ClearField("time")
    return sha256(copy.SerializeToString(deterministic=True)).hexdigest()


class MixedCalls:
    """Asks a server. Safe to use from several threads at once.

    Attributes:
        counts: How often each thing happened, such as `answered` or the reason of a refusal.
        faults: What should not have happened, in words.
    """

    def __init__(self, grpc_address: str, http_address: str, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._grpc, self._http, self._seed = grpc_address, http_address, seed
        self._channel = grpc.insecure_channel(grpc_address)
        self._explanations = rpc.ExplanationServiceStub(self._channel)
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[str, str]] = OrderedDict()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def prepare(self) -> None:
        """Creates the named background of each model."""
        backgrounds = rpc.BackgroundServiceStub(self._channel)
        for case in CASES:
            header = pb.CreateBackgroundHeader(name=f"models/{case.name}/backgrounds/{BACKGROUND}")
            header.model.name = case.name
            given = pb.BackgroundValues(inputs=inputs(case.average()))
            parts = [pb.CreateBackgroundRequest(header=header), pb.CreateBackgroundRequest(values=given)]
            backgrounds.CreateBackground(iter(parts), timeout=PATIENCE)

    def fill_store(self, records: int) -> None:
        """Has large records kept, so that what the server caches of its store is full."""
        for number in range(records):
            self._explanations.Explain(large_record(number, self._seed), timeout=PATIENCE)

    def start_threads(self) -> None:
        """Has all engines and threads started that the questions may need.

        A server starts them one by one, when calls happen to coincide. So these come at once, and take some time: large
        questions, half of them with models, and lists of what `fill_store` has filled the store with.
        """
        large = [large_question(number, self._seed) for number in range(LARGE_QUESTIONS)]
        listed = pb.ListExplanationsRequest(page_size=PAGE_SIZE)
        for calls in (
            [self._explanations.Explain.future(each, timeout=PATIENCE) for each in large],
            [self._explanations.ListExplanations.future(listed, timeout=PATIENCE) for _ in range(AT_ONCE)],
        ):
            for call in calls:
                call.result()

    def computed(self, number: int) -> str:
        """Has a question's answer computed, even if there is one already, and returns its content."""
        asked = question(number, self._seed)
        asked.dry_run = True
        return content(self._explanations.Explain(asked, timeout=PATIENCE).explanation)

    def ask(self, number: int) -> None:
        """Asks one question that is answered, and before some of them makes one more call that may not be."""
        random = np.random.default_rng([self._seed, number, 1])
        try:
            if random.random() < MORE_SHARE:
                more = (self._mistake, self._impatient, self._hang_up, self._hang_up_http, self._again)
                more[random.integers(len(more))](number, random)
            self._answered(number, random.random())
        except (grpc.RpcError, OSError, AssertionError) as error:
            text = str(refusal(error)) if isinstance(error, grpc.RpcError) else repr(error)
            self._count("failed", f"question {number}: {text}")

    def _answered(self, number: int, way: float) -> None:
        asked = question(number, self._seed)
        if way < HTTP_SHARE and asked.model.name and not asked.background.HasField("values"):
            self._over_http(asked)
        elif way < HTTP_SHARE + STREAM_SHARE:
            requests = iter([pb.ExplainStreamRequest(request=asked)])
            (answer,) = self._explanations.ExplainStream(requests, timeout=PATIENCE)
            assert answer.HasField("explanation"), answer.error
            self._keep(number, answer.explanation)
        elif way < HTTP_SHARE + STREAM_SHARE + OWN_CHANNEL_SHARE:
            with grpc.insecure_channel(self._grpc, [("grpc.use_local_subchannel_pool", 1)]) as channel:
                stub = rpc.ExplanationServiceStub(channel)
                self._keep(number, stub.Explain(asked, timeout=PATIENCE).explanation)
        else:
            self._keep(number, self._explanations.Explain(asked, timeout=PATIENCE).explanation)
        self._count("answered")

    def _over_http(self, asked: pb.ExplainRequest) -> None:
        connection = HTTPConnection(self._http, timeout=PATIENCE)
        try:
            connection.request("POST", f"/v1/models/{asked.model.name}:explain", json.dumps(rest_body(asked)))
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            assert json.loads(body)["explanations"]
        finally:
            connection.close()
        self._count("answered over HTTP")

    def _keep(self, number: int, found: pb.Explanation) -> None:
        if found.cut_short:
            self._count("cut short")
            return
        with self._lock:
            self._kept[number] = (found.name, content(found))
            if len(self._kept) > KEPT_ANSWERS:
                self._kept.popitem(last=False)

    def _again(self, _: int, random: np.random.Generator) -> None:
        """Asks the question of a kept answer again, and looks the answer up by its name."""
        with self._lock:
            kept = list(self._kept.items())
        if not kept:
            return
        number, (name, expected) = kept[random.integers(len(kept))]
        again = self._explanations.Explain(question(number, self._seed), timeout=PATIENCE).explanation
        if not again.cost.cached:
            self._count("kept answers computed again")
        request = pb.GetExplanationRequest(name=name)
        looked_up = self._explanations.GetExplanation(request, timeout=PATIENCE).explanation
        for what, found in (("asked again", again), ("looked up", looked_up)):
            different = content(found) != expected
            self._count(what, f"question {number}, {what}: another answer" if different else "")

    def _mistake(self, number: int, random: np.random.Generator) -> None:
        asked = question(number, self._seed)
        mistakes: tuple[Callable[[pb.ExplainRequest], object], ...] = (
            _unknown_model, _unknown_background, _not_finite, _no_budget, _no_inputs,
        )  # fmt: skip
        mistakes[random.integers(len(mistakes))](asked)
        try:
            self._explanations.Explain(asked, timeout=PATIENCE)
            reason = "answered"
        except grpc.RpcError as error:
            reason = refusal(error).reason
        self._count(reason, "" if reason in MISTAKES else f"a mistake in question {number}: {reason}")

    def _impatient(self, number: int, random: np.random.Generator) -> None:
        asked = question(number, self._seed)
        asked.options.seed = 100  # another question than the one that follows
        try:
            self._explanations.Explain(asked, timeout=random.uniform(0.001, SHORT_SECONDS))
            self._count("answered at once")
        except grpc.RpcError as error:
            found = refusal(error)
            self._count(found.reason or found.code, "" if found.reason in IMPATIENT else str(found))

    def _hang_up(self, number: int, random: np.random.Generator) -> None:
        asked = question(number, self._seed)
        asked.options.seed = 101
        call = self._explanations.Explain.future(asked, timeout=PATIENCE)
        threading.Event().wait(random.uniform(0, HANG_UP_SECONDS))
        call.cancel()
        self._count("hung up")

    def _hang_up_http(self, _: int, random: np.random.Generator) -> None:
        """Sends a request, or only half of it, and closes the connection."""
        body = json.dumps({"instances": [{"events": BY_NAME["gru"].sample(20)["events"].tolist()}]}).encode()
        head = f"POST /v1/models/gru:explain HTTP/1.1\r\nHost: {self._http}\r\nContent-Length: {len(body)}\r\n\r\n"
        sent = head.encode() + body
        host, _separator, port = self._http.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(sent[: len(sent) // int(random.integers(1, 3))])
            threading.Event().wait(random.uniform(0, HANG_UP_SECONDS))
        self._count("hung up over HTTP")

    def _count(self, what: str, fault: str = "") -> None:
        with self._lock:
            self.counts[what] += 1
            if fault:
                self.faults.append(fault)


def _unknown_model(asked: pb.ExplainRequest) -> None:
    asked.model.name = "nobody"


def _unknown_background(asked: pb.ExplainRequest) -> None:
    asked.background.name = "nobody"


def _not_finite(asked: pb.ExplainRequest) -> None:
    wrong = BY_NAME["gru"].sample(3)
    wrong["events"][1, 1] = np.nan
    asked.CopyFrom(pb.ExplainRequest(sequence=pb.Sequence(inputs=inputs(wrong))))
    asked.model.name = "gru"


def _no_budget(asked: pb.ExplainRequest) -> None:
    asked.options.max_coalitions = -1


def _no_inputs(asked: pb.ExplainRequest) -> None:
    del asked.sequence.inputs[:]
