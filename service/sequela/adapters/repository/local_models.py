"""The operator's models that run in this process: `<root>/<name>/<version>/model.onnx`, with an optional `schema.json`.

They are loaded in the background. A model that fails to load keeps the reason, and does not affect the others.
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
    """Loads the models of some folders, and keeps their records by name."""

    def __init__(self, folders: Sequence[ModelFolder], loader: Loader) -> None:
        self._loader = loader
        self._folders = folders
        self._lock = threading.Lock()
        self._records = {folder.name: _loading_record(folder.name) for folder in self._folders}
        self._models: dict[str, OnnxModel] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._load_all, name="load-models", daemon=True)

    def start(self) -> None:
        """Starts loading, in a thread."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until every model is loaded or has failed, but not longer than `seconds`."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """Stops after the model that is being loaded."""
        self._stopping.set()

    def ready(self) -> bool:
        """Returns whether every model is loaded. A model that failed keeps the server from being ready."""
        return all(record.state is ModelState.READY for record in self.records().values())

    def records(self) -> dict[ModelName, ModelRecord]:
        """Returns the records in their present state."""
        with self._lock:
            return dict(self._records)

    def by_digest(self, digest: str) -> OnnxModel | None:
        """Returns a loaded model with this digest, or None."""
        models = (self.by_name(record.name) for record in self.records().values() if record.digest == digest)
        return next((model for model in models if model), None)

    def by_name(self, name: str) -> OnnxModel | None:
        """Returns the loaded model with this name, `models/m/versions/v`, or None."""
        with self._lock:
            return self._models.get(name)

    def _load_all(self) -> None:
        for folder in self._folders:
            # Loading a model cannot be interrupted, so the request to stop is noticed between two models.
            if self._stopping.is_set():
                return
            record = self._load(folder)
            with self._lock:
                self._records[folder.name] = record

    def _load(self, folder: ModelFolder) -> ModelRecord:
        loading = _loading_record(folder.name)
        try:
            model = self._loader.load(folder.name.full, _read(folder, self._loader.limits.max_model_bytes))
        except SequelaError as error:
            return _failed_record(loading, error.message)
        except OSError as error:
            return _failed_record(loading, f"its files cannot be read: {error.strerror}")
        except Exception as error:  # a bug that one model reveals must not stop the others
            _log.exception("model loading crashed", model=folder.name.full)
            return _failed_record(
                loading, f"loading it raised {type(error).__name__}; the log has the details"
            )
        with self._lock:
            self._models[model.info.name] = model
        return replace(
            loading,
            state=ModelState.READY,
            digest=model.info.digest,
            execution=model.execution,
            info=model.info,
        )


def _read(folder: ModelFolder, max_bytes: int) -> ModelBytes:
    """Returns the files of a model, with its weights put into the ONNX file.

    Raises:
        OSError: A file cannot be read.
        InvalidInput: MODEL_MISSING or MODEL_AMBIGUOUS, and what `read_whole` raises.
    """
    onnx, schema = folder.path / ONNX_FILE, folder.path / SCHEMA_FILE
    place = f"{folder.name.model}/{folder.name.version}"
    if not onnx.exists() and not (folder.path / ENDPOINT_FILE).exists():
        text = f"contains neither {ONNX_FILE} nor {ENDPOINT_FILE}; add one of them"
        raise InvalidInput.at(place, "MODEL_MISSING", text)
    if (folder.path / ENDPOINT_FILE).exists():
        text = f"contains both {ONNX_FILE} and {ENDPOINT_FILE}; remove one of them"
        raise InvalidInput.at(place, "MODEL_AMBIGUOUS", text)
    return ModelBytes(
        onnx=read_whole(onnx, max_bytes, f"{place}/{ONNX_FILE}"),
        schema_json=schema.read_bytes() if schema.exists() else b"",
        onnx_path=f"{place}/{ONNX_FILE}",
        schema_path=f"{place}/{SCHEMA_FILE}",
    )


def _loading_record(name: ModelName) -> ModelRecord:
    return ModelRecord(name.full, "", ModelSource.REPOSITORY, ModelState.LOADING, datetime.now(UTC))


def _failed_record(loading: ModelRecord, detail: str) -> ModelRecord:
    _log.error("model failed to load", model=loading.name, detail=detail)
    return replace(loading, state=ModelState.FAILED, detail=detail)
