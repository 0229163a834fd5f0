"""The columns of CSV files, put in a model's order by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sequela_client.client import Sequela
from sequela_client.errors import UPLOADS_DISABLED, CallerError, NotFound, SequelaError
from sequela_client.files import column_names
from sequela_client.inputs import Values
from sequela_client.models import ModelFile, choose
from sequela_client.resources import Model


def in_order(sequela: Sequela, model: str, path: Path, values: Values) -> Values:
    """A file's values with the columns as the model takes them; as they are where the file names none.

    A model that the server cannot describe (at an endpoint, or sent along with the question) has its columns
    taken in the file's order. Raises CallerError where the names are not those of the model's features.
    """
    header = column_names(path)
    described = _described(sequela, model) if header else None
    if described is None:
        return values
    order = _order(path, header, _features(described))
    return np.asarray(values)[:, order]


def _order(path: Path, header: Sequence[str], features: Sequence[str]) -> list[int]:
    """Which column each feature is in."""
    if sorted(header) == sorted(features):
        return [header.index(name) for name in features]
    # Names that nobody gave say nothing about the columns.
    if all(name == f"f{column}" for column, name in enumerate(features)):
        return list(range(len(header)))
    raise CallerError(
        f"{path.name}: columns {', '.join(header)}; the model's features are {', '.join(features)}",
        reason="COLUMNS_DIFFER",
    )


def _features(model: Model) -> list[str]:
    """One name for each column; none where a model has several inputs or features of several columns."""
    widths = [each.width for each in model.inputs if each.role in ("events", "static")]
    names = [feature.name for feature in model.features]
    return names if widths == [len(names)] else []


def _described(sequela: Sequela, model: str) -> Model | None:
    """What the server says of the model; a file that it does not know yet is registered."""
    chosen = choose(model)
    if not isinstance(chosen, ModelFile):
        return sequela.get_model(chosen.name) if chosen.name else None
    try:
        return sequela.get_model(f"models/{chosen.read().digest}")
    except NotFound:
        return _registered(sequela, model)


def _registered(sequela: Sequela, model: str) -> Model | None:
    try:
        return sequela.register_model(model)
    except SequelaError as refused:
        if refused.reason != UPLOADS_DISABLED:
            raise
        return None
