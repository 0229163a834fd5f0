"""What the repository needs of models from callers, wherever they run."""

from __future__ import annotations

from typing import Protocol, Self

from sequela.adapters.onnx.loader import ModelBytes
from sequela.concurrency.deadline import Deadline
from sequela.explain.limits import Limits
from sequela.explain.ports import LocalModel


class LoadedModel(LocalModel, Protocol):
    """A model that can be run."""

    @property
    def execution(self) -> str:
        """How the model is run, as a text for operators."""

    @property
    def size(self) -> int:
        """The bytes that it counts with in the cache."""

    def with_name(self, name: str) -> Self:
        """Returns the same model under another name."""

    def unload(self) -> None:
        """Frees what it holds outside this process. It may be called while requests still run the model."""


class ModelLoader(Protocol):
    """Loads models."""

    @property
    def limits(self) -> Limits:
        """The limits of models."""

    def load(self, name: str, source: ModelBytes, deadline: Deadline | None = None) -> LoadedModel:
        """Loads a model and tries it out, unless the deadline passes or is cancelled meanwhile.

        Raises InvalidInput, DoesNotFit, OutOfTime, Cancelled and Unavailable.
        """
