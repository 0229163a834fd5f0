"""The page of an alert and the view of a notebook: complete, well formed, and inert whatever their texts contain."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from client.command_runs import Run
from client.html_page import Page
from client.made_explanations import DEMO, EVERY_ALERT, demo_alerts, scaled
from sequela_client import CallerError, EventInfo, Explanation, ExplanationWarning, Sequela
from sequela_client.explanation_parts import EventValues, Feature
from sequela_client.pages.page import bundle_file
from sequela_client.resources import Model, ModelFeature, Scores, Target
from sequela_client.summary import summary

HOSTILE = (
    "</style></td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}{% raw %}\x1b[2J\x00\u202e"
)


@pytest.fixture(params=EVERY_ALERT)
def alert(request: pytest.FixtureRequest) -> Explanation:
    return demo_alerts()[request.param]


@cache
def page_of(name: str) -> str:
    """The page of a bundled alert."""
    return demo_alerts()[name].to_html()


@pytest.fixture
def page(alert: Explanation) -> Page:
    return Page(page_of(alert.caller_id))


def hostile(explanation: Explanation) -> Explanation:
    """The explanation with an attack in every text that a caller or a model's schema can set."""
    features = tuple(
        Feature(each.name, HOSTILE, HOSTILE, HOSTILE, each.static) for each in explanation.feature_info
    )
    info = EventInfo(HOSTILE, datetime(2026, 1, 1, tzinfo=UTC), {"amount": HOSTILE, HOSTILE: HOSTILE})
    events = tuple(
        EventValues(each.t, {**each.values, "device": HOSTILE}, info) for each in explanation.event_values
    )
    target = replace(explanation.targets[0], name=HOSTILE, label=HOSTILE)
    return replace(
        explanation,
        caller_id=HOSTILE,
        labels={HOSTILE: HOSTILE, "threshold": HOSTILE},
        model=HOSTILE,
        background=HOSTILE,
        targets=(target, target),
        feature_info=features,
        event_values=events,
        static_values={HOSTILE: HOSTILE},
        warnings=(ExplanationWarning("X", HOSTILE),),
        reasons_by_target={HOSTILE: tuple(replace(each, text=HOSTILE) for each in explanation.reasons)},
    )


def test_the_page_is_complete(alert: Explanation, page: Page) -> None:
    """Score, base value, label, threshold, story, values, attributions, quality, digests, options, versions."""
    words = page.words
    told = summary(alert)
    wanted = [told.headline, *(line for part in told.parts for line in part.lines)]
    wanted += [alert.model_digest, alert.background_digest, alert.name, alert.method_version, alert.caller_id]
    wanted += [f"reaches the threshold of {float(alert.labels['threshold']):.4g}", *alert.labels.values()]
    wanted += [f"Option {name}" for name in alert.options.__slots__]
    wanted += ["exact: all", "sampled:", "How to read this"]
    for text in wanted:
        assert " ".join(text.split()) in words, text


def test_the_history_has_every_unpruned_event_newest_first(alert: Explanation, page: Page) -> None:
    """With all raw values and the attribution; the pruned events are one row."""
    rows = [cells for cells in page.cells if re.match(r"t=|\d+ older", cells[0])]
    rows = rows[: len(alert.events) + 1]
    for cells, item in zip(rows, alert.events, strict=False):
        assert cells[0].split()[0].startswith(f"t={item.t}")
        assert cells[2] == f"{item.value:+z.3f} exact"
        event = next(event for event in alert.event_values if event.t == item.t)
        for name in event.values:
            assert alert.displayed(item.t or 0, name) in cells[1], name
    assert alert.pruned
    assert (
        rows[-1][0]
        == f"{alert.pruning.pruned_events} older events, t={alert.pruned.first_t}…{alert.pruned.last_t}"
    )
    assert rows[-1][2] == f"{alert.pruned.value:+z.3f} exact"


def test_bars_are_as_long_as_the_numbers(alert: Explanation, page: Page) -> None:
    """Of the features: lengths have the ratio of the values, and error bars are one standard error on each side."""
    items = sorted(alert.features.values(), key=lambda item: -abs(item.value))
    before = len(alert.events) + 1
    bars = page.of("rect")[before : before + len(items)]
    zeros = [line["x1"] for line in page.of("line") if line["class"] == "zero"][before : before + len(items)]
    scale = float(bars[0]["width"] or 0) / abs(items[0].value)
    for bar, zero, item in zip(bars, zeros, items, strict=True):
        assert float(bar["width"] or 0) == pytest.approx(abs(item.value) * scale, abs=0.02)
        assert bar["class"] == ("lowers" if item.value < 0 else "raises")
        end = float(bar["x"] or 0) + (float(bar["width"] or 0) if item.value >= 0 else 0.0)
        assert end - float(zero or 0) == pytest.approx(item.value * scale, abs=0.03)
    edges = [
        float(line["x2"] or 0) - float(line["x1"] or 0) for line in page.of("line") if line["class"] == "edge"
    ]
    wanted = [2 * 1.96 * item.standard_error * scale for item in items if item.standard_error]
    assert edges[: len(wanted)] == pytest.approx(wanted, abs=0.03)


