"""Simulated bank accounts that the demo's model takes for takeovers, and a file of them for bulk explanation.

The file has one row for each account, and a column of lists for each feature.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cases import DEMO
from benchmarks.peers.jobs import Floats
from benchmarks.peers.scorer import Scorer
from models.account_takeover.features import CATEGORICAL, NUMERIC
from models.account_takeover.simulate import Account, accounts

MODEL = DEMO / "models" / "account_takeover" / "1"
POSITIVE = 0.5  # the smallest score of an alert
SEED = 7  # not one of the seeds that the demo's model was trained or tested with
TAKEOVERS = (
    0.9  # the share of accounts that are taken over; most others score below POSITIVE and are left out
)
CHUNK = 1000  # accounts that are held in memory together


def alerts(count: int) -> Iterator[Account]:
    """The first accounts of the simulated bank whose score is at least POSITIVE.

    TimeSHAP explains sequences with a positive prediction only (§4.1), and timeshap fails if everything is pruned.
    """
    score = Scorer(str(MODEL / "model.onnx"))
    drawn = accounts(SEED, TAKEOVERS)
    return islice((each for each in drawn if score(matrix(each)[np.newaxis])[0, 0] >= POSITIVE), count)


def matrix(account: Account) -> Floats:
    """The inputs of an account side by side, (l, 17)."""
    return np.column_stack([account.numeric(), account.categorical()]).astype(np.float64)


def inputs(account: Account) -> dict[str, npt.NDArray[Any]]:
    """The inputs of the demo's model for an account, by name."""
    return {"numeric": account.numeric(), "categorical": account.categorical()}


def write_accounts(path: Path, count: int) -> Path:
    """Writes the first alerts as Parquet, without holding all of them in memory."""
    writer = None
    drawn = alerts(count)
    while chunk := list(islice(drawn, CHUNK)):
        table = _table(chunk)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()
    return path


def _table(chunk: list[Account]) -> pa.Table:
    numeric = [account.numeric() for account in chunk]
    categorical = [account.categorical() for account in chunk]
    columns: dict[str, Any] = {
        "account": [account.id for account in chunk],
        "outcome": ["takeover" if account.takeover else "genuine" for account in chunk],
    }
    numeric_names = [each.name for each in NUMERIC]
    categorical_names = [each.name for each in CATEGORICAL]
    for names, values in ((numeric_names, numeric), (categorical_names, categorical)):
        for place, name in enumerate(names):
            columns[name] = _lists([each[:, place] for each in values])
    return pa.table(columns)


def _lists(parts: list[npt.NDArray[np.generic]]) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(np.concatenate(parts)))
