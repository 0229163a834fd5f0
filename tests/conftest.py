"""Fixtures for all tests."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack

# As the server does: the linear algebra's own threads would fight the tests' for the processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As the service does. Inherited by everything that tests start.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest
from api import inference_calls
from hypothesis import settings
from matrix import BY_NAME, ROOT
from sequela_client.local_server import embedded_server
from serving import Serving, embedded

# No test is timed: these machines are noisy. What fails is printed so that it can be run again.
settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")
# Looking for garbage takes a third of the time of the collection, whose objects all stay.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is looked for, among what is made from here on."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server with its embedded defaults; leave it as you found it."""
    with Serving() as running:
        yield running


@pytest.fixture(scope="session")
def real() -> Iterator[str]:
    """The address of a server in a process of its own, so that its log stays out of a command's output; leave it as
    you found it.
    """
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
            address = stack.enter_context(embedded_server())
        yield address


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
