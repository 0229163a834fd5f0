"""100,000 sequences: every count is 500 times that of the 200 sequences which the cohort repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from console.cohort_files import as_json, write_cohort
from console.cohorts.event_tables import CLASS_BY_LABEL, read_table
from console.running_console import running_console
from serving import Serving

pytestmark = pytest.mark.slow

FEW, TIMES = 200, 500
# Quantiles of repeated numbers are not exactly the same ones, and equally wide bins are.
SPEC = {"class": CLASS_BY_LABEL, "bins": {"kind": "width", "count": 9}}


@pytest.fixture(scope="module")
def client(server: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A console with a cohort of 200 sequences, and one that repeats them 500 times under other ids."""
    folder = tmp_path_factory.mktemp("large")
    write_cohort(folder / "few", FEW, checkpoints=("1",))
    (folder / "many").mkdir()
    few = pa.concat_tables([pq.read_table(each) for each in sorted((folder / "few").glob("part-*"))])
    for part in range(10):
        copies = [_renamed(few, part * TIMES // 10 + copy) for copy in range(TIMES // 10)]
        pq.write_table(pa.concat_tables(copies), folder / "many" / f"part-{part:05d}.parquet")
    cohorts = {name: folder / name for name in ("few", "many")}
    with (
        running_console(server.bound.grpc, folder, cohorts=cohorts) as console,
        httpx.Client(base_url=console.url, timeout=300) as client,
    ):
        yield client


def _renamed(table: Any, copy: int) -> Any:
    ids = pc.binary_join_element_wise(table["id"], str(copy), "-")
    rows = pc.add(table["row"], copy * FEW)
    renamed = table.set_column(0, table.schema.field("id"), ids)
    return renamed.set_column(2, table.schema.field("row"), rows)


def _both(client: httpx.Client, path: str, **query: Any) -> tuple[Any, Any]:
    answers = [client.get(f"/api/cohorts/{name}/{path}", params=query) for name in ("few", "many")]
    assert [each.status_code for each in answers] == [200, 200]
    return answers[0], answers[1]


def test_densities_count_all_of_them(client: httpx.Client) -> None:
    """The same bins, and 500 times as many in each; the dots stay few."""
    for of in ("events", "features"):
        few, many = (each.json() for each in _both(client, f"density/{of}"))
        assert few["edges"] == many["edges"]
        assert (np.array(few["counts"]) * TIMES == np.array(many["counts"])).all()
        assert len(many["sample"]) < 5000


def test_the_table_of_events_has_all_of_them(client: httpx.Client) -> None:
    """The same levels, and 500 times as many events, also of each class, step and weight."""
    few, many = (read_table(each.content) for each in _both(client, "event-table", spec=as_json(SPEC)))
    assert many.header["sequences"] == few.header["sequences"] * TIMES
    assert many.header["attributes"] == few.header["attributes"]
    for column in ("weight", "step"):
        counts = [np.bincount(getattr(each, column), minlength=65536) for each in (few, many)]
        assert (counts[0] * TIMES == counts[1]).all()
    assert many.classes.sum() == few.classes.sum() * TIMES


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "event_bin", "t": -2, "low": 0.0, "high": None},
        {"kind": "feature_bin", "feature": "amount", "low": None, "high": 0.0},
        {"kind": "group", "by": "region", "value": "north"},
        {
            "kind": "grid_cell",
            "spec": SPEC,
            "pair": [3, 1],
            "levels": [0, 2],
            "weights": [0.2, 1],
            "steps": [0, 11],
        },
        {
            "kind": "edge",
            "spec": SPEC,
            "attributes": [3],
            "from": {"step": 3, "levels": [0]},
            "to": {"step": 7, "levels": [0]},
        },
    ],
)
def test_members_are_all_of_them_page_by_page(client: httpx.Client, body: dict[str, Any]) -> None:
    """The total, and a page far behind."""
    few, many = (client.post(f"/api/cohorts/{name}/members", json=body).json() for name in ("few", "many"))
    assert many["total"] == few["total"] * TIMES > 0
    assert many["events"] == (None if few["events"] is None else few["events"] * TIMES)
    last = {**body, "cursor": str(many["total"] - 3), "limit": 10}
    page = client.post("/api/cohorts/many/members", json=last).json()
    assert (len(page["rows"]), page["next"]) == (3, None)
