"""Writes the histories of customers as the input of `sequela explain-all`: `python -m models.churn.sequences FILE`.

The file is Parquet with one row for each customer: the columns of `SCHEMA`, and for each feature a list of the model's
inputs, oldest month first. The model's schema.json says how they are shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.churn.features import FEATURES
from models.churn.histories import History, Split, histories, split_customers
from models.churn.purchases import FOLDER, read_purchases

SCHEMA = pa.schema(
    [
        ("customer", pa.string()),
        ("month", pa.list_(pa.timestamp("us", tz="UTC"))),
        *((feature.name, pa.list_(pa.float32())) for feature in FEATURES),
        ("churned", pa.string()),
        ("split", pa.string()),
        ("first_month", pa.string()),
        ("last_month", pa.string()),
        ("buyer", pa.string()),
    ]
)
"""The columns of the file. `month` is the first day of each month. The last five are labels: `churned` is yes or no,
`buyer` is once or repeat."""


def sequences(
    last_month: str,
    splits: Sequence[Split] = (Split.TEST,),
    customers: int | None = None,
    data: Path = FOLDER,
) -> Any:
    """The histories of customers, as a pyarrow Table with the columns of `SCHEMA`.

    Args:
        last_month: the month at whose end histories are cut off, such as "1997-12".
        splits: whose histories.
        customers: how many of them, drawn at random with a fixed seed; None: all.
        data: where the wheel with the purchases was installed.
    """
    purchases = read_purchases(data)
    split = split_customers(purchases)
    rows = [row for row in histories(purchases, last_month) if split[row.customer] in splits]
    if customers is not None and customers < len(rows):
        drawn = np.random.default_rng(0).choice(len(rows), customers, replace=False)
        rows = [rows[place] for place in sorted(drawn)]
    return pa.Table.from_pylist([_row(row, split[row.customer]) for row in rows], SCHEMA)


def _row(row: History, split: Split) -> dict[str, Any]:
    inputs = row.inputs()
    return {
        "customer": f"{row.customer:05d}",
        "month": row.months.astype("datetime64[us]").tolist(),
        **{feature.name: inputs[:, column] for column, feature in enumerate(FEATURES)},
        "churned": "yes" if row.churned else "no",
        "split": split.value,
        "first_month": str(row.months[0]),
        "last_month": str(row.months[-1]),
        "buyer": "repeat" if row.purchases > 1 else "once",
    }


def main() -> None:
    """Writes the file that the command line names."""
    default = "(default: %(default)s)"
    parser = argparse.ArgumentParser(description="Write the purchases of CDNOW's customers by month.")
    parser.add_argument("file", type=Path, help="the Parquet file to write")
    parser.add_argument("--last-month", default="1997-12", help=f"where histories are cut off {default}")
    parser.add_argument(
        "--split",
        choices=[split.value for split in Split],
        nargs="+",
        default=["test"],
        help=f"whose histories {default}",
    )
    parser.add_argument("--customers", type=int, help="how many, drawn at random (default: all)")
    parser.add_argument("--data", type=Path, default=FOLDER, help=f"where the wheel was installed {default}")
    options = parser.parse_args()
    splits = [Split(name) for name in options.split]
    table = sequences(options.last_month, splits, options.customers, options.data)
    pq.write_table(table, options.file, compression="zstd")
    print(f"{table.num_rows} customers, {options.file}")


if __name__ == "__main__":
    main()
