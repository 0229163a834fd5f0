"""Simulated bank accounts as a file for bulk explanation: one row a sequence, a column of lists for each feature."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers.jobs import Floats
from models.account_takeover.features import CATEGORICAL, NUMERIC
from models.account_takeover.simulate import Account, accounts

SEED = 7  # not one of the seeds that the demo's model was trained or tested with
TAKEOVERS = 0.5  # the share of accounts that are taken over; alerts have many more than customers have
CHUNK = 1000  # accounts that are held in memory together


def draw(count: int) -> Iterator[Account]:
    """The first accounts of the simulated bank."""
    return islice(accounts(SEED, TAKEOVERS), count)


def matrix(account: Account) -> Floats:
    """The inputs of an account side by side, (l, 17)."""
    return np.column_stack([account.numeric(), account.categorical()]).astype(np.float64)


def write_accounts(path: Path, count: int) -> Path:
    """Writes the first accounts as Parquet, without holding all of them in memory."""
    writer = None
    drawn = draw(count)
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
    for place, feature in enumerate(NUMERIC):
        columns[feature.name] = _lists([values[:, place] for values in numeric])
    for place, feature in enumerate(CATEGORICAL):
        columns[feature.name] = _lists([values[:, place] for values in categorical])
    return pa.table(columns)


def _lists(parts: list[npt.NDArray[np.generic]]) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(np.concatenate(parts)))
