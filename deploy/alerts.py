"""Has the demo's alerts explained, one every few seconds, so that there is something to see. Prints the first answer.

deploy/compose.yaml runs it in the image, where the alerts are.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path

from sequela_client import Explanation, Sequela
from sequela_client.files import read_sequence

ALERTS = Path(sys.prefix) / "demo" / "alerts"
MODEL = "account_takeover"


def show(found: Explanation) -> None:
    """Prints the latest events and what each adds to the score."""
    print(found)
    for event in found.events[:5]:
        print(f"  t={event.t}: {event.value:+.3f} ± {event.margin:.3f}", flush=True)


def main() -> None:
    """Explains until it is ended, or as often as --count says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="localhost:50051", help="HOST:PORT of the server")
    parser.add_argument("--seconds", type=float, default=5.0, help="time between two alerts")
    parser.add_argument("--alerts", type=Path, default=ALERTS, help="folder with the alerts")
    parser.add_argument("--count", type=int, help="end after this number")
    given = parser.parse_args()
    alerts = itertools.cycle(sorted(given.alerts.glob("*.json")))
    with Sequela(given.server) as client:
        for number, alert in enumerate(itertools.islice(alerts, given.count)):
            # Another seed is another question, so the answer is computed and not found in the store.
            found = client.explain(
                read_sequence(alert), model=MODEL, seed=number, caller_id=alert.stem, timeout=30
            )
            print(f"{alert.stem}: score {found.score:.4f}", flush=True)
            if number == 0:
                show(found)
            time.sleep(given.seconds)


if __name__ == "__main__":
    main()
