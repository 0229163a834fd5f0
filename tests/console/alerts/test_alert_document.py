"""The document of an alert, against the explanation, the file that was sent, and plain counting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from console.alerts.conftest import AlertConsole
from console.filled_service import MODEL, bundled_alerts, simulated_sequence
from console.filled_serving import MODELS, demo_serving
from console.running_console import running_console
from sequela_client.alert_document.cautions import cautions
from sequela_client.alert_document.material import read_material
from sequela_client.client import Sequela
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import Verdict
from sequela_client.local_server import embedded_server
from sequela_console.alerts.redaction import redacted

Document = dict[str, Any]


@pytest.fixture(scope="module")
def opened(alerts: AlertConsole) -> tuple[Document, Explanation, dict[str, Any]]:
    """The document of a bundled alert, its explanation, and the file that was sent."""
    id = alerts.id_of("takeover-47")
    file = next(each for each in bundled_alerts() if each.stem == "takeover-47")
    return (
        alerts.get(f"/api/alerts/{id}"),
        alerts.service.get_explanation(f"explanations/{id}"),
        json.loads(file.read_text()),
    )


def test_the_history_has_every_event(opened: tuple[Document, Explanation, dict[str, Any]]) -> None:
    """All events, newest first, with the caller's ids, times and texts; pruned ones too."""
    document, explanation, sent = opened
    assert [each["t"] for each in document["history"]] == list(range(0, -explanation.length, -1))
    for event, info in zip(document["history"], reversed(sent["events"]), strict=True):
        assert event["id"] == info["id"]
        assert event["time"].startswith(info["time"].removesuffix("Z"))
        for name, text in info["display"].items():
            if name in event["values"]:
                assert event["values"][name]["text"] == text
    pruned = [each["t"] for each in document["history"] if each["pruned"]]
    assert pruned == list(range(-3, -47, -1))
    assert explanation.pruning.pruned_events == len(pruned)


def test_values_are_those_that_the_service_shows(
    opened: tuple[Document, Explanation, dict[str, Any]],
) -> None:
    """The model's text of each unpruned value equals the service's own, with the unit of the feature."""
    document, explanation, _ = opened
    units = {each.name: each.unit for each in explanation.feature_info}
    by_t = {each["t"]: each["values"] for each in document["history"]}
    compared = 0
    for event in explanation.event_values:
        for name, text in event.values.items():
            value = by_t[event.t][name]
            shown = f"{text} {units[name]}" if units[name] else text
            assert (value["modelText"] or value["text"]) == shown or value["text"] == text
            if value["number"] is not None:
                assert f"{value['number']:,}" == text or float(text.replace(",", "")) == value["number"]
            compared += 1
    assert compared == 3 * 17


def test_the_same_case_is_not_among_the_others(alerts: AlertConsole) -> None:
    """Events of the same account, explained again or sent under the same caller id, are not those of other alerts."""
    first = alerts.id_of("simulated-00005")
    before = alerts.get(f"/api/alerts/{first}")["cohortEvents"]
    sequences = [simulated_sequence(index) for index in (5, 50, 51)]
    names = [
        alerts.service.explain(sequence, model=MODEL, levels=["feature"], caller_id=caller_id, seed=3).name
        for sequence, caller_id in zip(sequences, ("again", "simulated-00005", "independent"), strict=True)
    ]
    try:
        alerts.server.console.index.refresh()
        alerts.server.console.index.reference._known.clear()
        found = alerts.get(f"/api/alerts/{first}")["cohortEvents"]
        assert found == before + min(200, len(sequences[2].events))
    finally:
        for name in names:
            alerts.service.delete_explanations(name=name)
        alerts.server.console.index.refresh()
        alerts.server.console.index.reference._known.clear()


def test_effects_are_those_of_the_levels(opened: tuple[Document, Explanation, dict[str, Any]]) -> None:
    """Bars of events and of cells have the numbers of the event level and of the cell level."""
    document, explanation, _ = opened
    events = {each.t: (each.value, each.standard_error) for each in explanation.events}
    cells = {(c.t, c.feature): (c.value, c.standard_error) for c in explanation.cells if c.kind == "cell"}
    found_events, found_cells = {}, {}
    for event in document["history"]:
        if event["value"] is not None:
            found_events[event["t"]] = (event["value"], event["standardError"])
        for name, value in event["values"].items():
            if value["effect"] is not None:
                found_cells[event["t"], name] = (value["effect"], value["effectError"])
    assert found_events == events
    assert found_cells == cells
    assert cells


