"""Trains the model of contracts and writes the files that are committed: `python -m models.service_contracts.train`.

Nine of ten simulated customers are trained on, as in AttributionHeatmap; the others are measured on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from models.churn.export import write_model
from models.churn.scores import area_under_curve
from models.service_contracts.export import write_schema
from models.service_contracts.features import FEATURES
from models.service_contracts.network import ContractModel, train
from models.service_contracts.simulate import Customer, draw_customers

HERE = Path(__file__).parent
EPOCHS = (1, 200, 600)
"""The epochs at whose ends a checkpoint is written."""
SEED = 3
TEST_EVERY = 10
"""One customer of so many is measured on."""


def main() -> None:
    """Simulates, trains, and exports and measures the model at each checkpoint."""
    parser = argparse.ArgumentParser(description="Train the model of maintenance contracts.")
    parser.add_argument("--output", type=Path, default=HERE / "checkpoints", help="folder for the models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    customers = draw_customers(SEED)
    trained = [each for place, each in enumerate(customers) if place % TEST_EVERY]
    tested = customers[::TEST_EVERY]
    options.output.mkdir(parents=True, exist_ok=True)
    write_schema(options.output / "schema.json", [each for each in trained if not each.churned])
    report = {}
    for epoch, (model, loss) in enumerate(train(*_tensors(trained), max(EPOCHS), SEED), start=1):
        if epoch in EPOCHS:
            write_model(options.output / f"contracts-{epoch}.onnx", model, len(FEATURES))
            report[str(epoch)] = {"loss": round(loss, 4), **_measured(model, tested)}
            print(epoch, report[str(epoch)])
    (HERE / "report.json").write_text(json.dumps(report, indent=2) + "\n")


def _tensors(customers: Sequence[Customer]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (n, 12, 14) and classes (n, 1)."""
    months = torch.from_numpy(np.stack([each.inputs() for each in customers]))
    return months, torch.tensor([[float(each.churned)] for each in customers])


def _measured(model: ContractModel, customers: Sequence[Customer]) -> dict[str, float]:
    """The accuracy at 0.5 and the AUC on customers that were not trained on."""
    months, churned = _tensors(customers)
    with torch.no_grad():
        scores = model(months)[0].numpy()[:, 0]
    labels = churned.numpy()[:, 0] > 0
    return {
        "accuracy": round(float(((scores >= 0.5) == labels).mean()), 4),
        "auc": round(area_under_curve(scores, labels), 4),
    }


if __name__ == "__main__":
    main()
