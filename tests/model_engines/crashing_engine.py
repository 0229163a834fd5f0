"""An engine of the operator's models that ends when a request has the word ABORT, or the value DEADLY, in it."""

from __future__ import annotations

import os
import pickle

from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel
from sequela.model_engines.entry import ModelEngine
from sequela.model_engines.request_sequences import _sequences

DEADLY = 777.0


class CrashingEngine(ModelEngine):
    """Aborts instead of answering such a request."""

    def handle(self, content: bytes, ask: Ask, deadline: Deadline) -> bytes:
        request = pickle.loads(content).request
        values = [given.array for each in _sequences(request, self._limits) for given in each.inputs]
        if b"ABORT" in content or any((array == DEADLY).any() for array in values):
            os.abort()
        return super().handle(content, ask, deadline)


def serve(config: bytes, channel: Channel) -> None:
    channel.serve(b"", CrashingEngine(pickle.loads(config)).handle)
