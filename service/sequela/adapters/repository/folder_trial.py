"""Tries out a model of the repository: loads it, and says whether it can be used."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import structlog

from sequela.adapters.repository.loaded_model import LoadedModel, ModelLoader
from sequela.adapters.repository.model_entry import ModelEntry
from sequela.adapters.repository.model_files import read_model
from sequela.adapters.repository.model_folders import readable_fingerprint
from sequela.engines.exits import GUILTY, EngineLost
from sequela.errors import SequelaError, Unavailable

RETRY_SECONDS = 30.0
"""After how many seconds a reading of the repository tries a model again if its failure may be temporary."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FolderTrial:
    """Loads models, and logs how that ends.

    Attributes:
        loader: Loads a model.
        engines: How many engines run the models; 0 if this process runs them.
    """

    loader: ModelLoader
    engines: int

    def run(self, entry: ModelEntry) -> ModelEntry:
        """Returns the entry with its model, READY, or FAILED with the reason."""
        name = entry.record.name
        try:
            source = read_model(entry.folder.path, self.loader.limits)
            model = self.loader.load(name, source, entry.deadline)
        except SequelaError as error:
            return self.fail(entry, error.message, _retry_seconds(error, entry))
        except OSError as error:
            return self.fail(entry, f"its files cannot be read: {error.strerror}", RETRY_SECONDS)
        except Exception as error:  # a bug that one model reveals must not stop the others
            _log.exception("model loading crashed", model=name)
            return self.fail(entry, f"loading it raised {type(error).__name__}; the log has the details")
        return self._accept(entry, model)

    def fail(self, entry: ModelEntry, detail: str, retry_seconds: float = math.inf) -> ModelEntry:
        """Returns the entry with the reason why its model cannot be used.

        Args:
            entry: The entry.
            detail: The reason.
            retry_seconds: When the same files may be usable; infinite for never.
        """
        _log.error("model failed to load", model=entry.record.name, detail=detail)
        return entry.failed(detail, time.monotonic() + retry_seconds)

    def _accept(self, entry: ModelEntry, model: LoadedModel) -> ModelEntry:
        _log.info(
            "model loaded",
            model=entry.record.name,
            digest=model.info.digest,
            execution=model.execution,
            engines=self.engines,
        )
        done = entry.ready(model)
        if not self.engines:
            return done
        # The engines load it by themselves.
        model.unload()
        return replace(done, model=None)


def _retry_seconds(error: SequelaError, entry: ModelEntry) -> float:
    """Returns after how many seconds to try again: soon if the model did not cause the error, otherwise never."""
    if isinstance(error, EngineLost):
        passing = error.exit.reason not in GUILTY
    else:
        # A volume that is away for a moment comes back with the same files.
        passing = isinstance(error, Unavailable) or readable_fingerprint(entry.folder) != entry.fingerprint
    return RETRY_SECONDS if passing else math.inf
