"""Months of CDNOW's customers, against the same sums by pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from models.churn.features import FEATURES
from models.churn.histories import History, Split, histories, split_customers
from models.churn.purchases import FILE, FOLDER, Purchases, read_purchases
from models.churn.sequences import main, sequences

NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def table(purchases: Purchases) -> pd.DataFrame:
    """The file as pandas reads it, in the order of the file."""
    assert len(purchases) > 0
    frame = pd.read_csv(
        FOLDER / FILE, sep=r"\s+", skiprows=1, names=["customer", "day", "cds", "spend"], dtype=str
    )
    return frame.assign(
        customer=frame["customer"].astype(int),
        month=pd.to_datetime(frame["day"], format="%Y%m%d").dt.to_period("M"),
        cds=frame["cds"].astype(int),
        spend=frame["spend"].astype(float),
    )


def expected(table: pd.DataFrame, last: pd.Period) -> pd.DataFrame:
    """Raw values by customer and month: a row for each month from the first purchase to the last month."""
    known = table[table["month"] <= last]
    sums = known.groupby(["customer", "month"]).agg(
        purchases=("spend", "size"), cds=("cds", "sum"), spend=("spend", "sum")
    )
    first = known.groupby("customer")["month"].min()
    months = pd.period_range("1997-01", last, freq="M", name="month")
    index = pd.MultiIndex.from_product([first.index, months], names=["customer", "month"])
    index = index[index.get_level_values("month") >= first.reindex(index.get_level_values("customer"))]
    full = sums.reindex(index, fill_value=0).reset_index()
    number = full["month"].map(lambda month: month.ordinal)
    bought = number.where(full["purchases"] > 0).groupby(full["customer"]).ffill()
    full["months_since_purchase"] = number - bought
    return full


@pytest.mark.slow
def test_there_are_all_purchases(purchases: Purchases, table: pd.DataFrame) -> None:
    """69,659 purchases of 23,570 customers, all of whom first bought in the first quarter of 1997."""
    assert len(purchases) == len(table) == 69_659
    assert len(np.unique(purchases.customer)) == 23_570
    assert purchases.spend.sum() == pytest.approx(table["spend"].sum())
    first = table.groupby("customer")["month"].min()
    assert (first.min(), first.max()) == (pd.Period("1997-01"), pd.Period("1997-03"))


@pytest.mark.slow
@pytest.mark.parametrize("last_month", ["1997-06", "1997-12"])
def test_months_are_those_of_pandas(purchases: Purchases, table: pd.DataFrame, last_month: str) -> None:
    """Every value of every month of every customer, in the order of months."""
    rows = histories(purchases, last_month)
    truth = expected(table, pd.Period(last_month))
    assert [row.customer for row in rows for _ in range(len(row))] == truth["customer"].tolist()
    assert [str(month) for row in rows for month in row.months] == truth["month"].astype(str).tolist()
    np.testing.assert_allclose(np.concatenate([row.values for row in rows]), truth[NAMES].to_numpy(float))


@pytest.mark.slow
@pytest.mark.parametrize("last_month", ["1997-06", "1997-12"])
def test_customers_churn_who_do_not_buy_in_the_next_half_year(
    purchases: Purchases, table: pd.DataFrame, last_month: str
) -> None:
    """The class, from the six months after the cut-off."""
    last = pd.Period(last_month)
    after = table[(table["month"] > last) & (table["month"] <= last + 6)]
    buyers = set(after["customer"])
    for row in histories(purchases, last_month):
        assert row.churned == (row.customer not in buyers)


@pytest.mark.slow
def test_a_half_year_that_the_data_does_not_cover_is_refused(purchases: Purchases) -> None:
    """The message says which month is the last that works."""
    with pytest.raises(ValueError, match=r"1998-01.*1998-06-30.*1997-12 at most"):
        histories(purchases, "1998-01")


@pytest.mark.slow
def test_purchases_that_are_not_installed(tmp_path: object) -> None:
    """The message has the command that installs them."""
    with pytest.raises(FileNotFoundError, match=r"pip install .*requirements/cdnow\.txt"):
        read_purchases(FOLDER / "nowhere")


@pytest.mark.slow
def test_customers_are_split_once(purchases: Purchases) -> None:
    """60, 20 and 20 % of the customers, whatever the cut-off."""
    splits = split_customers(purchases)
    counts = pd.Series([split.value for split in splits.values()]).value_counts()
    assert counts.to_dict() == {"train": 14_142, "validation": 4_714, "test": 4_714}
    some = purchases.where(purchases.day < np.datetime64("1997-07-01"))
    assert split_customers(some) == splits


@pytest.mark.slow
def test_inputs_are_shown_as_raw_values(held_out: list[History]) -> None:
    """The inverse of the encoding that schema.json describes gives the raw values."""
    for row in held_out[:50]:
        for column, feature in enumerate(FEATURES):
            shown = feature.mean + feature.scale * row.inputs()[:, column].astype(np.float64)
            raw = np.expm1(shown) if feature.log else shown
            np.testing.assert_allclose(raw, row.values[:, column], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_row_of_the_file_is_a_customer(
    held_out: list[History], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """List columns hold the inputs; labels hold the class, the split and the kind of buyer."""
    path = f"{tmp_path}/churn.parquet"
    monkeypatch.setattr("sys.argv", ["sequences", path])
    main()
    frame = pq.read_table(path).to_pandas()
    assert len(frame) == len(held_out)
    for row, read in zip(held_out, frame.itertuples(), strict=True):
        assert int(read.customer) == row.customer
        assert read.churned == ("yes" if row.churned else "no")
        assert read.buyer == ("repeat" if row.values[:, 0].sum() > 1 else "once")
        assert (read.split, read.last_month) == ("test", "1997-12")
        assert str(read.month[0])[:7] == read.first_month == str(row.months[0])
        np.testing.assert_array_equal(np.stack([getattr(read, name) for name in NAMES], axis=1), row.inputs())


@pytest.mark.slow
def test_some_customers_are_drawn_alike(purchases: Purchases) -> None:
    """The same ones at every call, in the order of customers."""
    assert len(purchases) > 0
    first, again = (sequences("1997-12", [Split.TEST], 30) for _ in range(2))
    assert first.equals(again)
    assert first.num_rows == 30
    assert first["customer"].to_pylist() == sorted(first["customer"].to_pylist())
