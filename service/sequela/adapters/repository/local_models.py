"""The operator's models: `<root>/<name>/<version>/model.onnx`, an optional `schema.json` beside it.

They are loaded in the background; one that fails keeps its reason and stops no other.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.external_weights import read_whole
from sequela.adapters.repository.model_folders import ENDPOINT_FILE, ONNX_FILE, SCHEMA_FILE, ModelFolder
from sequela.errors import InvalidInput, SequelaError
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.names import ModelName

_log = structlog.get_logger(__name__)


class LocalModels:
    """Their records by name. `start` begins loading in a thread of its own; `wait` waits for its end."""

    def __init__(self, folders: Sequence[ModelFolder], loader: Loader) -> None:
        self._loader = loader
        self._folders = folders
        self._lock = threading.Lock()
        self._records = {folder.name: _loading(folder.name) for folder in self._folders}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._load_all, name="load-models", daemon=True)

    def start(self) -> None:
        """Begins loading."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until every model is loaded or has failed."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """Loads no further model."""
        self._stopping.set()

    def ready(self) -> bool:
        """Whether every model is loaded; one that failed keeps the server from being ready."""
        return all(record.state is ModelState.READY for record in self.records().values())

    def records(self) -> dict[ModelName, ModelRecord]:
        """All of them as they stand now."""
        with self._lock:
            return dict(self._records)

    def by_digest(self, digest: str) -> OnnxModel | None:
        """A loaded model with this content."""
        models = (record.model for record in self.records().values() if record.digest == digest)
        return next((model for model in models if isinstance(model, OnnxModel)), None)

    def _load_all(self) -> None:
        for folder in self._folders:
            if self._stopping.is_set():
                return
            record = self._load(folder)
            with self._lock:
                self._records[folder.name] = record

    def _load(self, folder: ModelFolder) -> ModelRecord:
        loading = _loading(folder.name)
        try:
            model = self._loader.load(folder.name.full, _read(folder, self._loader.limits.max_model_bytes))
        except SequelaError as error:
            return _failed(loading, error.message)
        except OSError as error:
            return _failed(loading, f"cannot be read: {error.strerror}")
        except Exception as error:  # whatever one model does, the others are loaded
            _log.exception("model_load_crashed", model=folder.name.full)
            return _failed(loading, f"{type(error).__name__} while it was loaded")
        return replace(
            loading,
            state=ModelState.READY,
            digest=model.info.digest,
            execution=model.execution,
            model=model,
        )


def _read(folder: ModelFolder, most_bytes: int) -> ModelBytes:
    """The files' bytes, the model in one piece.

    Raises OSError, what `read_whole` raises, and InvalidInput where the folder says as well that it is served
    elsewhere.
    """
    onnx, schema = folder.path / ONNX_FILE, folder.path / SCHEMA_FILE
    place = f"{folder.name.model}/{folder.name.version}"
    if not onnx.exists() and not (folder.path / ENDPOINT_FILE).exists():
        text = f"holds neither {ONNX_FILE} nor {ENDPOINT_FILE}"
        raise InvalidInput.at(place, "MODEL_MISSING", text)
    if (folder.path / ENDPOINT_FILE).exists():
        text = f"{ONNX_FILE} and {ENDPOINT_FILE} lie side by side; one of them must go"
        raise InvalidInput.at(place, "MODEL_AMBIGUOUS", text)
    return ModelBytes(
        onnx=read_whole(onnx, most_bytes, f"{place}/{ONNX_FILE}"),
        schema_json=schema.read_bytes() if schema.exists() else b"",
        onnx_path=f"{place}/{ONNX_FILE}",
        schema_path=f"{place}/{SCHEMA_FILE}",
    )


def _loading(name: ModelName) -> ModelRecord:
    return ModelRecord(name.full, "", ModelSource.REPOSITORY, ModelState.LOADING, datetime.now(UTC))


def _failed(loading: ModelRecord, detail: str) -> ModelRecord:
    _log.error("model_failed", model=loading.name, detail=detail)
    return replace(loading, state=ModelState.FAILED, detail=detail)
