"""The list of alerts, against a plain filter and a plain sort of what the service lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from console.alerts.conftest import AlertConsole
from sequela_client.explanation import Explanation

Alert = dict[str, Any]


@pytest.fixture(scope="module")
def stored(alerts: AlertConsole) -> dict[str, Explanation]:
    """All explanations of the service, by the last part of their name."""
    summaries = list(alerts.service.list_explanations())
    return {
        each.name.removeprefix("explanations/"): alerts.service.get_explanation(each.name)
        for each in summaries
    }


def ids(page: dict[str, Any]) -> list[str]:
    return [each["id"] for each in page["alerts"]]


def whole(alerts: AlertConsole, **parameters: Any) -> list[str]:
    return ids(alerts.get("/api/alerts", limit=500, **parameters))


def test_a_line_has_what_the_service_has(alerts: AlertConsole, stored: dict[str, Explanation]) -> None:
    """Every line equals the explanation that it is about."""
    page = alerts.get("/api/alerts", limit=500)
    assert page["total"] == len(page["alerts"]) == len(stored)
    for line in page["alerts"]:
        explanation = stored[line["id"]]
        first = explanation.targets[0]
        assert (line["callerId"], line["labels"]) == (explanation.caller_id, dict(explanation.labels))
        assert (line["score"], line["base"]) == (first.raw_score, first.raw_base_value)
        assert (line["events"], line["model"]) == (explanation.length, explanation.model)
        threshold = float(explanation.labels.get("threshold", "0.5"))
        assert line["threshold"] == {
            "value": threshold,
            "source": "label" if "threshold" in explanation.labels else "default",
        }
        assert line["alert"] is (first.raw_score >= threshold)
        named = {each.feature for each in explanation.reasons if each.feature}
        assert {each["feature"] for each in line["reasons"]} == named


FILTERS: list[tuple[dict[str, Any], Callable[[Explanation], bool]]] = [
    ({"min_score": 0.9}, lambda e: e.targets[0].raw_score >= 0.9),
    ({"min_score": 0.1, "max_score": 0.99}, lambda e: 0.1 <= e.targets[0].raw_score <= 0.99),
    ({"label": "country:PT"}, lambda e: e.labels.get("country") == "PT"),
    ({"feature": "amount"}, lambda e: any(each.feature == "amount" for each in e.reasons)),
    ({"q": "takeover"}, lambda e: e.caller_id.startswith("takeover") or "takeover" in str(e.labels)),
    ({"q": "LATED-0001"}, lambda e: "lated-0001" in e.caller_id),
    ({"q": "pt"}, lambda e: e.labels.get("country") == "PT"),
    ({"model": "models/account_takeover/versions/1"}, lambda e: True),
    ({"model": "models/account_takeover/versions/2"}, lambda e: False),
    ({"verdict": "fraud"}, lambda e: False),
    ({"verdict": "open"}, lambda e: True),
    ({"since": "1h"}, lambda e: True),
    ({"to": "2020-01-01T00:00:00Z"}, lambda e: False),
]


@pytest.mark.parametrize(("parameters", "has"), FILTERS, ids=[str(each[0]) for each in FILTERS])
def test_filters(
    alerts: AlertConsole,
    stored: dict[str, Explanation],
    parameters: dict[str, Any],
    has: Callable[[Explanation], bool],
) -> None:
    """Each filter keeps what a plain condition keeps."""
    page = alerts.get("/api/alerts", limit=500, **parameters)
    expected = {id for id, explanation in stored.items() if has(explanation)}
    assert set(ids(page)) == expected
    assert page["total"] == len(expected)


def test_the_search_finds_an_id(alerts: AlertConsole, stored: dict[str, Explanation]) -> None:
    for id in stored:
        assert whole(alerts, q=id) == [id]
        assert id in whole(alerts, q=id[3:12])


SORTS: list[tuple[str, Callable[[Alert], Any]]] = [
    ("created", lambda line: line["created"]),
    ("happened", lambda line: line["happened"] or line["created"]),
    ("score", lambda line: line["score"]),
    ("caller", lambda line: line["callerId"]),
]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("sort", "key"), SORTS, ids=[name for name, _ in SORTS])
def test_sorts_and_pages(alerts: AlertConsole, sort: str, key: Callable[[Alert], Any], order: str) -> None:
    """Pages of five, forward and back again, are the sorted list without gaps or repetitions."""
    lines = alerts.get("/api/alerts", limit=500)["alerts"]
    expected = [
        each["id"]
        for each in sorted(lines, key=lambda line: (key(line), line["id"]), reverse=order == "desc")
    ]
    page = alerts.get("/api/alerts", sort=sort, order=order, limit=5)
    assert page["previous"] is None
    pages = [ids(page)]
    while page["next"]:
        page = alerts.get("/api/alerts", sort=sort, order=order, limit=5, cursor=page["next"])
        pages.append(ids(page))
    assert [id for each in pages for id in each] == expected
    back = [ids(page)]
    while page["previous"]:
        page = alerts.get("/api/alerts", sort=sort, order=order, limit=5, cursor=page["previous"])
        back.append(ids(page))
    assert back[::-1] == pages


def test_neighbours_follow_the_list(alerts: AlertConsole) -> None:
    """Previous, next and position are those of the list with the same filters."""
    filters = {"min_score": 0.5, "sort": "score", "order": "asc"}
    listed = whole(alerts, **filters)
    for place, id in enumerate(listed):
        found = alerts.get(f"/api/alerts/{id}/neighbours", **filters)
        assert found == {
            "previous": listed[place - 1] if place else None,
            "next": listed[place + 1] if place + 1 < len(listed) else None,
            "position": place + 1,
            "total": len(listed),
        }


def test_neighbours_of_an_alert_that_has_left_the_list(alerts: AlertConsole) -> None:
    """One that was decided still leads to the next open one, so that a queue does not break."""
    listed = whole(alerts, verdict="open")
    alerts.post(f"/api/alerts/{listed[3]}/labels", verdict="fraud", previous=None)
    found = alerts.get(f"/api/alerts/{listed[3]}/neighbours", verdict="open")
    assert (found["previous"], found["next"]) == (listed[2], listed[4])
    assert (found["position"], found["total"]) == (None, len(listed) - 1)
    assert whole(alerts, verdict="decided") == [listed[3]]
    line = alerts.get("/api/alerts", verdict="fraud")["alerts"][0]
    assert (line["id"], line["decision"]["verdict"]) == (listed[3], "fraud")


def test_facets(alerts: AlertConsole, stored: dict[str, Explanation]) -> None:
    """Filters offer what alerts have."""
    facets = alerts.get("/api/alerts")["facets"]
    assert facets["models"] == sorted({each.model for each in stored.values()})
    for key in ("country", "outcome"):
        assert facets["labels"][key] == sorted({e.labels[key] for e in stored.values() if key in e.labels})
    named = {reason.feature for each in stored.values() for reason in each.reasons if reason.feature}
    assert {each["name"] for each in facets["features"]} == named


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"min_score": "high"}, "min_score"),
        ({"max_score": "nan"}, "max_score"),
        ({"min_score": "1e999"}, "min_score"),
        ({"from": "yesterday"}, "from"),
        ({"since": "7w"}, "since"),
        ({"sort": "colour"}, "sort"),
        ({"order": "up"}, "order"),
        ({"verdict": "guilty"}, "verdict"),
        ({"label": "country"}, "label"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": "100000"}, "limit"),
        ({"cursor": "xyz"}, "cursor"),
        ({"cursor": "WyJhZnRlciIsIngiLCJ5Il0"}, "cursor"),
        ({"cursor": "bnVsbA"}, "cursor"),
        ({"q": "x" * 10_000}, "q"),
        ({"q": "a\0b"}, "q"),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(alerts: AlertConsole, parameters: dict[str, str], field: str) -> None:
    assert alerts.refused("GET", "/api/alerts", params=parameters) == (400, "PARAMETER_INVALID", field)


@pytest.mark.parametrize("text", ["'", "%", "_", "\\", '"; DROP TABLE alert; --', "😀", "*", "[a-z]"])
def test_a_search_is_never_a_pattern(alerts: AlertConsole, text: str) -> None:
    """Signs that mean something to a database find nothing here."""
    assert alerts.get("/api/alerts", q=text)["total"] == 0
