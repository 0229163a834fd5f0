"""A console with cohorts and without a service, and a client that asks it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from console.cohort_files import write_cohort
from console.cohorts.console_server import console_server


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cohort of 60 sequences and three checkpoints."""
    return write_cohort(tmp_path_factory.mktemp("cohorts") / "payments")


@pytest.fixture(scope="session")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console that has this cohort, and others that a test writes beside it."""
    with console_server(folder.parent, tmp_path_factory.mktemp("state")) as address:
        yield address


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[httpx.Client]:
    """A client of the console."""
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client
