"""The training accounts of the demo's model, drawn once, and a client of the tests' server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray
from sequela_client import Sequela
from serving import Serving, embedded

from models.account_takeover.simulate import Account, accounts

TRAINING_SEED, TAKEOVER_SHARE, COUNT = 1, 0.25, 12_000  # the defaults of `make models`


@pytest.fixture(scope="session")
def bank() -> list[Account]:
    """The training accounts."""
    return list(islice(accounts(TRAINING_SEED, TAKEOVER_SHARE), COUNT))


@pytest.fixture(scope="session")
def some() -> list[Account]:
    """The first three hundred of them."""
    return list(islice(accounts(TRAINING_SEED, TAKEOVER_SHARE), 300))


@pytest.fixture(scope="session")
def bank_numeric(bank: list[Account]) -> NDArray[np.float32]:
    """The numeric inputs of all their events, (events, 9)."""
    return np.concatenate([account.numeric() for account in bank])


@pytest.fixture(scope="session")
def bank_categorical(bank: list[Account]) -> NDArray[np.int64]:
    """The categorical inputs of all their events, (events, 8)."""
    return np.concatenate([account.categorical() for account in bank])


@pytest.fixture(scope="session")
def sequela() -> Iterator[Sequela]:
    """A client of a server that runs the model itself."""
    with Serving(embedded(upload_engines=0)) as server, Sequela(server.bound.grpc) as client:
        yield client
