"""The figures of the churn model: an average over real customers, and two invented ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sequela_client import EventInfo, Sequela, Sequence
from sequela_client.cohort import BulkQuestion, explain_all
from sequela_client.cohort.dataset import Cohort
from sequela_client.plots import style

from models.churn.histories import History
from models.churn.sequences import sequences
from scripts.gallery import ROOT

CHECKPOINTS = ROOT / "models" / "churn" / "checkpoints"
EPOCHS = ("1", "200", "600")
CUSTOMERS = 200
# CDs bought in each month of 1997 by two customers who are in no data; each CD costs 15 USD.
CDS = {"lapsed": (2, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0), "active": (1, 0, 2, 1, 0, 1, 2, 0, 1, 1, 2, 1)}
PRICE_USD = 15.0


def churn_pictures(folder: Path) -> dict[str, bytes]:
    """All pictures of churn by the names of their files."""
    return {name: style.svg(figure).encode() for name, figure in (*_of_cohort(folder), *_of_customers())}


def _of_cohort(folder: Path) -> Iterator[tuple[str, Figure]]:
    cohort = churn_cohort(folder)
    trained = cohort.variant("checkpoint=600")
    yield "churn-features-churned.svg", trained.labelled("churned", "yes").plot.features()
    yield "churn-features-stayed.svg", trained.labelled("churned", "no").plot.features()
    yield "churn-comparison.svg", cohort.variant("checkpoint=200").plot.comparison(trained)
    months = {epoch: _months(cohort.variant(f"checkpoint={epoch}")) for epoch in EPOCHS}
    yield "churn-attention.svg", attention_figure(months)


def churn_cohort(folder: Path) -> Cohort:
    """Real customers, each explained with three checkpoints of the model."""
    source = folder / "customers.parquet"
    pq.write_table(sequences("1997-12", customers=CUSTOMERS), source)
    question = BulkQuestion(
        model=str(CHECKPOINTS / "churn-{checkpoint}.onnx"),
        checkpoints=EPOCHS,
        id="customer",
        time="month",
        labels=("churned", "buyer"),
        options={"levels": ["event", "feature"], "pruning_tolerance": 0.0},
    )
    return explain_all(source, folder / "churn", question)


def _of_customers() -> Iterator[tuple[str, Figure]]:
    with Sequela.local() as sequela:
        for name, cds in CDS.items():
            sequence = invented(cds)
            shown = sequela.explain(sequence, model=CHECKPOINTS / "churn-600.onnx", pruning_tolerance=0)
            yield f"churn-{name}.svg", shown.plot.events()


def invented(cds: tuple[int, ...]) -> Sequence:
    """A customer with this number of CDs in each month of 1997."""
    bought = np.array(cds, dtype=np.float64)
    latest = np.maximum.accumulate(np.where(bought > 0, np.arange(len(cds)), -1))
    values = np.column_stack([bought > 0, bought, PRICE_USD * bought, np.arange(len(cds)) - latest])
    months = np.arange("1997-01", "1998-01", dtype="datetime64[M]")
    inputs = History(0, months, values, churned=False).inputs()
    events = tuple(EventInfo(time=pd.Timestamp(month, tz="UTC")) for month in months)
    return Sequence(inputs, events=events)


def _months(cohort: Cohort) -> Any:
    """One row for each customer and month: its attribution and its attention."""
    return cohort.query(
        "SELECT id, event.t AS t, event.value AS attribution, event_weights[1 - event.t] AS attention "
        f"FROM (SELECT *, unnest(events) AS event FROM {cohort.rows})"
    ).to_pandas()


def attention_figure(months: Mapping[str, Any]) -> Figure:
    """Attention and attribution by month, on average over customers, for each epoch."""
    with style.styled():
        figure = style.empty_figure(style.WIDTH, 3.4)
        panels = figure.subplots(1, len(months), sharey=True)
        for axes, (epoch, rows) in zip(panels, months.items(), strict=True):
            _draw_epoch(axes, epoch, rows)
        panels[0].set_ylim(bottom=0)
        panels[0].set_ylabel("share of the customer's sum")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return figure


def _draw_epoch(axes: Axes, epoch: str, rows: Any) -> None:
    rows = rows.assign(size=rows["attribution"].abs())
    rows["share"] = rows["size"] / rows.groupby("id")["size"].transform("sum")
    means = rows.groupby("t")[["attention", "share"]].mean()
    correlation = rows.groupby("id")[["attention", "size"]].corr().iloc[0::2, 1].mean()
    axes.plot(means.index, means["attention"], "o-", color=style.INK, markersize=4, label="attention")
    axes.plot(
        means.index,
        means["share"],
        "s--",
        color=style.NEUTRAL,
        markerfacecolor="white",
        markersize=4,
        label="|attribution|",
    )
    axes.set_title(f"{epoch} epoch{'' if epoch == '1' else 's'}\ncorrelation {correlation:.2f}")
    axes.set_xlabel("month t (0 is the latest)")
    style.event_axis(axes.xaxis)
