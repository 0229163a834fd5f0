"""Writes the cohorts of `sequela console --demo`: `python -m scripts.console_cohorts FOLDER`.

The folders are `contracts`: customers of a maintenance service, each explained without pruning with three checkpoints
of a model that learnt who leaves; and `accounts`: bank accounts at their latest event.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sequela_client.cohort import BulkQuestion, RunOptions, explain_all

from models.account_takeover.features import CATEGORICAL
from models.account_takeover.features import NUMERIC as ACCOUNT_NUMERIC
from models.account_takeover.simulate import Account, accounts
from models.service_contracts.features import FEATURES
from models.service_contracts.simulate import MONTHS, draw_customers

ROOT = Path(__file__).resolve().parent.parent
# From the root of the repository, since cohorts keep the paths of their models.
CHECKPOINTS = Path("models", "service_contracts", "checkpoints")
TAKEOVER = Path("service", "sequela", "demo", "models", "account_takeover", "1", "model.onnx")
EPOCHS = ("1", "200", "600")
CONTRACTS_SEED = 4
"""Another seed than that of the customers that the model was trained on."""
ACCOUNTS_SEED, TAKEOVERS = 12, 0.12
COALITIONS = 1024
# Larger files are not allowed in the repository.
PART_ROWS = 1000


def main() -> None:
    """Writes both cohorts."""
    parser = argparse.ArgumentParser(description="Write the cohorts of the console's demo.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=2584, help="(default: %(default)s, as in the paper)")
    parser.add_argument("--accounts", type=int, default=2000, help="(default: %(default)s)")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    os.chdir(ROOT)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.customers:
        write_contracts(options.folder, options.customers)
    if options.accounts:
        write_accounts(options.folder, options.accounts)


def write_contracts(folder: Path, count: int) -> None:
    """Explains customers with each checkpoint, without pruning, so that every month has a value of its own."""
    customers = draw_customers(CONTRACTS_SEED, count)
    inputs = [each.inputs() for each in customers]
    times = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, MONTHS + 1)]
    table = pa.table(
        {
            "customer": [each.id for each in customers],
            "left": ["yes" if each.churned else "no" for each in customers],
            "segment": [each.segment for each in customers],
            "month": [times] * count,
            **{each.name: _lists(inputs, place) for place, each in enumerate(FEATURES)},
        }
    )
    question = BulkQuestion(
        model=str(CHECKPOINTS / "contracts-{checkpoint}.onnx"),
        checkpoints=EPOCHS,
        id="customer",
        time="month",
        labels=("left", "segment"),
        options={"levels": ["event", "feature"], "pruning_tolerance": 0.0, "max_coalitions": COALITIONS},
    )
    _explain(table, folder / "contracts", question)


def write_accounts(folder: Path, count: int) -> None:
    """Explains accounts at their latest event."""
    drawn = list(islice(accounts(ACCOUNTS_SEED, TAKEOVERS), count))
    numeric = [each.numeric() for each in drawn]
    categorical = [each.categorical() for each in drawn]
    table = pa.table(
        {
            "account": [each.id for each in drawn],
            "outcome": ["takeover" if each.takeover else "genuine" for each in drawn],
            "when": [_times(each) for each in drawn],
            **{each.name: _lists(numeric, place) for place, each in enumerate(ACCOUNT_NUMERIC)},
            **{each.name: _lists(categorical, place) for place, each in enumerate(CATEGORICAL)},
        }
    )
    question = BulkQuestion(
        model=str(TAKEOVER),
        id="account",
        time="when",
        labels=("outcome",),
        options={"levels": ["event", "feature"], "max_coalitions": COALITIONS},
    )
    _explain(table, folder / "accounts", question)


def _times(account: Account) -> list[datetime]:
    return [
        each.replace(tzinfo=UTC)
        for each in np.asarray(account.history.times).astype("datetime64[us]").tolist()
    ]


def _lists(parts: Sequence[Any], place: int) -> Any:
    return pa.array([np.ascontiguousarray(part[:, place]) for part in parts])


def _explain(table: Any, folder: Path, question: BulkQuestion) -> None:
    source = folder.with_suffix(".input.parquet")
    pq.write_table(table, source)
    explain_all(source, folder, question, RunOptions(part_rows=PART_ROWS), report=print)
    source.unlink()


if __name__ == "__main__":
    main()
