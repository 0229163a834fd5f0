"""Fixtures for all tests."""

import os
import shutil
from collections.abc import Iterator

# As the server does: the linear algebra's own threads would fight the tests' for the processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As the service does. Inherited by everything that tests start.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest
from api import inference_calls
from hypothesis import settings
from matrix import BY_NAME, ROOT
from serving import Serving, embedded

# No test is timed: these machines are noisy. What fails is printed so that it can be run again.
settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server with its embedded defaults; leave it as you found it."""
    with Serving() as running:
        yield running


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a few models of the matrix, each with a background called `usual`, and small limits of rows."""
    root = tmp_path_factory.mktemp("models")
    for name in inference_calls.MODELS:
        shutil.copytree(ROOT / name, root / name)
    limits = {"max_explained_rows": 8, "max_score_sequences": 16}
    with Serving(embedded(model_repository=root, **limits)) as running:
        for name in inference_calls.MODELS:
            inference_calls.create_background(running, BY_NAME[name])
        yield running
