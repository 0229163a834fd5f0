"""The notebooks of docs/notebooks run from top to bottom, and show what their text says."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from documents import anchors, links
from notebooks.kernels import NOTEBOOKS, ROOT, cell_with, code, executed, figures, read, shown

from models.churn.purchases import FILE, FOLDER
from scripts.peer_env import ensure

NAMES = [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    """Outputs hold times and paths of one machine, and change with every run. Cells have ids that do not change."""
    notebook = read(path.stem)
    assert path.stat().st_size < 300_000
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(notebook))
    assert [cell.id for cell in notebook.cells] == [
        f"{path.stem.partition('_')[0]}-{number:02d}" for number in range(len(notebook.cells))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Relative links of the text, seen from the notebook's folder."""
    for cell in read(name).cells:
        for link in links(cell.source) if cell.cell_type == "markdown" else ():
            file, _, anchor = link.partition("#")
            target = (ROOT / "docs" / "notebooks" / file).resolve()
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link


def test_the_page_lists_all_notebooks() -> None:
    """docs/notebook.md has a link to each."""
    page = (ROOT / "docs" / "notebook.md").read_text()
    assert {link for link in links(page) if link.endswith(".ipynb")} == {
        f"notebooks/{name}.ipynb" for name in NAMES
    }


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.timeout(1200)
def test_from_a_torch_model_to_a_report(tmp_path: Path) -> None:
    """With torch, in an empty folder. The planted frauds are found: last payments, new payees, amounts, no balance."""
    notebook = executed("torch_to_report", tmp_path, tmp_path, str(ensure("notebooks")))
    assert figures(notebook) == 6
    alert = shown(cell_with(notebook, "e = sequela.explain"))
    assert float(re.findall(r"-> ([\d.]+)", alert)[0]) > 0.9
    assert "True" in shown(cell_with(notebook, "account.tail(6)")).splitlines()[-1]
    rows = shown(cell_with(notebook, "cohort.features().to_pandas()")).splitlines()[1:]
    absolute = {row.split()[1]: float(row.split()[-1]) for row in rows}
    assert absolute.keys() == {"amount", "hour", "new_payee", "balance"}
    assert min(absolute["amount"], absolute["new_payee"]) > 0.02
    assert absolute["balance"] < 0.005
    (report,) = tmp_path.rglob("report.html")
    assert "Fraud model, 300 accounts" in report.read_text()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_customers_who_stop_buying(tmp_path: Path) -> None:
    """Without torch. What the text says of features, learning and attention is what the tables show."""
    if not (FOLDER / FILE).is_file():
        pytest.skip(f"no purchases in {FOLDER.name} (make setup)")
    notebook = executed("churn", ROOT / "docs" / "notebooks", tmp_path)
    assert figures(notebook) == 7
    assert "against churn" in shown(cell_with(notebook, "reason.text"))
    assert "600 of 600 rows" in shown(cell_with(notebook, "cohort = explain_all"))
    means = _table(shown(cell_with(notebook, '["mean"]')))
    assert (means.loc[["purchases", "cds", "spend"], "yes"] > 0.03).all()
    assert (means.loc[["purchases", "cds"], "no"] < 0).all()
    assert means.loc["months_since_purchase"].abs().max() < 0.03
    learning = _table(shown(cell_with(notebook, '["mean_absolute"]')))
    assert (learning["1"] < 0.02).all()
    assert (learning.loc["purchases", ["200", "600"]] > 0.05).all()
    agreement = [
        float(each)
        for each in re.findall(
            r"checkpoint=\d+ +\d+ +(-?[\d.]+)", shown(cell_with(notebook, "event_weight_agreement"))
        )
    ]
    assert len(agreement) == 3
    assert agreement == sorted(agreement)
    assert agreement[0] < 0.3
    assert agreement[2] > 0.45
    (report,) = tmp_path.rglob("churn.html")
    assert "Churn after 600 epochs" in report.read_text()


def _table(text: str) -> pd.DataFrame:
    """A printed DataFrame whose columns end in one word each."""
    head, *rows = (line for line in text.splitlines() if line.strip() and line.strip() != "feature")
    cells = [row.split() for row in rows]
    names = re.findall(r"(?:churned:|epoch) (\w+)", head)
    return pd.DataFrame(
        [[float(each) for each in row[1:]] for row in cells], [row[0] for row in cells], names
    )