def test_standings_are_counted(
    alerts: AlertConsole, opened: tuple[Document, Explanation, dict[str, Any]]
) -> None:
    """Percentiles equal a plain count over the sequences that the service kept."""
    document, explanation, sent = opened
    others = [
        alerts.service.get_explanation(each.name).sequence
        for each in alerts.service.list_explanations()
        if each.name != explanation.name
    ]
    numeric = np.concatenate([each.inputs["numeric"][-200:] for each in others]).astype(np.float32)
    categorical = np.concatenate([each.inputs["categorical"][-200:] for each in others])
    assert document["cohortEvents"] == len(numeric)
    own_numeric = np.array(sent["inputs"]["numeric"], np.float32)
    own_categorical = np.array(sent["inputs"]["categorical"])
    names = [each.name for each in explanation.feature_info]
    for event in document["history"]:
        row = explanation.length - 1 + event["t"]
        for place, name in enumerate(names):
            among, own, ordered = (
                (numeric[:, place], own_numeric[:, place], True)
                if place < numeric.shape[1]
                else (categorical[:, place - 9], own_categorical[:, place - 9], False)
            )
            value = event["values"][name]
            assert value["cohort"] == pytest.approx(counted(own[row], among, ordered))
            assert value["own"] == (pytest.approx(counted(own[row], own[:row], ordered)) if row else None)


def counted(value: Any, among: Any, ordered: bool) -> dict[str, Any]:
    """The standing of a value, by counting."""
    n, equal, below = len(among), sum(among == value), sum(among < value)
    if not ordered:
        return {"percent": 100 * equal / n, "rank": None, "n": n}
    return {"percent": 100 * (below + equal / 2) / n, "rank": below + 1, "n": n}


def test_features(opened: tuple[Document, Explanation, dict[str, Any]]) -> None:
    """Kinds, categories, constancy and ranges follow from the model and the values."""
    document, _, sent = opened
    features = {each["name"]: each for each in document["features"]}
    assert (features["amount"]["kind"], features["amount"]["unit"]) == ("numeric", "EUR")
    assert features["device"]["categories"] == ["usual", "another enrolled", "new"]
    assert features["device"]["range"] is None
    values = np.array(sent["inputs"]["numeric"])
    for place, name in enumerate(list(features)[:9]):
        assert features[name]["constant"] is bool((values[:, place] == values[0, place]).all())
        numbers = [each["values"][name]["number"] for each in document["history"]]
        assert features[name]["range"]["low"] <= min(numbers)
        assert features[name]["range"]["high"] >= max(numbers)
    assert features["client_age"]["constant"]
    assert all(each["editable"] for each in features.values())


def test_everything_can_be_done_with_a_kept_sequence(
    opened: tuple[Document, Explanation, dict[str, Any]],
) -> None:
    document, _, _ = opened
    assert document["source"] == {"kind": "service"}
    assert set(document["capabilities"]) == {
        *("history", "percentiles", "score", "explain", "replay", "changes", "similar", "label")
    }
    assert all(each == {"ok": True, "why": ""} for each in document["capabilities"].values())


def test_the_quality_is_told_in_words(opened: tuple[Document, Explanation, dict[str, Any]]) -> None:
    """Each level says whether it is exact, and otherwise its 95 % interval."""
    document, explanation, _ = opened
    qualities = {each["level"]: each for each in document["quality"]}
    assert qualities["event"]["exact"]
    assert qualities["event"]["text"].startswith("exact")
    for name in ("feature", "cell"):
        error = explanation.levels[name].quality.largest_standard_error
        assert qualities[name]["standardError"] == pytest.approx(error)
        assert f"± {1.96 * error:.3g}" in qualities[name]["text"]


def test_the_alert_is_unknown(alerts: AlertConsole) -> None:
    for id in ("0" * 32, "x", "%2e%2e", "a" * 500, "é"):
        answer = alerts.refused("GET", f"/api/alerts/{id}")
        assert answer[:2] == (404, "ALERT_NOT_FOUND")


def test_the_target_is_unknown(alerts: AlertConsole) -> None:
    id = alerts.id_of("takeover-47")
    for target in ("1", "-1", "x", "1e9", "0.5"):
        answer = alerts.refused("GET", f"/api/alerts/{id}", params={"target": target})
        assert answer == (400, "PARAMETER_INVALID", "target")


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Sequela]]:
    """A console before a service that keeps no sequences."""
    folder = tmp_path_factory.mktemp("forgetful")
    with (
        demo_serving(keep_sequences=False) as address,
        running_console(address, folder) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
        Sequela(address) as service,
    ):
        yield http, service


