"""The question of a bulk explanation. It can be pickled, so that other processes and machines can work on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from sequela_client.errors import CallerError
from sequela_client.inputs import BackgroundLike
from sequela_client.models import Endpoint, ModelLike
from sequela_client.option_messages import options_message
from sequela_client.requests import background_reference

PLACEHOLDER = "{checkpoint}"
"""The part of a model's name that is replaced by the name of a checkpoint."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of several explanations of the same sequence. None stands for what is not varied."""

    checkpoint: str | None = None
    tolerance: float | None = None
    seed: int | None = None

    @property
    def name(self) -> str:
        """The name, such as "checkpoint=200,seed=3"; empty if nothing is varied."""
        parts = {"checkpoint": self.checkpoint, "pruning_tolerance": self.tolerance, "seed": self.seed}
        return ",".join(f"{key}={_text(value)}" for key, value in parts.items() if value is not None)


def _text(value: str | float) -> str:
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


@dataclass(frozen=True, slots=True, eq=False)
class BulkQuestion:
    """Everything that a bulk explanation depends on, except the data and the servers.

    Args:
        model: a model as in `Sequela.explain`; "{checkpoint}" in it is replaced by each checkpoint.
        background: the background as in `Sequela.explain`, or the Path of a file with its values.
        target: the output to explain, by name or column number; needed if the model has several.
        options: options of `Sequela.explain` except `targets`. `pruning_tolerance` and `seed` hold for all variants,
            unless `tolerances` or `seeds` are given.
        entity: the column whose value is the same for all events of a sequence: the input has one row for each event.
            None: the input has one row for each sequence.
        time: the column with the times of the events.
        id: the column with the ids, if there is one row for each sequence; None: rows are numbered from 0.
        labels: columns that become labels. If a column has a value for each event, the latest one is taken.
        columns: the columns that the model takes, in its order; empty: they are found by the names of its features.
        checkpoints: checkpoints of the model; every sequence is explained with each of them.
        checkpoint_column: the column with each sequence's own checkpoint.
        seeds: seeds of the sampling; every sequence is explained with each of them.
        tolerances: pruning tolerances; every sequence is explained with each of them.
        first_positive: explain each sequence at its first prediction above this raw score, and leave out those that
            have none.
        timeout: how long each sequence may take, in seconds. After that, its best answer so far is taken.
        schema: the path of the schema.json of a model behind an endpoint.
        decimal: the decimal mark of numbers that are texts, "." or ","; None: ".".
        encoding: the encoding of CSV files, such as "cp1252"; None: UTF-8.
    """

    model: str
    background: BackgroundLike | Path = None
    target: str | int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    entity: str | None = None
    time: str | None = None
    id: str | None = None
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    checkpoint_column: str | None = None
    seeds: tuple[int, ...] = ()
    tolerances: tuple[float, ...] = ()
    first_positive: float | None = None
    timeout: float = 60.0
    schema: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Raises CallerError if the arguments contradict each other."""
        if problem := next(filter(None, self._problems()), None):
            raise CallerError(problem, reason="ARGUMENT_INVALID")
        options_message(self.options)

    def _problems(self) -> tuple[str, ...]:
        varied = bool(self.checkpoints or self.checkpoint_column)
        return (
            "options: must not contain targets; use the argument target" if "targets" in self.options else "",
            "checkpoints and checkpoint_column: only one of them can be given"
            if self.checkpoints and self.checkpoint_column
            else "",
            f"model: {self.model} must contain {PLACEHOLDER}, which is replaced by each checkpoint"
            if varied and PLACEHOLDER not in str(self.model)
            else "",
            f"model: {self.model} contains {PLACEHOLDER}; name checkpoints (--checkpoint) or their column "
            "(--checkpoint-column)"
            if not varied and PLACEHOLDER in str(self.model)
            else "",
            "seed and seeds: only one of them can be given" if self.seeds and "seed" in self.options else "",
            "entity and id: only one of them can be given; the entity is the id of a sequence"
            if self.entity and self.id
            else "",
            self._not_a_list(),
            self._repeated(),
            f"decimal: must be '.' or ',', not {self.decimal!r}"
            if self.decimal not in (None, ".", ",")
            else "",
            f"timeout: {self.timeout:g} is not a positive number of seconds" if self.timeout <= 0 else "",
        )

    def _not_a_list(self) -> str:
        for name in ("labels", "columns", "checkpoints"):
            if isinstance(given := getattr(self, name), str):
                return f"{name}: must be a tuple of names, not {given!r}; write ({given!r},)"
        return ""

    def _repeated(self) -> str:
        given = {"checkpoints": self.checkpoints, "seeds": self.seeds, "tolerances": self.tolerances}
        for name, values in given.items():
            if twice := [each for each in values if values.count(each) > 1]:
                return f"{name}: {twice[0]} is given more than once; each makes a row of its own, so name it once"
        return ""

    @property
    def variants(self) -> tuple[Variant, ...]:
        """All variants of a sequence, in the order of their rows."""
        # The order of rows in the files follows from this order, and must not change between runs.
        grid = product(self.checkpoints or (None,), self.tolerances or (None,), self.seeds or (None,))
        return tuple(Variant(*each) for each in grid)

    @property
    def id_column(self) -> str | None:
        """The column with the ids of the sequences."""
        return self.entity or self.id

    def model_name(self, checkpoint: str | None) -> str:
        """Returns the path, name or URI of the model of a checkpoint."""
        return self.model if checkpoint is None else self.model.replace(PLACEHOLDER, checkpoint)

    def model_of(self, checkpoint: str | None) -> ModelLike:
        """Returns the model of a checkpoint as an argument of the client."""
        name = self.model_name(checkpoint)
        return Endpoint(name, schema=self.schema) if self.schema else name

    def options_of(self, variant: Variant) -> dict[str, Any]:
        """Returns the options of `Sequela.explain` for a variant."""
        varied = {"pruning_tolerance": variant.tolerance, "seed": variant.seed}
        given = {**self.options, **{name: value for name, value in varied.items() if value is not None}}
        return given if self.target is None else {**given, "targets": (self.target,)}

    def record(self) -> dict[str, Any]:
        """Returns the question as JSON values. Questions with the same record have the same answers."""
        fields = {**asdict(self.without_background), "options": dict(sorted(self.options.items()))}
        return {**_plain(fields), "background": _background(self.background)}

    @property
    def without_background(self) -> BulkQuestion:
        """The same question about the model's own background."""
        return BulkQuestion(**{name: getattr(self, name) for name in self.__slots__ if name != "background"})


def _background(given: BackgroundLike | Path) -> str | None:
    """Returns the name of a background, or the digest of its values."""
    if isinstance(given, Path):
        return str(given)
    reference = background_reference(given)
    if reference is None or reference.name:
        return reference.name if reference else None
    return "sha256:" + hashlib.sha256(reference.values.SerializeToString(deterministic=True)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
