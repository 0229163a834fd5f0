"""Compute runs in threads: while it does, the door answers; and a real explanation ends with its caller."""

from __future__ import annotations

from typing import Any

import grpc
from api.rpc_calls import explain_request, sequence
from api.test_bad_input import assert_serving
from api.test_executors import depth
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded, explained_by_deadline, in_process
from waiting import PATIENCE, eventually

ENDLESS = pb.ExplainOptions(pruning_tolerance=0, max_coalitions=1 << 20, target_standard_error=0)


def test_the_door_answers_while_models_run() -> None:
    """Health and lists are answered in the midst of two long explanations, which then end with their callers."""
    with Serving(embedded(upload_engines=2)) as server:
        calls: list[Any] = [
            server.explanations.Explain.future(
                explain_request(sequence=sequence(seed, 400), options=ENDLESS), timeout=600
            )
            for seed in range(2)
        ]
        eventually(lambda: depth(server, "sequela_inflight") == 2)
        for _ in range(20):
            assert_serving(server)
            server.models.ListModels(pb.ListModelsRequest())
        assert depth(server, "sequela_inflight") == 2
        for call in calls:
            call.cancel()
        eventually(lambda: depth(server, "sequela_inflight") == 0)
        assert all(call.code() is grpc.StatusCode.CANCELLED for call in calls)


def test_a_deadline_is_answered_with_what_there_is() -> None:
    """An explanation that cannot finish comes back before its deadline, cut short and saying so."""
    request = explain_request(sequence=sequence(7, 60), options=ENDLESS)
    seconds = 0.5
    with Serving(in_process()) as server:
        # The model is loaded here, so that the deadline is left to the work.
        server.explanations.Explain(explain_request(), timeout=PATIENCE)
        found = explained_by_deadline(server.explanations, request, seconds)
        while found.event_level.quality.stop_reason == pb.STOP_REASON_NOT_COMPUTED and seconds < PATIENCE:
            seconds *= 2  # the machine was too busy for a single sample
            found = explained_by_deadline(server.explanations, request, seconds)
    assert found.cut_short
    assert found.event_level.quality.stop_reason == pb.STOP_REASON_DEADLINE
