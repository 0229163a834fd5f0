"""Fixtures for all tests.

What only fixtures need is imported there: the process that hands tests out to others reads this file too.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

# As in the server. Otherwise the threads of the linear algebra would compete with those of the tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As in the service. All processes that tests start inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# So that no test writes to the store of whoever runs it, and servers do not share one.
os.environ["SEQUELA_STORE"] = "memory:"
if "SEQUELA_OUTBOX_FOLDER" not in os.environ:  # otherwise this process was started by one that has set it
    os.environ["SEQUELA_OUTBOX_FOLDER"] = tempfile.mkdtemp(prefix="sequela-outbox-")
    atexit.register(shutil.rmtree, os.environ["SEQUELA_OUTBOX_FOLDER"], ignore_errors=True)

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from serving import Serving

# There is no deadline, because machines may be busy. A failing example is printed, so that it can be repeated.
settings.register_profile("untimed", deadline=None, print_blob=True)
# `make test` tries fewer examples; `make test-all` tries as many as Hypothesis does by itself (`sweeps.examples`).
settings.register_profile("few", settings.get_profile("untimed"), max_examples=10)
settings.load_profile("untimed")
# Garbage collection would take a third of the time in which pytest collects the tests, and find nothing.
gc.disable()


def pytest_collection_finish() -> None:
    """Turns garbage collection on again, for objects that are made from now on."""
    gc.freeze()
    # Not every 700 new objects: tests make many, and nearly all of them are freed at once.
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _forkservers() -> None:
    """Keeps the processes that engines are forked from once a test has started them: their imports take long."""
    from sequela.engines.fork_client import TRUSTED, UNTRUSTED  # noqa: PLC0415

    for forkserver in (TRUSTED, UNTRUSTED):
        forkserver.acquire()


@pytest.fixture(scope="session", autouse=True)
def _one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Has clients of HTTP trust the first of certifi's 150 authorities only: reading all takes each client 30 ms, and
    tests call no server that they vouch for.
    """
    import certifi  # noqa: PLC0415

    end = "-----END CERTIFICATE-----\n"
    file = tmp_path_factory.mktemp("authority") / "one.pem"
    file.write_text(certifi.contents().partition(end)[0] + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(file))
        yield


@pytest.fixture(scope="session", autouse=True)
def _short_waits_of_uvicorn() -> Iterator[None]:
    """Has servers in this process end at once: uvicorn waits for a tenth of a second before, and tests end hundreds."""
    import asyncio  # noqa: PLC0415
    from types import SimpleNamespace  # noqa: PLC0415

    import uvicorn.server  # noqa: PLC0415

    def sleep(seconds: float) -> Coroutine[Any, Any, None]:
        return asyncio.sleep(seconds / 10)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
        yield


@pytest.fixture(scope="session", autouse=True)
def _plain_tracebacks() -> None:
    """Has the log of servers in this process print errors as Python does: a table of all variables takes 50 ms."""
    import structlog  # noqa: PLC0415

    for renderer in structlog.get_config()["processors"]:
        if isinstance(renderer, structlog.dev.ConsoleRenderer):
            renderer.exception_formatter = structlog.dev.plain_traceback


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server with the default settings of the tests. All tests share it, so they must not change its state."""
    from serving import Serving  # noqa: PLC0415

    with Serving() as running:
        yield running


@pytest.fixture(scope="session")
def real() -> Iterator[str]:
    """The address of a server in its own process, so that its log is not mixed with a command's output. All tests share
    it, so they must not change its state.
    """
    from sequela_client.local_server import embedded_server  # noqa: PLC0415

    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
            address = stack.enter_context(embedded_server())
        yield address


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a few models of the matrix, each with a background called `usual`, and low limits on rows."""
    from api import inference_calls  # noqa: PLC0415
    from matrix import BY_NAME, copy_models  # noqa: PLC0415
    from serving import Serving, embedded  # noqa: PLC0415

    root = copy_models(tmp_path_factory.mktemp("models"), inference_calls.MODELS)
    limits = {"max_explained_rows": 8, "max_score_sequences": 16}
    with Serving(embedded(model_repository=root, **limits)) as running:
        for name in inference_calls.MODELS:
            inference_calls.create_background(running, BY_NAME[name])
        yield running
