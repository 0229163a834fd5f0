"""Replicas of the model repository, small models for them, and faults that they must survive."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import cast

from matrix import BY_NAME
from sequela.adapters.endpoints.registry import EndpointRegistry, EndpointRules
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.model_repository import ModelRepository
from sequela.adapters.repository.operator_models import OperatorModels
from sequela.adapters.repository.uploads import Uploads
from sequela.adapters.store.ports import Index, KeyValue, Store, StoreDown
from sequela.adapters.store.sqlite.store import memory_store
from sequela.concurrency.deadline import Deadline
from sequela.explain.ports import Observer, Observers
from small_onnx import FLOAT, scoring

GRU = BY_NAME["gru"].path.read_bytes()
SCHEMA = BY_NAME["one_hot"].path.with_name("schema.json").read_bytes()
ONE_HOT = BY_NAME["one_hot"].path.read_bytes()


def small(width: int) -> bytes:
    """Returns a model that is recognised by its number of columns."""
    return scoring({"x": (FLOAT, ["n", "l", width])})


def width(model: object) -> int:
    assert isinstance(model, OnnxModel)
    return model.info.schema.inputs[0].width


def operators_models(root: Path | None = None) -> OperatorModels:
    """Returns the models that the operator configured, loaded or failed."""
    loader = Loader()
    configured = OperatorModels.in_folder(
        root, loader, EndpointRegistry(EndpointRules(), loader.limits, Observers([]))
    )
    configured.start()
    configured.wait()
    return configured


def repository(
    root: Path | None = None,
    store: Store | None = None,
    cache: ModelCache | None = None,
    loader: Loader | None = None,
    uploads_allowed: bool = True,
    observer: Observer | None = None,
) -> ModelRepository:
    """Returns a replica whose configured models are loaded already."""
    loading = loader or Loader()
    endpoint_registry = EndpointRegistry(EndpointRules(), loading.limits, Observers([]))
    configured = OperatorModels.in_folder(root, loading, endpoint_registry)
    configured.start()
    configured.wait()
    return ModelRepository(
        configured,
        Uploads(store or memory_store(), observer or Observers([])),
        cache or ModelCache(Observers([])),
        loading,
        endpoint_registry,
        uploads_allowed,
    )


def put(root: Path, name: str, version: str, onnx: bytes, schema: bytes = b"") -> None:
    folder = root / name / version
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx)
    if schema:
        (folder / "schema.json").write_bytes(schema)


class SlowLoader(Loader):
    """A loader that waits until the test releases it, and counts what it loads."""

    calls: list[str]
    go: threading.Event

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "go", threading.Event())
        object.__setattr__(self, "calls", [])

    def load(self, name: str, source: ModelBytes, deadline: Deadline | None = None) -> OnnxModel:
        self.calls.append(name)
        assert self.go.wait(30)
        return super().load(name, source, deadline)


class Breakable:
    """A backend that a test can take down. Then every call raises StoreDown."""

    def __init__(self, backend: object) -> None:
        self.down = False
        self._backend = backend

    def __getattr__(self, name: str) -> object:
        if self.down:
            raise StoreDown("test")
        return getattr(self._backend, name)


class BreakableStore:
    """A store in the process that a test can take down."""

    def __init__(self) -> None:
        whole = memory_store()
        self._backends = (Breakable(whole.values), Breakable(whole.index))
        self.store = dataclasses.replace(
            whole, values=cast(KeyValue, self._backends[0]), index=cast(Index, self._backends[1])
        )

    def set_down(self, down: bool) -> None:
        for backend in self._backends:
            backend.down = down
