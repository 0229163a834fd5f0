"""CDNOW's purchases, the histories that the model is measured on, and a client of the tests' server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sequela_client import Sequela
from serving import Serving

from models.churn.histories import History, Split, histories, split_customers
from models.churn.purchases import FILE, FOLDER, Purchases, read_purchases


@pytest.fixture(scope="session")
def purchases() -> Purchases:
    """All purchases."""
    if not (FOLDER / FILE).is_file():
        pytest.skip(f"no purchases in {FOLDER.name} (make setup)")
    return read_purchases()


@pytest.fixture(scope="session")
def held_out(purchases: Purchases) -> list[History]:
    """The histories of the test customers at the end of 1997."""
    splits = split_customers(purchases)
    return [row for row in histories(purchases, "1997-12") if splits[row.customer] is Split.TEST]


@pytest.fixture(scope="session")
def sequela(server: Serving) -> Iterator[Sequela]:
    """A client of the server."""
    with Sequela(server.bound.grpc) as client:
        yield client
