"""Explains alerts of a fraud system as they arrive, and never makes an alert wait for its explanation.

Each alert goes to the analysts within its deadline: with the reasons for its score, or, if these are not there in time,
with the score alone. What is missing is explained afterwards, with more time.

    $ sequela serve --model-repository service/sequela/demo/models
    $ python examples/fraud_scoring.py service/sequela/demo/alerts/*.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sequela_client import (
    AsyncSequela,
    DeadlineExceeded,
    EventInfo,
    Explanation,
    SequelaError,
    Sequence,
    TryAgain,
)
from sequela_client.priority import Priority

MODEL = "account_takeover"
# How long the analysts may wait for an alert because of its reasons, in seconds.
DEADLINE_SECONDS = 0.5
# How long an explanation may take that nobody waits for.
LATER_SECONDS = 60.0
# How many alerts are explained at a time. Further ones wait here, not in the queue of the server.
AT_A_TIME = 8
# The scores of the demo's alerts, which a scoring engine would send with them.
SCORES = {"false-alert": 0.9445, "takeover-20": 0.9949, "takeover-286": 0.9897, "takeover-47": 0.9983}

log = logging.getLogger("fraud_scoring")


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that the model has scored, with the history of its account.

    Args:
        id: The id of its alert.
        score: What the scoring engine computed.
        inputs: What the model was given, as arrays by the name of the input.
        events: Times and raw values of the history. Reasons quote them as they are; without them, values are computed
            back from what the model was given, and may differ in their last digits.
    """

    id: str
    score: float
    inputs: dict[str, Any]
    events: tuple[EventInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """What the analysts get: the score, and the reasons for it unless they are missing."""

    id: str
    score: float
    reasons: tuple[str, ...] = ()
    explanation: str = ""


async def alert_for(
    sequela: AsyncSequela, payment: Payment, seconds: float, priority: Priority = "interactive"
) -> Alert:
    """Returns the alert for a payment within so many seconds, with or without reasons."""
    try:
        sequence = Sequence(payment.inputs, payment.events, id=payment.id)
        found = await sequela.explain(sequence, model=MODEL, timeout=seconds, priority=priority)
    except (TryAgain, DeadlineExceeded) as error:
        # The server is busy or gone. That is nobody's mistake, and a later attempt may succeed.
        log.warning("%s goes out without reasons: %s", payment.id, error.reason)
    except SequelaError as error:
        # Somebody has to act: the message says who and what. The alert does not wait for that.
        log.error("%s cannot be explained: %s: %s", payment.id, error.reason, error)
    else:
        return explained(payment, found)
    return Alert(payment.id, payment.score)


def explained(payment: Payment, found: Explanation) -> Alert:
    """The alert with its reasons, and the name under which the whole explanation is stored."""
    return Alert(payment.id, payment.score, tuple(reason.text for reason in found.reasons), found.name)


async def send_alerts(sequela: AsyncSequela, payments: Iterable[Payment]) -> list[Payment]:
    """Sends an alert for each payment, and returns the payments whose reasons are still missing."""
    places = asyncio.Semaphore(AT_A_TIME)

    async def send(payment: Payment) -> Payment | None:
        async with places:
            alert = await alert_for(sequela, payment, DEADLINE_SECONDS)
        show(alert)
        return None if alert.explanation else payment

    missing = await asyncio.gather(*map(send, payments))
    return [payment for payment in missing if payment is not None]


def show(alert: Alert) -> None:
    """Stands for the queue of the analysts."""
    print(f"{alert.id}: score {alert.score:.2f}")
    for reason in alert.reasons:
        print(f"  {reason}")


def scored_payment(file: Path) -> Payment:
    """Stands for the scoring engine, which has the score of each payment before anybody asks for reasons."""
    alert = json.loads(file.read_text())
    events = tuple(
        EventInfo(each["id"], datetime.fromisoformat(each["time"]), each["display"])
        for each in alert["events"]
    )
    return Payment(alert["id"], SCORES[alert["id"]], alert["inputs"], events)


async def run(server: str, files: Iterable[Path]) -> None:
    """Sends the alerts, and then those again that had no reasons."""
    async with AsyncSequela(server) as sequela:
        for payment in await send_alerts(sequela, map(scored_payment, files)):
            show(await alert_for(sequela, payment, LATER_SECONDS, priority="bulk"))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="alerts of the demo")
    parser.add_argument("--server", default="localhost:50051", help="host:port of the service")
    given = parser.parse_args()
    asyncio.run(run(given.server, given.files))


if __name__ == "__main__":
    main()
