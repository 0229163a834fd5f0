"""Trains the demo's model and writes the files that are committed: `python -m models.account_takeover.train`.

There are four sets of simulated accounts, each with its own seed: one to train on, one to set the alert threshold at
1 % false positives, one that is held out to measure recall, and one to take the demo's alerts from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from models.account_takeover.alert_file import write_alert
from models.account_takeover.export import write_model, write_schema
from models.account_takeover.network import train
from models.account_takeover.simulate import Account, accounts

TAKEOVER_SHARE = 0.25  # far more than in reality, so that there are enough examples
FALSE_POSITIVE_RATE = 0.01
REPORT = Path(__file__).parent / "report.json"
DEMO = Path(__file__).parents[2] / "service" / "sequela" / "demo"
Score = Callable[[Account], float]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An alert to look for: its name, its number of events, and the features that must be planted in it, if any."""

    name: str
    lengths: range
    planted: frozenset[str]


WANTED = (
    Wanted("takeover-20", range(20, 21), frozenset({"network", "country"})),
    Wanted("takeover-47", range(47, 48), frozenset({"network", "client_age"})),
    Wanted("takeover-286", range(286, 287), frozenset({"country", "network"})),
    Wanted("false-alert", range(50, 80), frozenset()),
)


def main() -> None:
    """Simulates accounts, trains and exports the model, and measures it."""
    options = _parse()
    torch.set_num_threads(1)
    folder = options.output / "models" / "account_takeover" / "1"
    folder.mkdir(parents=True, exist_ok=True)

    print(f"Simulating {options.accounts} accounts (seed {options.seed})")
    training = list(islice(accounts(options.seed, TAKEOVER_SHARE), options.accounts))
    model = train(training, options.epochs, options.seed, print)
    write_model(folder / "model.onnx", model)
    write_schema(folder / "schema.json", training)

    score = _scorer(folder / "model.onnx")
    report = _measure(score, options)
    options.report.write_text(json.dumps(report, indent=2) + "\n")
    print("Recall {recall:.1%} at {false_positive_rate:.2%} false positives, held out".format(**report))
    _write_alerts(options.output / "alerts", score, report["threshold"], options.seed + 3)


def _parse() -> argparse.Namespace:
    default = "(default: %(default)s)"
    parser = argparse.ArgumentParser(description="Train the account takeover model of the demo.")
    parser.add_argument("--accounts", type=int, default=12_000, help=f"accounts to train on {default}")
    parser.add_argument("--held-out", type=int, default=20_000, help=f"accounts to measure on {default}")
    parser.add_argument("--epochs", type=int, default=20, help=f"passes over them {default}")
    parser.add_argument("--seed", type=int, default=1, help=f"of everything random {default}")
    parser.add_argument("--output", type=Path, default=DEMO, help=f"folder for model and alerts {default}")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"where figures go {default}")
    return parser.parse_args()


def _scorer(path: Path) -> Score:
    """Scores whole histories with the exported file, not with the torch module."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, settings)

    def score(account: Account) -> float:
        inputs = {"numeric": account.numeric()[None], "categorical": account.categorical()[None]}
        return float(session.run(None, inputs)[0][0, 0])

    return score


def _measure(score: Score, options: argparse.Namespace) -> dict[str, float]:
    """Returns the threshold for 1 % false positives on validation accounts, and its recall on held-out accounts."""
    genuine, _ = _score_all(score, islice(accounts(options.seed + 1, TAKEOVER_SHARE), options.held_out))
    threshold = round(float(np.quantile(genuine, 1.0 - FALSE_POSITIVE_RATE)), 4)
    genuine, stolen = _score_all(score, islice(accounts(options.seed + 2, TAKEOVER_SHARE), options.held_out))
    return {
        "threshold": threshold,
        "recall": round(float((stolen >= threshold).mean()), 4),
        "false_positive_rate": round(float((genuine >= threshold).mean()), 4),
    }


def _score_all(score: Score, held_out: Iterable[Account]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the scores of the genuine accounts, and of those that were taken over."""
    scores: dict[bool, list[float]] = {False: [], True: []}
    for account in held_out:
        scores[account.takeover is not None].append(score(account))
    return np.array(scores[False]), np.array(scores[True])


def _write_alerts(folder: Path, score: Score, threshold: float, seed: int) -> None:
    """For each wanted alert, the first account that fits it and that the model raises an alert for."""
    folder.mkdir(exist_ok=True)
    for wanted in WANTED:
        account = next(
            account
            for account in accounts(seed, 0.5)
            if len(account.history) in wanted.lengths
            and bool(wanted.planted) == (account.takeover is not None)
            and (account.takeover is None or wanted.planted <= set(account.takeover.features))
            and score(account) >= threshold
        )
        outcome = "confirmed takeover" if account.takeover else "false alert"
        labels = {"outcome": outcome, "threshold": str(threshold)}
        write_alert(folder / f"{wanted.name}.json", account, labels)


if __name__ == "__main__":
    main()
