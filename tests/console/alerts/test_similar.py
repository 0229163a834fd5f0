"""Similar alerts, against plain distances between the explanations of the service."""

from __future__ import annotations

import numpy as np
import pytest
from console.alerts.conftest import AlertConsole
from console.filled_service import MODEL, bundled_alerts, simulated_sequence
from sequela_client.explanation import Explanation
from sequela_client.files import read_sequence


def effects(explanation: Explanation) -> dict[str, float]:
    """The effects of the features, and of the older events as `P`."""
    found = {name: each.value for name, each in explanation.features.items()}
    assert explanation.feature_level is not None
    older = [each.value for each in explanation.feature_level.attributions if each.kind == "pruned"]
    return {**found, "P": sum(older)}


def test_the_nearest_come_first(alerts: AlertConsole) -> None:
    """Order and distances equal those of plain vectors; the alert itself is not among them."""
    stored = [alerts.service.get_explanation(each.name) for each in alerts.service.list_explanations()]
    for own in stored[:4]:
        id = own.name.removeprefix("explanations/")
        mine = effects(own)
        expected = sorted(
            (float(np.sqrt(sum((effects(each)[name] - mine[name]) ** 2 for name in mine))), each.name)
            for each in stored
            # The same content was explained with another background row: its numbers differ.
            if each.name != own.name and each.background_digest == own.background_digest
        )
        answer = alerts.get(f"/api/alerts/{id}/similar", limit=50)
        assert [f"explanations/{each['alert']['id']}" for each in answer] == [name for _, name in expected]
        for each, (distance, _) in zip(answer, expected, strict=True):
            assert each["distance"] == pytest.approx(distance, abs=1e-6)
            theirs = effects(next(one for one in stored if one.name.endswith(each["alert"]["id"])))
            assert each["common"] == common(mine, theirs)
        assert alerts.get(f"/api/alerts/{id}/similar", limit=3) == answer[:3]


def common(mine: dict[str, float], theirs: dict[str, float]) -> list[str]:
    """The two strongest features among the five strongest of both that have the same sign."""
    strong = [
        set(sorted(set(each) - {"P"}, key=lambda name: -abs(each[name]))[:5]) for each in (mine, theirs)
    ]
    shared = [name for name in strong[0] & strong[1] if mine[name] * theirs[name] > 0]
    return sorted(shared, key=lambda name: -min(abs(mine[name]), abs(theirs[name])))[:2]


def test_the_same_content_is_left_out(alerts: AlertConsole) -> None:
    """A second request for the same alert is not an independent case."""
    file = next(each for each in bundled_alerts() if each.stem == "takeover-20")
    again = alerts.service.explain(read_sequence(file), model=MODEL, caller_id="once more")
    try:
        alerts.server.console.index.refresh()
        first = alerts.id_of("takeover-20")
        for id, other in ((first, again.name[13:]), (again.name[13:], first)):
            found = [each["alert"]["id"] for each in alerts.get(f"/api/alerts/{id}/similar", limit=50)]
            assert other not in found
    finally:
        alerts.service.delete_explanations(name=again.name)


def test_the_same_case_is_left_out(alerts: AlertConsole) -> None:
    """The same sequence with another seed, and other sequences of the same case, are no independent cases."""
    others = [
        alerts.service.explain(simulated_sequence(3), model=MODEL, seed=5, caller_id="with another seed"),
        alerts.service.explain(simulated_sequence(31), model=MODEL, caller_id="simulated-00003"),
    ]
    independent = alerts.service.explain(simulated_sequence(26), model=MODEL)
    first = next(
        each
        for each in alerts.service.list_explanations()
        if each.caller_id == "simulated-00003"
        and each.length == len(simulated_sequence(3).events)
        and each.name not in {other.name for other in others}
    )
    try:
        alerts.server.console.index.refresh()
        alerts.server.console.index.nearest._known.clear()
        answer = alerts.get(f"/api/alerts/{first.name[13:]}/similar", limit=50)
        found = {each["alert"]["id"]: each["later"] for each in answer}
        assert found.keys().isdisjoint(each.name[13:] for each in others)
        assert found[independent.name[13:]] is True
        assert [each["later"] for each in answer] == [
            each["alert"]["created"] > first.create_time.isoformat() for each in answer
        ]
        assert len(set(found.values())) == 2
    finally:
        for each in (*others, independent):
            alerts.service.delete_explanations(name=each.name)


def test_other_spaces_are_left_out(alerts: AlertConsole) -> None:
    """Numbers on another scale cannot be compared."""
    logit = alerts.service.explain(simulated_sequence(16), model=MODEL, link="logit")
    try:
        alerts.server.console.index.refresh()
        id = logit.name.removeprefix("explanations/")
        assert alerts.get(f"/api/alerts/{id}/similar") == []
        for each in alerts.get(f"/api/alerts/{alerts.id_of('takeover-47')}/similar", limit=50):
            assert each["alert"]["id"] != id
    finally:
        alerts.service.delete_explanations(name=logit.name)


@pytest.mark.parametrize("parameters", [{"limit": "0"}, {"limit": "x"}, {"limit": "51"}])
def test_wrong_limits(alerts: AlertConsole, parameters: dict[str, str]) -> None:
    path = f"/api/alerts/{alerts.id_of('takeover-47')}/similar"
    assert alerts.refused("GET", path, params=parameters) == (400, "PARAMETER_INVALID", "limit")
