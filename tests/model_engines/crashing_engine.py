"""An engine of the operator's models that ends when a request has the word ABORT in it."""

from __future__ import annotations

import os
import pickle

from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel
from sequela.model_engines.entry import ModelEngine


class CrashingEngine(ModelEngine):
    """Aborts instead of answering such a request."""

    def handle(self, content: bytes, ask: Ask, deadline: Deadline) -> bytes:
        if b"ABORT" in content:
            os.abort()
        return super().handle(content, ask, deadline)


def serve(config: bytes, channel: Channel) -> None:
    channel.serve(b"", CrashingEngine(pickle.loads(config)).handle)
