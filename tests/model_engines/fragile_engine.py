"""An engine for models that ends when it loads a file with the word ABORT in it, as some files make onnxruntime do."""

from __future__ import annotations

import os
import pickle

from sequela.adapters.onnx.loader import Loader
from sequela.adapters.upload_engines.entry import LoadedModelEngine, UploadEngineConfig
from sequela.adapters.upload_engines.model_tasks import ModelTask
from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel


class FragileEngine(LoadedModelEngine):
    """Aborts while it loads such a file."""

    def handle(self, content: bytes, ask: Ask, deadline: Deadline) -> bytes:
        task: ModelTask = pickle.loads(content)
        if task.source and b"ABORT" in task.source.onnx:
            os.abort()
        return super().handle(content, ask, deadline)


def serve(config: bytes, channel: Channel) -> None:
    given: UploadEngineConfig = pickle.loads(config)
    channel.serve(b"", FragileEngine(Loader(given.limits)).handle)
