"""Files that leave the console: what is in them, and what must not be."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from console.alerts.conftest import AlertConsole


def texts(item: Any) -> set[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(item, dict):
        return {text for pair in item.items() for part in pair for text in texts(part)}
    if isinstance(item, list):
        return {text for each in item for text in texts(each)}
    return {item} if isinstance(item, str) else set()


def test_files_are_those_of_the_client(alerts: AlertConsole) -> None:
    """JSON and CSV equal what the Python client writes for the stored explanation."""
    id = alerts.id_of("takeover-47")
    explanation = alerts.service.get_explanation(f"explanations/{id}")
    answer = alerts.http.get(f"/api/alerts/{id}/export.json")
    assert answer.text == explanation.to_json()
    assert answer.headers["content-disposition"] == f'attachment; filename="explanation-{id}.json"'
    answer = alerts.http.get(f"/api/alerts/{id}/export.csv")
    assert answer.text == explanation.to_csv()
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("caller_id", ["takeover-47", "simulated-00007"])
def test_a_redacted_file_names_nobody(alerts: AlertConsole, caller_id: str) -> None:
    """Nothing that the caller sent as text is in it: ids, labels, texts of events, times of events."""
    id = alerts.id_of(caller_id)
    explanation = alerts.service.get_explanation(f"explanations/{id}")
    assert explanation.sequence is not None
    secrets = {id, caller_id, *(text for key, text in explanation.labels.items() if key != "threshold")}
    for info in (*explanation.sequence.events, *(each.info for each in explanation.event_values)):
        secrets |= {info.id, *(info.time.isoformat() for _ in [0] if info.time)}
        # Words that the model's schema has, too, name nobody.
        secrets |= {text for text in info.display.values() if any(sign.isdigit() for sign in text)}
    secrets -= {"", *(text for each in explanation.event_values for text in each.values.values())}
    answers = [
        alerts.http.get(f"/api/alerts/{id}/export.{kind}", params={"redact": "true"})
        for kind in ("json", "csv")
    ]
    for answer in answers:
        assert [each for each in sorted(secrets) if each in answer.text] == []
        assert id not in answer.headers["content-disposition"]


def test_a_redacted_file_keeps_the_numbers(alerts: AlertConsole) -> None:
    """Scores, effects and the values of features are those of the whole file."""
    id = alerts.id_of("takeover-47")
    whole = alerts.get(f"/api/alerts/{id}/export.json")
    redacted = alerts.get(f"/api/alerts/{id}/export.json", redact="true")
    for name in (
        "targets",
        "pruning",
        "event_level",
        "feature_level",
        "cell_level",
        "options",
        "feature_info",
    ):
        assert redacted[name] == whole[name]
    assert redacted["sequence"]["inputs"] == whole["sequence"]["inputs"]
    assert [each["values"] for each in redacted["event_values"]] == [
        each["values"] for each in whole["event_values"]
    ]
    assert [each["value"] for each in redacted["reasons"]] == [each["value"] for each in whole["reasons"]]
    assert redacted["labels"] == {"threshold": "0.8465"}
    assert redacted["reasons"][0]["text"] == "Amount at the latest event: +0.228"


def test_every_text_of_a_redacted_file_is_allowed(alerts: AlertConsole) -> None:
    """A field that is added later must be allowed here before it may leave with the file."""
    id = alerts.id_of("takeover-47")
    whole = alerts.service.get_explanation(f"explanations/{id}")
    allowed = {
        *(
            text
            for each in whole.feature_info
            for text in (each.name, each.label, each.unit, each.description)
        ),
        *(text for each in whole.event_values for text in each.values.values()),
        *(text for each in whole.targets for text in (each.name, each.label)),
        *(each.template for each in whole.reasons),
        *(each.template_version for each in whole.reasons),
        *(each.reason for each in whole.warnings),
        *(each.message for each in whole.warnings),
        *(whole.model, whole.model_digest, whole.background, whole.background_digest, whole.method_version),
        *(whole.create_time.isoformat(), "redacted", "threshold", "0.8465", ""),
        *whole.cost.stage_seconds,
    }
    redacted = alerts.get(f"/api/alerts/{id}/export.json", redact="true")
    sentences = {each["text"] for each in redacted["reasons"]}
    labels = {each.label for each in whole.feature_info}
    assert all(any(label in sentence for label in labels) for sentence in sentences)
    words = {each for each in texts(redacted) - allowed - sentences if not each.replace("_", "").isalnum()}
    assert words == set()


def test_csv_has_no_formulas(alerts: AlertConsole) -> None:
    """A caller's text that begins like a formula gets an apostrophe."""
    from console.filled_service import MODEL, simulated_sequence  # noqa: PLC0415

    stored = alerts.service.explain(simulated_sequence(16), model=MODEL, caller_id="=1+1")
    try:
        id = stored.name.removeprefix("explanations/")
        rows = list(csv.DictReader(io.StringIO(alerts.http.get(f"/api/alerts/{id}/export.csv").text)))
    finally:
        alerts.service.delete_explanations(name=stored.name)
    assert {each["caller_id"] for each in rows} == {"'=1+1"}


def test_short_links(alerts: AlertConsole) -> None:
    """A view comes back as it was sent, under the same id each time."""
    state = {"v": 1, "pair": [0, 1], "note": "ä", "annotations": [{"name": "x" * 5000}]}
    first = alerts.post("/api/links", path="/cohorts/a/grid", state=state)
    assert alerts.post("/api/links", path="/cohorts/a/grid", state=state) == first
    assert alerts.post("/api/links", path="/alerts", state=state) != first
    assert alerts.get(f"/api/links/{first['id']}") == {"path": "/cohorts/a/grid", "state": state}
    text = alerts.post("/api/links", path="/alerts", state="?q=a")
    assert alerts.get(f"/api/links/{text['id']}")["state"] == "?q=a"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"path": "//other.example", "state": ""}, "path"),
        ({"path": "https://other.example", "state": ""}, "path"),
        ({"path": "/\\other.example", "state": ""}, "path"),
        ({"path": 5, "state": ""}, "path"),
        ({"state": ""}, "path"),
        ({"path": "/alerts", "state": 5}, "state"),
        ({"path": "/alerts", "state": "x" * 300_000}, "state"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_wrong_links(alerts: AlertConsole, body: dict[str, object], field: str) -> None:
    """A short link leads nowhere but to pages of this console."""
    assert alerts.refused("POST", "/api/links", json=body) == (400, "PARAMETER_INVALID", field)
    assert alerts.refused("GET", "/api/links/nothing")[:2] == (404, "LINK_NOT_FOUND")


def test_embed_links(alerts: AlertConsole) -> None:
    """The key is behind the sign #, which browsers do not send, and it is for this alert only."""
    id = alerts.id_of("takeover-47")
    answer = alerts.post(f"/api/alerts/{id}/embed-link")
    address, _, key = answer["url"].partition("#")
    assert address == f"{alerts.server.url}/embed/alerts/{id}"
    assert alerts.server.console.embed_keys.check(key, id) == ("", False)
    assert json.dumps(answer["expires"])
    assert alerts.refused("POST", "/api/alerts/beef/embed-link", json={})[:2] == (404, "ALERT_NOT_FOUND")