def test_the_policy_allows_one_style_one_script_and_images_only(page: Page) -> None:
    """The hashes are those of the style and of the script; there is no request, and no other style or script."""
    (policy,) = [
        each["content"] for each in page.of("meta") if each.get("http-equiv") == "Content-Security-Policy"
    ]
    document, script = page.scripts
    assert policy == (
        f"default-src 'none'; img-src data: blob:; script-src '{digest(script)}'; style-src '{digest(page.style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert page.of("script") == [{"type": "application/json", "id": "document"}, {}]
    assert json.loads(document)
    for tag in ("img", "link", "iframe", "object", "form", "a"):
        assert page.count(tag) == 0
    for tag, attributes in page.elements:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert not {"src", "href"} & attributes.keys(), tag


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_the_script_holds_no_markup() -> None:
    """A page may carry it: nothing in it looks like the end of a script or a comment of HTML, and it loads no other."""
    script, style = bundle_file("report.js"), bundle_file("report.css")
    assert not re.search(r"</?script|<!--|\bimport\(", script, re.IGNORECASE)
    assert not re.search(r"</|@import|\burl\(", style)


def test_the_document_has_the_numbers_of_the_explanation(alert: Explanation, page: Page) -> None:
    """What the script draws: the levels as they were exported, the texts of events, and the threshold of the label."""
    document = json.loads(page.scripts[0])
    exported = alert.to_dict()
    for level in ("event_level", "feature_level", "cell_level"):
        assert document["explanation"][level] == exported[level]
    assert document["threshold"] == {"value": float(alert.labels["threshold"]), "source": "label"}
    assert [each["t"] for each in document["history"]] == sorted(
        (each.t for each in alert.event_values), reverse=True
    )
    units = {each.name: each.unit for each in alert.feature_info}
    for event in document["history"][: len(alert.events)]:
        assert set(event["values"]) == {name for name in units if alert.displayed(event["t"], name)}
        for name, value in event["values"].items():
            shown = alert.displayed(event["t"], name)
            assert value["text"] in (shown, f"{shown} {units[name]}".strip())
    assert "sequence" not in document["explanation"]


def test_the_page_can_be_read_without_seeing(page: Page) -> None:
    """Headings go down by one; tables name their columns."""
    assert page.of("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("scope" in each for each in page.of("th"))
    assert page.count("caption") == page.count("table") > 4
    anchors = {each["id"] for _, each in page.elements if "id" in each}
    assert {each["aria-labelledby"] for each in page.of("section")} <= anchors


@pytest.mark.slow
@pytest.mark.parametrize("make", [Explanation.to_html, Explanation._repr_html_])
def test_no_text_becomes_markup(make) -> None:  # type: ignore[no-untyped-def]
    """An attack in every text changes no element, is shown as text, and brings no control characters."""
    tame, wild = demo_alerts()["takeover-20"], hostile(demo_alerts()["takeover-20"])
    page, text = Page(make(wild)), make(wild)
    assert page.of("script") == Page(make(tame)).of("script")
    assert page.scripts[1:] == Page(make(tame)).scripts[1:]
    assert all("<" not in each for each in page.scripts[:1])
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert page.count("img") == 0
    assert Page(make(tame)).style == page.style
    assert "<script>alert(1)</script>" in page.words
    assert "{{7*7}}" in page.words
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)


def test_sequences_that_were_not_explained() -> None:
    """The page says so, and has neither empty tables nor figures."""
    alert = demo_alerts()["takeover-20"]
    bare = replace(
        alert,
        explained=False,
        levels={},
        event_values=(),
        pruning=replace(alert.pruning, curve=(), values=()),
    )
    page = Page(bare.to_html())
    assert "below the minimum score" in page.words
    assert page.count("rect") == 0
    assert "below the minimum score" in Page(bare._repr_html_()).words


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e6, 1e-7, 0.0])
def test_any_size_of_values(factor: float) -> None:
    """Pages and views are made of huge, tiny and no attributions."""
    alert = scaled(demo_alerts()["takeover-47"], factor)
    for text in (alert.to_html(), alert._repr_html_()):
        page = Page(text)
        assert all(0 <= float(bar["width"] or -1) <= 200 for bar in page.of("rect"))


def test_warnings_and_deadlines_come_first() -> None:
    """Before the story."""
    alert = replace(
        demo_alerts()["takeover-20"], warnings=(ExplanationWarning("X", "mind the gap"),), cut_short=True
    )
    words = Page(alert.to_html()).words
    assert words.index("mind the gap") < words.index("In short")
    assert words.index("The deadline ended the computation") < words.index("In short")


