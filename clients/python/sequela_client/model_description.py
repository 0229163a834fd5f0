"""Asks a server to describe a model. A file that the server does not know yet is uploaded."""

from __future__ import annotations

from pathlib import Path

from sequela_client.client import Sequela
from sequela_client.errors import UPLOADS_DISABLED, NotFound, SequelaError
from sequela_client.model_inputs.layout import Layout, layout_of, schema_layout
from sequela_client.models import ModelFile, choose, with_missing_file
from sequela_client.resources import Model


def layout(sequela: Sequela, model: str, schema: Path | None) -> Layout | None:
    """Finds the layout of a model. If the server does not know the file yet, it is uploaded.

    Returns:
        None if neither the server nor a schema describes the model.
    """
    chosen, found = choose(model), described(sequela, model)
    if found is not None:
        return layout_of(found)
    if isinstance(chosen, ModelFile):
        return schema_layout(chosen.schema)
    return schema_layout(schema) if schema else None


def described(sequela: Sequela, model: str) -> Model | None:
    """A model as the server describes it. A file that the server does not know yet is uploaded.

    Returns:
        None if the server has no description of it: it takes no uploads, or the model is behind an endpoint.
    """
    chosen = choose(model)
    if isinstance(chosen, ModelFile):
        return _of_file(sequela, model, chosen)
    if not chosen.name:
        return None
    try:
        return sequela.get_model(chosen.name)
    except NotFound as unknown:
        raise with_missing_file(unknown, chosen.name) from None


def _of_file(sequela: Sequela, model: str, chosen: ModelFile) -> Model | None:
    try:
        return sequela.get_model(f"models/{chosen.read().digest}")
    except NotFound:
        pass
    try:
        return sequela.register_model(model)
    except SequelaError as refused:
        # A server that refuses uploads gets the model with the request, so until then only the schema describes it.
        if refused.reason != UPLOADS_DISABLED:
            raise
        return None
