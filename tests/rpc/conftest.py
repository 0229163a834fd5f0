"""A server for inference protocols."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from matrix import BY_NAME, ROOT
from rpc import inferring
from serving import Serving, embedded


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a few models of the matrix, each with a background called `usual`, and small limits of rows."""
    root = tmp_path_factory.mktemp("models")
    for name in inferring.MODELS:
        shutil.copytree(ROOT / name, root / name)
    limits = {"max_explained_rows": 8, "max_score_sequences": 16}
    with Serving(embedded(model_repository=root, **limits)) as running:
        for name in inferring.MODELS:
            inferring.create_background(running, BY_NAME[name])
        yield running
