"""An alert of the demo as a request, whose features and cells are sampled and whose few events are not."""

from __future__ import annotations

from pathlib import Path

import sequela
from sequela_client.files import read_sequence
from sequela_client.requests import sequence_message
from sequela_proto.v1 import sequela_pb2 as pb

DEMO = Path(sequela.__file__).parent / "demo"
ALERT = DEMO / "alerts" / "takeover-20.json"
MODEL = "account_takeover"


def request() -> pb.ExplainRequest:
    """Returns the request, with default options and without captions of events."""
    message = pb.ExplainRequest(sequence=sequence_message(read_sequence(ALERT)))
    del message.sequence.events[:]
    message.model.name = MODEL
    return message
