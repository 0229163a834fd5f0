"""A server with the model of account takeovers and many explanations in it, for tests, screenshots and development.

    cd tests && python -m console.filled_service --alerts 300

starts it and prints its address; it runs until it is interrupted. `sequela console --server ADDRESS` shows it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

from sequela_client.client import Sequela
from sequela_client.files import read_sequence
from sequela_client.inputs import EventInfo, Sequence
from sequela_client.local_server import embedded_server, server_package

from models.account_takeover.simulate import Account, draw_account

MODEL = "account_takeover"
THRESHOLD = "0.8465"
_SEED = 77
_TAKEOVER_SHARE = 0.5
_COUNTRIES = ("PT", "ES", "FR", "DE")


@contextmanager
def filled_service(alerts: int = 40, arguments: Iterable[str] = ()) -> Iterator[str]:
    """Starts a server, has it explain the bundled alerts and some simulated ones, and yields its address.

    Args:
        alerts: how many simulated sequences are explained, besides the four bundled ones.
        arguments: further arguments of the server.
    """
    models = server_package() / "demo" / "models"
    with embedded_server(["--model-repository", str(models), *arguments]) as address:
        with Sequela(address) as sequela:
            fill(sequela, range(alerts))
        yield address


def fill(sequela: Sequela, accounts: Iterable[int]) -> None:
    """Has a server explain the bundled alerts and those of these simulated accounts."""
    simulated = map(simulated_sequence, accounts)
    # Coarse numbers do for a list, and take a tenth of the time.
    for outcome in sequela.explain_many(simulated, model=MODEL, target_standard_error=0.02):
        outcome.unwrap()
    for file in bundled_alerts():
        sequela.explain(read_sequence(file), model=MODEL)


def bundled_alerts() -> list[Path]:
    """The files of the alerts that come with the service."""
    return sorted((server_package() / "demo" / "alerts").glob("*.json"))


def simulated_sequence(index: int) -> Sequence:
    """The history of a simulated account, with times and ids of its events, and labels."""
    account = draw_account(_SEED, index, _TAKEOVER_SHARE)
    events = tuple(
        EventInfo(id=f"event-{place + 1:04d}", time=time.astype("datetime64[us]").item().replace(tzinfo=UTC))
        for place, time in enumerate(account.history.times)
    )
    inputs = {"numeric": account.numeric(), "categorical": account.categorical()}
    return Sequence(inputs, events, f"simulated-{index:05d}", _labels(account, index))


def _labels(account: Account, index: int) -> dict[str, str]:
    labels = {"account": account.id, "country": _COUNTRIES[index % len(_COUNTRIES)]}
    # Some have a threshold of their own, and some fall back on that of the console.
    return labels if index % 5 == 0 else {**labels, "threshold": THRESHOLD}


def main() -> None:
    """Runs a filled server until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--alerts", type=int, default=300, help="how many simulated sequences")
    with filled_service(parser.parse_args().alerts) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
