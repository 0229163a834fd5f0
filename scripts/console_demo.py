"""Writes the alerts of `sequela console --demo`: `python -m scripts.console_demo`. It takes about a minute."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sequela_client.client import Sequela
from sequela_client.files import read_sequence
from sequela_client.local_server import embedded_server

from models.account_takeover.alert_file import write_alert
from models.account_takeover.simulate import Account, accounts

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "service" / "sequela" / "demo" / "models"
FILE = ROOT / "clients" / "console" / "sequela_console" / "demo" / "alerts.jsonl.gz"
THRESHOLD = json.loads((ROOT / "models" / "account_takeover" / "report.json").read_text())["threshold"]

# A seed with which the demo's model was neither trained nor tested.
SEED, TAKEOVERS, DRAWN = 11, 0.12, 3000
# Enough for a list that has to be paged, and for filters that leave something.
ALERTS = 120
# Scores below the threshold are in the list too, since analysts ask about them.
BELOW = 25
# Long histories make the file large; some are kept.
LONG_EVENTS, LONG_KEPT = 160, 12
TARGET = "takeover"


def main() -> None:
    """Simulates accounts until there are enough alerts, and writes them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_server(["--model-repository", str(MODELS)]) as server,
        Sequela(server) as sequela,
    ):
        lines = [json.dumps(each, separators=(",", ":")) for each in _chosen(sequela, Path(folder))]
    # Without the time and the name of the file, the same alerts are the same bytes.
    FILE.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))
    print(f"{FILE.relative_to(ROOT)}: {len(lines)} alerts, {FILE.stat().st_size / 1000:.0f} kB")


def _chosen(sequela: Sequela, folder: Path) -> Iterator[dict[str, Any]]:
    above = below = long = 0
    for account in islice(accounts(SEED, TAKEOVERS), DRAWN):
        alert = _alert(account, folder / "alert.json")
        events = len(alert["events"])
        if events > LONG_EVENTS and long >= LONG_KEPT:
            continue
        score = sequela.score([read_sequence(folder / "alert.json")], model="account_takeover").values[0, 0]
        if score >= THRESHOLD and above < ALERTS - BELOW:
            above += 1
        elif 0.2 <= score < THRESHOLD and below < BELOW:
            below += 1
        else:
            continue
        long += events > LONG_EVENTS
        yield alert
        if above + below == ALERTS:
            return


def _alert(account: Account, file: Path) -> dict[str, Any]:
    """The alert as the demo's own ones are written, without what an analyst must not know: what was planted."""
    write_alert(file, account, {"account": account.id, "threshold": str(THRESHOLD)})
    alert: dict[str, Any] = json.loads(file.read_text())
    alert["id"] = account.id.replace("account", "alert")
    alert.pop("truth", None)
    return alert


if __name__ == "__main__":
    main()
