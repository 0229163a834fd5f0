"""Replicas of the model repository, small models for them, and faults that they must bear."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from matrix import BY_NAME
from sequela.adapters.endpoints.registry import EndpointRules, Switchboard
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.models import ModelRepository
from sequela.adapters.repository.operator_models import OperatorsModels
from sequela.adapters.repository.uploaded_models import UploadedModels
from sequela.adapters.store.key_value import KeyValue, StoreDown
from sequela.adapters.store.memory import MemoryKeyValue
from sequela.explain.ports import Observers
from small_onnx import FLOAT, scoring

GRU = BY_NAME["gru"].path.read_bytes()
SCHEMA = BY_NAME["one_hot"].path.with_name("schema.json").read_bytes()
ONE_HOT = BY_NAME["one_hot"].path.read_bytes()


def small(width: int) -> bytes:
    """A model that is told apart by its number of columns."""
    return scoring({"x": (FLOAT, ["n", "l", width])})


def width(model: object) -> int:
    assert isinstance(model, OnnxModel)
    return model.info.schema.inputs[0].width


def operators_models(root: Path | None = None) -> OperatorsModels:
    """What the operator configured, loaded or failed."""
    loader = Loader()
    configured = OperatorsModels.in_folder(
        root, loader, Switchboard(EndpointRules(), loader.limits, Observers([]))
    )
    configured.start()
    configured.wait()
    return configured


def repository(
    root: Path | None = None,
    store: KeyValue | None = None,
    cache: ModelCache | None = None,
    loader: Loader | None = None,
    uploads_allowed: bool = True,
) -> ModelRepository:
    """A replica; its configured models are loaded already."""
    loading = loader or Loader()
    switchboard = Switchboard(EndpointRules(), loading.limits, Observers([]))
    configured = OperatorsModels.in_folder(root, loading, switchboard)
    configured.start()
    configured.wait()
    return ModelRepository(
        configured,
        UploadedModels(store or MemoryKeyValue()),
        cache or ModelCache(Observers([])),
        loading,
        switchboard,
        uploads_allowed,
    )


def put(root: Path, name: str, version: str, onnx: bytes, schema: bytes = b"") -> None:
    folder = root / name / version
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx)
    if schema:
        (folder / "schema.json").write_bytes(schema)


class SlowLoader(Loader):
    """A loader that waits until it is let go, and counts what it loads."""

    calls: list[str]
    go: threading.Event

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "go", threading.Event())
        object.__setattr__(self, "calls", [])

    def load(self, name: str, source: ModelBytes) -> OnnxModel:
        self.calls.append(name)
        assert self.go.wait(30)
        return super().load(name, source)


class Broken:
    """A store that has gone down."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        def down(*_: object) -> object:
            raise StoreDown("test")

        return down


class Switched:
    """A store that a test can take down."""

    def __init__(self) -> None:
        self.store: object = MemoryKeyValue()

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)
