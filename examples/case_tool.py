"""Shows an analyst why an alert was raised: fetches its explanation by the id of the alert.

The program that raised the alert sent its id as `caller_id`, as `fraud_scoring.py` does.

    $ python examples/case_tool.py takeover-20 --html takeover-20.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sequela_client import Explanation, NotFound, Sequela

# An analyst waits for this, so it must not take long; reading one takes milliseconds.
TIMEOUT_SECONDS = 2.0


def latest_explanation(sequela: Sequela, alert_id: str) -> Explanation | None:
    """Returns the newest explanation of an alert, with the sequence that it explains; None if there is none."""
    summaries = sequela.list_explanations(caller_id=alert_id, page_size=1, timeout=TIMEOUT_SECONDS)
    newest = next(summaries, None)
    if newest is None:
        return None
    try:
        return sequela.get_explanation(newest.name, timeout=TIMEOUT_SECONDS)
    except NotFound:
        # It has expired or was deleted since it was listed.
        return None


def main() -> None:
    """Reads the command line, prints the reasons, and writes the page if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("alert_id", help="the id of the alert")
    parser.add_argument("--server", default="localhost:50051", help="host:port of the service")
    parser.add_argument("--html", type=Path, help="write a page with figures to this file")
    given = parser.parse_args()
    with Sequela(given.server) as sequela:
        found = latest_explanation(sequela, given.alert_id)
    if found is None:
        raise SystemExit(
            f"no explanation of {given.alert_id} is stored; it may be explained later, or have expired"
        )
    print(f"{given.alert_id}: score {found.score:.2f}, explained {found.create_time:%Y-%m-%d %H:%M} UTC")
    for reason in found.reasons:
        print(f"  {reason.rank}. {reason.text}")
    if given.html:
        given.html.write_text(found.to_html(), encoding="utf-8")


if __name__ == "__main__":
    main()