def test_reasons_stand_before_the_story_and_ties_are_marked() -> None:
    """With their rank and attribution; the model's own weights stand at the events."""
    alert = demo_alerts()["takeover-20"]
    assert len(alert.reasons) > 1
    first, *others = (replace(each, rank=1, tied=bool(at)) for at, each in enumerate(alert.reasons[:2]))
    weights = tuple(at / 100 for at in range(alert.length))
    told = replace(alert, reasons_by_target={alert.targets[0].name: (first, *others)}, event_weights=weights)
    page = Page(told.to_html())
    rows = [cells for cells in page.cells if cells[0] == "1="]
    assert [cells[2] for cells in rows] == [each.text for each in alert.reasons[:2]]
    assert [float(cells[1]) for cells in rows] == pytest.approx(
        [each.value for each in alert.reasons[:2]], abs=0.006
    )
    assert page.words.index(first.text) < page.words.index("In short")
    assert "equally strong within their errors" in page.words
    (latest,) = [cells[0] for cells in page.cells if cells[0].startswith("t=0") and len(cells) == 4]
    assert latest.endswith("model's weight 0.19")
    assert first.text in Page(told._repr_html_()).words


@pytest.mark.slow
def test_another_target(client: Sequela) -> None:
    """The page of a target has its numbers, and the scores of all."""
    answer = client.explain([[1.0, 2.0]] * 4, model="m")
    assert len(answer.targets) > 1
    for target in answer.targets:
        page = Page(answer.to_html(target=target.name))
        assert (target.label or target.name) in page.words.partition("In short")[0]
        assert all(
            (each.label or each.name) in page.words.partition("All explained outputs")[2]
            for each in answer.targets
        )
    with pytest.raises(KeyError, match="nobody"):
        answer.to_html(target="nobody")


def test_the_notebook_view_is_small(alert: Explanation) -> None:
    """Below 30 kB, without scripts and requests; it has score, strongest event and feature, and how accurate it is."""
    text = alert._repr_html_()
    page = Page(text)
    assert len(text.encode()) < 30_000
    assert page.count("script") == page.count("img") == page.count("link") == 0
    assert "url(" not in page.style
    strongest = max(alert.features.values(), key=lambda item: abs(item.value))
    assert f"{strongest.value:+.3f} ± {1.96 * strongest.standard_error:.3f}" in page.words
    assert summary(alert).headline in page.words
    assert "Accuracy: ± 0.00" in page.words


def test_models_and_scores_in_a_notebook() -> None:
    """Their names, features and numbers, escaped."""
    feature = ModelFeature(HOSTILE, "", "", "", False, "numeric")
    model = Model(
        *(HOSTILE, "d1g3st", "uploaded", "ready", ""),
        inputs=(),
        features=(feature,),
        targets=(Target("risk", HOSTILE),),
        link="identity",
        fixed_length=None,
        per_event=False,
        bounded=True,
        default_background_digest="",
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
        execution="",
        endpoint_uri="",
        endpoint_version="",
        endpoint_revision="",
    )
    page = Page(model._repr_html_())
    assert page.count("script") == 0
    assert "d1g3st" in page.words
    assert "ready" in page.words
    cost = demo_alerts()["takeover-20"].cost
    scores = Page(Scores(("risk", HOSTILE), np.arange(40.0).reshape(20, 2), "d", cost)._repr_html_())
    assert scores.count("script") == 0
    assert "12 more rows" in scores.words
    assert ["7", "14", "15"] in scores.cells


@pytest.mark.slow
def test_the_command_writes_the_page(run: Run, real: str, tmp_path: Path) -> None:
    """Into a file beside the report, or to standard output instead of it."""
    model, alert = (
        DEMO / "models" / "account_takeover" / "1" / "model.onnx",
        DEMO / "alerts" / "takeover-20.json",
    )
    asked = ("explain", "--server", real, "--model", model, "--sequence", alert)
    done = run(*asked, "--html", tmp_path / "alert.html")
    assert done.exit_code == 0, done.output
    assert "What raised it" in done.stdout
    written = Page((tmp_path / "alert.html").read_text(encoding="utf-8"))
    assert "Probability of account takeover" in written.words
    printed = run(*asked, "--html", "-").stdout
    assert printed.startswith("<!DOCTYPE html>")
    assert Page(printed).scripts[1] == bundle_file("report.js")
    done = run(*asked, "--html", tmp_path / "nowhere" / "alert.html")
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


@pytest.mark.slow
def test_without_the_extra(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says so before it asks a server."""
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    asked = (
        "explain",
        "--server",
        "localhost:1",
        "--model",
        "m",
        "--sequence",
        DEMO / "alerts" / "takeover-20.json",
    )
    done = run(*asked, "--html", tmp_path / "alert.html")
    assert done.exit_code == 1
    assert "pip install '.[report]'" in done.stderr
    with pytest.raises(CallerError, match=r"pip install '\.\[report\]'"):
        demo_alerts()["takeover-20"].to_html()
