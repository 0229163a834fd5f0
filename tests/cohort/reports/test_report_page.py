"""The page: one file that a browser opens from disk under its own strict policy, and everything escaped."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from client.command_runs import Run
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cli.main import main
from sequela_client.cohort.dataset import Cohort
from sequela_client.errors import CallerError

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """The tags and attributes of a page, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(cohort: Cohort) -> str:
    return cohort.to_html(by="segment", outcome="fraud=1", period_label="period", compare=cohort)


@pytest.mark.slow
def test_nothing_from_outside(html: str) -> None:
    """No scripts, no links to elsewhere, pictures as data, and a policy that allows just that."""
    page = Page(html)
    assert not page.all("script")
    assert not page.all("link")
    assert not [
        name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"
    ]
    assert all(
        (image["src"] or "").startswith("data:image/svg+xml;base64,") and image["alt"]
        for image in page.all("img")
    )
    assert all((link["href"] or "").startswith("#") for link in page.all("a"))
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    assert (
        policy
        == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.slow
def test_every_figure_has_its_table(html: str) -> None:
    page = Page(html)
    assert len(page.all("img")) == 7
    for section in re.findall(r"<section id.*?</section>", html, re.DOTALL):
        assert section.count("<img ") <= section.count("<table>")


@pytest.mark.slow
def test_numbers_of_the_page(cohort: Cohort, html: str) -> None:
    """The table has what the report says."""
    row = cohort.features().to_pylist()[0]
    assert f"<td>{row['feature']}</td>" in html
    assert f">{row['mean']:+.4f}</td>" in html
    assert "334 explained" in html
    assert "sha256:aa" in html


@pytest.mark.slow
def test_what_others_wrote_is_escaped(tmp_path: Path) -> None:
    """Labels, ids, messages, names of features and the title come from others."""
    drawn: list[dict[str, Any]] = rows(60)
    for row in drawn:
        row["id"] += HOSTILE
        row["labels"] = [(HOSTILE, HOSTILE), ("period", dict(row["labels"])["period"])]
        if row["status"] == "failed":
            row["message"] = row["reason"] = HOSTILE
        for feature in row.get("features") or []:
            feature["feature"] += HOSTILE
    about = metadata([name + HOSTILE for name in FEATURES], target=HOSTILE, first_positive=0.5, model=HOSTILE)
    cohort = Cohort.open(write(tmp_path / "hostile", drawn, about))
    page = cohort.to_html(title=HOSTILE, by=f"label:{HOSTILE}", period_label="period", compare=cohort)
    parsed = Page(page)
    assert {tag for tag, _ in parsed.tags} & {"script", "iframe", "object"} == set()
    assert all((image["src"] or "").startswith("data:") for image in parsed.all("img"))
    assert HOSTILE in "".join(parsed.texts)
    assert "<script" not in cohort._repr_html_()
    for image in parsed.all("img"):
        drawing = base64.b64decode((image["src"] or "").partition(",")[2]).decode()
        assert "<script" not in drawing


@pytest.mark.slow
def test_names_in_any_script(tmp_path: Path) -> None:
    """Letters that matplotlib's font lacks are in the picture as text, without a warning (which fails a test)."""
    drawn: list[dict[str, Any]] = rows(20)
    for row in drawn:
        for feature in row.get("features") or []:
            feature["feature"] = "金額" + feature["feature"]
    page = Cohort.open(write(tmp_path / "script", drawn, metadata(first_positive=0.5))).to_html()
    assert "<td>金額amount</td>" in page
    drawings = [
        base64.b64decode((each["src"] or "").partition(",")[2]).decode() for each in Page(page).all("img")
    ]
    assert any("金額amount" in drawing for drawing in drawings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"outcome": "fraud=1"}, "name a label or a feature with by"),
        ({"feature": "amount"}, "name a label or a feature with by"),
        ({"before": "2026-01"}, "drift needs both periods"),
    ],
)
def test_choices_that_do_not_go_together(cohort: Cohort, choice: dict[str, str], message: str) -> None:
    with pytest.raises(CallerError, match=message):
        cohort.to_html(**choice)