def test_a_sequence_that_was_not_kept(forgetful: tuple[httpx.Client, Sequela]) -> None:
    """What was explained is shown with the service's texts; what needs the sequence says why it cannot be done."""
    http, service = forgetful
    explanation = service.explain(simulated_sequence(10), model="account_takeover")
    document = http.get(f"/api/alerts/{explanation.name.removeprefix('explanations/')}").json()
    by_t = {each["t"]: each for each in document["history"]}
    for event in explanation.event_values:
        for name, text in event.values.items():
            assert by_t[event.t]["values"][name]["text"].startswith(text)
    capabilities = document["capabilities"]
    assert capabilities["history"]["ok"]
    assert capabilities["similar"]["ok"]
    assert capabilities["label"]["ok"]
    for name in ("percentiles", "score", "explain", "replay", "changes"):
        assert not capabilities[name]["ok"]
        assert "did not keep" in capabilities[name]["why"]
    assert any("did not keep" in each for each in document["cautions"])
    answer = http.post(f"/api/alerts/{document['id']}/changes", json={})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "NOT_POSSIBLE")


def test_a_score_that_was_not_explained(forgetful: tuple[httpx.Client, Sequela]) -> None:
    """Below the minimum score there is only a score, and the page says so."""
    http, service = forgetful
    explanation = service.explain(simulated_sequence(4), model="account_takeover", minimum_score=1.0)
    assert not explanation.explained
    document = http.get(f"/api/alerts/{explanation.name.removeprefix('explanations/')}").json()
    assert document["explanation"]["targets"][0]["base_value"] is None
    assert any("minimum score of 1" in each for each in document["cautions"])
    assert not document["capabilities"]["similar"]["ok"]


def test_levels_that_were_not_asked_for(forgetful: tuple[httpx.Client, Sequela]) -> None:
    """Without the feature level, alerts cannot be compared, and the page says why."""
    http, service = forgetful
    explanation = service.explain(simulated_sequence(3), model="account_takeover", levels=["event"])
    document = http.get(f"/api/alerts/{explanation.name.removeprefix('explanations/')}").json()
    assert [each["level"] for each in document["quality"]] == ["event"]
    assert "effects of features were not computed" in document["capabilities"]["similar"]["why"]


@pytest.mark.slow
def test_a_model_that_was_replaced(tmp_path: Path) -> None:
    """A model of the same name with other content must not give its values and scores to old explanations."""
    models = tmp_path / "models"
    model = models / "account_takeover" / "1"
    model.mkdir(parents=True)
    for file in (MODELS / "account_takeover" / "1").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    store = f"sqlite:{tmp_path / 'store.db'}"
    with (
        embedded_server(["--model-repository", str(models), "--store", store]) as address,
        Sequela(address) as service,
    ):
        name = service.explain(simulated_sequence(2), model="account_takeover").name
    schema = json.loads((model / "schema.json").read_text())
    schema["features"][0]["label"] = "Other"
    (model / "schema.json").write_text(json.dumps(schema))
    with (
        embedded_server(["--model-repository", str(models), "--store", store]) as address,
        running_console(address, tmp_path) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        document = http.get(f"/api/alerts/{name.removeprefix('explanations/')}").json()
    assert "no longer has the model" in document["capabilities"]["score"]["why"]
    assert document["features"][0]["kind"] == "unknown"
    assert document["history"]


@pytest.mark.parametrize(("link", "noun"), [("identity", "score"), ("logit", "log-odds")])
def test_sentences_name_the_scale_of_effects(
    opened: tuple[Document, Explanation, dict[str, Any]], link: str, noun: str
) -> None:
    """Effects on the logit scale are amounts of log-odds, not of the score."""
    explanation = opened[1]
    pruning = replace(explanation.pruning, pruned_events=3, values=(0.2,), verdicts=(Verdict.EXCEEDS,))
    told = replace(explanation, pruning=pruning, options=replace(explanation.options, link=link))
    (sentence,) = [each for each in cautions(read_material(told, 0, None, None)) if "which is more" in each]
    assert sentence.startswith(f"The 3 older events taken together changed the {noun} by +0.200, which")
    texts = [each.text for reasons in redacted(told).reasons_by_target.values() for each in reasons]
    assert texts
    assert all(each.endswith(" log-odds") == (link == "logit") for each in texts)
