"""The request that all calls send, with different seeds, and its exact answer."""

from __future__ import annotations

from pathlib import Path

import grpc
import sequela
from sequela_client.files import read_sequence
from sequela_client.requests import sequence_message
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

DEMO = Path(sequela.__file__).parent / "demo"
ALERT = DEMO / "alerts" / "takeover-47.json"
MODEL = "account_takeover"
ALL_COALITIONS = 1 << 16
"""Of the 16 features of the alert, of which the default takes some 3,000."""


def request() -> pb.ExplainRequest:
    """Returns the request: an alert of the demo, with default options, whose features are sampled.

    It has no captions of events, as when a program that scores asks, and not a case tool.
    """
    message = pb.ExplainRequest(sequence=sequence_message(read_sequence(ALERT)))
    del message.sequence.events[:]
    message.model.name = MODEL
    return message


def exact_features(address: str, token: str) -> list[float]:
    """Returns the exact attributions of the features, which the server computes from all coalitions."""
    message = request()
    message.options.levels.append(pb.LEVEL_FEATURE)
    message.options.target_standard_error = 0.0
    message.options.max_coalitions = ALL_COALITIONS
    with grpc.insecure_channel(address) as channel:
        answer = rpc.ExplanationServiceStub(channel).Explain(
            message, timeout=60, metadata=(("authorization", f"Bearer {token}"),)
        )
    level = answer.explanation.feature_level
    if level.quality.stop_reason != pb.STOP_REASON_EXACT:
        raise RuntimeError(f"the exact answer is not exact: {level.quality.detail}")
    return [each.values[0] for each in level.attributions]
