"""The figures of cohorts of simulated accounts, explained with the demo's model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from sequela_client.cohort import BulkQuestion, explain_all
from sequela_client.cohort.dataset import Cohort
from sequela_client.plots import style

from models.account_takeover.features import CATEGORICAL, NUMERIC
from models.account_takeover.simulate import Account, accounts
from scripts.gallery import DEMO, ROOT

MODEL = DEMO / "models" / "account_takeover" / "1" / "model.onnx"
THRESHOLD = float(json.loads((ROOT / "models" / "account_takeover" / "report.json").read_text())["threshold"])
OUTCOME = "outcome=takeover"
TOLERANCES = (0.005, 0.0075, 0.01, 0.025, 0.05, 0.1)

# Seeds of the simulator with which the demo's model was neither trained nor tested.
ALERTS_SEED, JANUARY_SEED, FEBRUARY_SEED = 7, 8, 9
# Accounts that are drawn, and the share of them that is taken over. About half of the former have an alert.
DRAWN, TAKEOVERS = 400, 0.5
# Accounts of each of the two periods. In the second, four times as many are taken over.
PERIOD, BEFORE, AFTER = 400, 0.05, 0.2
# Accounts of Table 1 and runs of each: 7 tolerances and 10 seeds.
REPEATED, RUNS = 40, 10
COALITIONS = 1024


def account_pictures(folder: Path) -> dict[str, bytes]:
    """The pictures of all cohorts of accounts by the names of their files."""
    return {name: style.svg(figure).encode() for name, figure in _figures(folder)}


def _figures(folder: Path) -> Iterator[tuple[str, Figure]]:
    alerts, periods = first_alerts(folder), two_periods(folder)
    yield "cohort-events.svg", alerts.plot.events(20)
    yield "cohort-features.svg", alerts.plot.features()
    yield "cohort-first-positive.svg", alerts.plot.first_positive()
    fairness = periods.plot.fairness("client_age", "client_age", THRESHOLD, OUTCOME)
    yield "cohort-fairness.svg", fairness
    yield "cohort-drift.svg", periods.plot.drift("period", "January", "February")
    yield "cohort-pruning.svg", repeated_alerts(folder).plot.pruning(TOLERANCES)


def first_alerts(folder: Path) -> Cohort:
    """The first positive prediction of each account that has one, as in TimeSHAP §4.2."""
    drawn = islice(accounts(ALERTS_SEED, TAKEOVERS), DRAWN)
    options = {"levels": ["event", "feature"], "pruning_tolerance": 0.025, "max_coalitions": COALITIONS}
    question = _question(options, first_positive=THRESHOLD)
    return _explained(folder, "alerts", _table(drawn, "January"), question)


def two_periods(folder: Path) -> Cohort:
    """All accounts of two periods, explained at their last event."""
    before = _table(islice(accounts(JANUARY_SEED, BEFORE), PERIOD), "January")
    after = _table(islice(accounts(FEBRUARY_SEED, AFTER), PERIOD), "February")
    options = {"levels": ["feature"], "pruning_tolerance": 0.025, "max_coalitions": 256}
    return _explained(folder, "periods", pa.concat_tables([before, after]), _question(options))


def repeated_alerts(folder: Path) -> Cohort:
    """Some of the first alerts, explained with several tolerances and seeds, for Table 1."""
    rows = first_alerts(folder).query(
        f"SELECT id, length FROM (SELECT * FROM {first_alerts(folder).explained}) ORDER BY row LIMIT {REPEATED}"
    )
    lengths = dict(zip(rows["id"].to_pylist(), rows["length"].to_pylist(), strict=True))
    drawn = [each for each in islice(accounts(ALERTS_SEED, TAKEOVERS), DRAWN) if each.id in lengths]
    options = {"levels": ["event"], "max_coalitions": COALITIONS, "target_standard_error": 0.0}
    question = _question(options, tolerances=(0.0, *TOLERANCES), seeds=tuple(range(RUNS)))
    return _explained(folder, "repeated", _table(drawn, "January", lengths), question)


def _question(options: dict[str, Any], **more: Any) -> BulkQuestion:
    return BulkQuestion(str(MODEL), options=options, id="account", labels=("outcome", "period"), **more)


def _explained(folder: Path, name: str, table: Any, question: BulkQuestion) -> Cohort:
    source = folder / f"{name}.parquet"
    pq.write_table(table, source)
    return explain_all(source, folder / name, question)


def _table(drawn: Iterable[Account], period: str, lengths: dict[str, int] | None = None) -> Any:
    """Accounts as the input of `explain_all`, cut off after the first `lengths` events."""
    chosen = [(each, slice((lengths or {}).get(each.id))) for each in drawn]
    numeric = [account.numeric()[cut] for account, cut in chosen]
    categorical = [account.categorical()[cut] for account, cut in chosen]
    return pa.table(
        {
            "account": [account.id for account, _ in chosen],
            "outcome": ["takeover" if account.takeover else "genuine" for account, _ in chosen],
            "period": [period] * len(chosen),
            **{each.name: _lists(numeric, place) for place, each in enumerate(NUMERIC)},
            **{each.name: _lists(categorical, place) for place, each in enumerate(CATEGORICAL)},
        }
    )


def _lists(parts: list[Any], place: int) -> Any:
    return pa.array([np.ascontiguousarray(part[:, place]) for part in parts])
