"""docs/gallery.md shows every picture that the script draws, and the pictures show what the page says."""

from __future__ import annotations

import os
import re
import sys
from xml.etree import ElementTree

import pytest
from client.made_explanations import ROOT

from scripts.gallery.alerts import ALERTS, FIGURES, alert_pictures

PAGE = (ROOT / "docs" / "gallery.md").read_text()
FOLDER = ROOT / "docs" / "gallery"
SHOWN = re.findall(r"!\[([^\]]+)\]\(gallery/([^)]+)\)", PAGE)
MOST_BYTES = 150_000
MOST_PAGE_BYTES = 200_000
COHORTS = {
    *(
        f"cohort-{each}.svg"
        for each in ("events", "features", "first-positive", "pruning", "fairness", "drift")
    ),
    *(f"churn-{each}.svg" for each in ("features-churned", "features-stayed", "lapsed", "active")),
    *("churn-comparison.svg", "churn-attention.svg", "alert-page.png", "cohort-page.png"),
    *(
        f"console-{each}.png"
        for each in ("list", "takeover-47", "takeover-286", "pair", "progress", "cohort")
    ),
    *(f"console-{each}.png" for each in ("grid", "grid-paper", "grid-high")),
}


def test_every_picture_is_shown_and_described() -> None:
    """Each file is on the page once, with an alternative text, and is a small well-formed SVG or PNG."""
    names = [name for _, name in SHOWN]
    assert sorted(names) == sorted(path.name for path in FOLDER.iterdir())
    assert {f"{alert}-{kind}.svg" for alert in ALERTS for kind in FIGURES} | COHORTS == set(names)
    assert all(len(text) > 30 for text, _ in SHOWN)
    for name in names:
        content = (FOLDER / name).read_bytes()
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")
            assert len(content) < MOST_PAGE_BYTES
        else:
            assert len(content) < MOST_BYTES
            ElementTree.fromstring(content)


def test_the_words_of_figures_are_text() -> None:
    """A reader can search them, and a screen reader can read them; a bitmap holds only the strips behind them."""
    for name in (name for _, name in SHOWN if name.endswith(".svg")):
        assert len(texts((FOLDER / name).read_text(encoding="utf-8"))) > 3, name


@pytest.mark.slow
def test_the_pictures_are_those_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn anew they have the same texts; positions may differ by the last digits of a processor."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    for name, picture in alert_pictures().items():
        stored = (FOLDER / name).read_text(encoding="utf-8")
        assert texts(picture.decode()) == texts(stored), f"{name}: run python -m scripts.gallery alerts"


def texts(picture: str) -> list[str]:
    """The words of a picture; numbers are checked elsewhere, and their last digits depend on the processor."""
    return re.findall(r">([^<>\n]*[A-Za-z][^<>\n]*)</(?:text|tspan)>", picture)
