"""A server in this process with alerts in it. One in a process of its own would import everything once more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from console.filled_service import fill
from sequela_client.client import Sequela
from sequela_client.local_server import server_package
from serving import Serving, embedded

MODELS = server_package() / "demo" / "models"


@contextmanager
def demo_serving(**changed: Any) -> Iterator[str]:
    """Starts a server with the model of the demo, and yields its address."""
    with Serving(embedded(model_repository=MODELS, **changed)) as service:
        yield service.bound.grpc


@contextmanager
def filled_serving(accounts: Iterable[int] = ()) -> Iterator[str]:
    """The same, after it has explained the bundled alerts and those of some simulated accounts."""
    with demo_serving() as address:
        with Sequela(address) as sequela:
            fill(sequela, accounts)
        yield address