@pytest.fixture
def run() -> Run:
    """Runs the command with these arguments; 100 columns wide."""
    return lambda *arguments: CliRunner().invoke(
        main, ["report", *(str(each) for each in arguments)], env={"COLUMNS": "100"}
    )


@pytest.mark.slow
def test_command(run: Run, folder: Path, tmp_path: Path) -> None:
    """A summary is printed, and the page is written."""
    page = tmp_path / "report.html"
    found = run(
        folder,
        "--html",
        page,
        "--by",
        "age",
        "--outcome",
        "fraud=1",
        "--period",
        "2026-01",
        "--period",
        "2026-02",
    )
    assert found.exit_code == 0, found.output
    assert "400 sequences: 334 explained" in found.stdout
    assert "Features with the largest mean attribution: amount (+0.3" in found.stdout
    assert "Attribution of amount by age" in found.stdout
    assert "false positive rate" in " ".join(found.stdout.split())
    assert "Changes from 2026-01 to 2026-02" in found.stdout
    assert "Population stability index of the scores" in found.stdout
    assert {"Events", "Features", "Pruning", "Groups", "Drift", "Quality"} <= set(
        Page(page.read_text()).texts
    )


@pytest.mark.slow
def test_command_without_a_page(run: Run, folder: Path) -> None:
    found = run(folder, "--where", "length > 30")
    assert found.exit_code == 0
    assert "sequences:" in found.stdout


@pytest.mark.slow
def test_command_with_variants(run: Run, tmp_path: Path) -> None:
    """Variants are named; two of one cohort can be compared."""
    drawn = [
        row
        for seed in (0, 1)
        for row in rows(40, seed=seed, variant=f"checkpoint={seed}", checkpoint=str(seed))
    ]
    folder = write(tmp_path / "variants", drawn, metadata(FEATURES, first_positive=0.5))
    refused = run(folder)
    assert refused.exit_code == 1
    assert "they are 'checkpoint=0', 'checkpoint=1'" in refused.stderr
    page = tmp_path / "report.html"
    found = run(folder, "--variant", "checkpoint=0", "--compare-variant", "checkpoint=1", "--html", page)
    assert found.exit_code == 0, found.output
    for text in (page.read_text(), found.stdout):
        assert "Agreement on the same sequences" in text
        assert "Differences are checkpoint=1 minus checkpoint=0." in " ".join(text.split())
        assert not re.search(r"(mean|only|score) (first|second)|>The (first|second)\b", text)
    assert "Mean differences, checkpoint=1 minus checkpoint=0" in _decoded(page.read_text())


def _decoded(page: str) -> str:
    """The texts of the page's figures, which are images in it."""
    found = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
    return " ".join(unescape(base64.b64decode(each).decode()) for each in found)


@pytest.mark.slow
def test_two_folders_are_called_by_their_names(run: Run, tmp_path: Path) -> None:
    """Where there are no variants. Without --html, a table that cannot be shown is a note."""
    for name, seed in (("old", 0), ("new", 1)):
        write(tmp_path / name, rows(40, seed=seed), metadata(FEATURES))
    found = run(tmp_path / "old", "--compare", tmp_path / "new", "--by", "nope")
    assert found.exit_code == 0, found.output
    assert "Differences are new minus old." in found.stdout
    assert "Note: Groups cannot be shown: " in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--period", "2026-01"), 2, "give it twice, before and after"),
        (("--where", "nope = 1"), 1, "is not a condition on the rows of a cohort"),
        (("--html", "nope/report.html"), 1, "No such file or directory"),
        (("--html", "report.html", "--by", "nope"), 0, ""),
        (
            ("--by", "segment", "--threshold", "nan"),
            1,
            "threshold: must be a finite number, not nan",
        ),
        (("--by", "segment", "--threshold", "-inf"), 1, "threshold: must be a finite number, not -inf"),
    ],
)
def test_wrong_commands(
    run: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(folder, *arguments)
    assert found.exit_code == code, found.output
    assert message in found.stderr


@pytest.mark.slow
def test_no_cohort(run: Run, tmp_path: Path) -> None:
    found = run(tmp_path)
    assert found.exit_code == 1
    assert "has no part-*.parquet" in found.stderr
