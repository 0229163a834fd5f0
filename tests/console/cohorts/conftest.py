"""A console with cohorts, and a client that asks it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from pathlib import Path

import httpx
import pytest
from console.cohort_files import read_rows, write_cohort, write_rows
from console.running_console import running_console
from serving import Serving


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cohort of 60 sequences and three checkpoints."""
    return write_cohort(tmp_path_factory.mktemp("cohorts") / "payments")


@pytest.fixture(scope="session")
def pruned(folder: Path) -> Path:
    """A cohort with two variants "a" and "b", of which only "a" has every third sequence; some events are pruned."""
    rows = []
    for row in read_rows(folder):
        variant = {"1": "a", "200": "b"}.get(row["checkpoint"])
        if row["status"] == "explained" and (variant == "a" or (variant == "b" and row["row"] % 3)):
            rows.append({**row, "variant": variant, "checkpoint": variant})
    for row in rows:
        if row["length"] > 4 and row["row"] % 2:
            row["pruned_events"] = row["length"] - 4
            row["events"], row["event_values"] = row["events"][:4], row["event_values"][:4]
            row["pruning"] |= {"value": 0.01, "standard_error": 0.0, "verdict": "within"}
    return write_rows(folder.parent / "pruned", rows)


@pytest.fixture(scope="session")
def linked(folder: Path) -> Path:
    """The same cohort as if it was explained with link=logit: `score` is a log-odds, and `raw_score` a probability."""
    rows = read_rows(folder)
    for row in rows:
        if row["status"] == "explained":
            probability = min(0.99, max(0.01, row["raw_score"]))
            row |= {"raw_score": probability, "score": log(probability / (1 - probability))}
    return write_rows(folder.parent / "linked", rows)


# Not for the session: its index goes on asking the server, whose log other tests would find in their output.
@pytest.fixture(scope="module")
def console_address(
    server: Serving, folder: Path, pruned: Path, linked: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a console that has these cohorts, and one that cannot be read."""
    broken = folder.parent / "broken"
    broken.mkdir(exist_ok=True)
    cohorts = {each.name: each for each in (folder, pruned, linked, broken)}
    with running_console(server.bound.grpc, tmp_path_factory.mktemp("state"), cohorts=cohorts) as console:
        yield console.url


@pytest.fixture(scope="module")
def client(console_address: str) -> Iterator[httpx.Client]:
    """A client of the console."""
    with httpx.Client(base_url=console_address, timeout=60) as client:
        yield client
