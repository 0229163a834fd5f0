"""What if, and replay: nothing that is tried is stored, and every number is the model's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client import file_models as models
from console.alerts.conftest import AlertConsole
from sequela_client.explanation import Explanation
from sequela_console.alerts.replays import compared
from sequela_console.alerts.trials import trial_labels

DEVICE, AMOUNT = 2, 0  # columns of the model's inputs


@pytest.fixture(scope="module")
def original(alerts: AlertConsole) -> Explanation:
    return alerts.service.get_explanation(f"explanations/{alerts.id_of('takeover-47')}")


def changed_inputs(original: Explanation) -> dict[str, Any]:
    """The latest event with an amount of 10 EUR and the usual device, encoded here by hand."""
    assert original.sequence is not None
    inputs = {name: array.copy() for name, array in original.sequence.inputs.items()}  # type: ignore[union-attr]
    inputs["numeric"][-1, AMOUNT] = (np.log1p(10.0) - 0.8) / 1.7
    inputs["categorical"][-1, DEVICE] = 0
    return inputs


EDITS = [{"t": 0, "feature": "amount", "to": 10}, {"t": 0, "feature": "device", "to": "usual"}]


def test_scores_are_those_of_the_model(alerts: AlertConsole, original: Explanation) -> None:
    """An edited alert has the score that the service gives for the same numbers."""
    path = f"/api/alerts/{alerts.id_of('takeover-47')}/score"
    expected = alerts.service.score(changed_inputs(original), model=original.model).values[0, 0]
    assert alerts.post(path, edits=EDITS) == {"score": expected, "alert": bool(expected >= 0.8465)}
    assert alerts.post(path, edits=[]) == {"score": original.score, "alert": True}


def test_a_trial_is_explained_and_not_stored(alerts: AlertConsole, original: Explanation) -> None:
    """The document of a trial has the numbers of a fresh explanation, and the store has nothing new."""
    path = f"/api/alerts/{alerts.id_of('takeover-47')}/explain"
    before = [each.name for each in alerts.service.list_explanations()]
    document = alerts.post(path, edits=EDITS)
    assert [each.name for each in alerts.service.list_explanations()] == before
    fresh = alerts.service.explain(changed_inputs(original), model=original.model, dry_run=True)
    assert document["explanation"]["feature_level"]["attributions"][1:] == [
        {**each, "values": list(each["values"]), "standard_errors": list(each["standard_errors"])}
        for each in fresh.to_dict()["feature_level"]["attributions"][1:]
    ]
    assert document["source"] == {"kind": "dry_run"}
    assert document["edits"] == EDITS
    latest = document["history"][0]["values"]
    assert (latest["amount"]["text"], latest["device"]["text"]) == ("10.00 EUR", "usual")
    assert document["threshold"] == {"value": 0.8465, "source": "label"}
    assert not document["capabilities"]["label"]["ok"]
    assert not document["capabilities"]["replay"]["ok"]


def test_options_of_a_trial(alerts: AlertConsole, original: Explanation) -> None:
    """The whole pruning curve, blocks of older events, and another tolerance can be asked for."""
    path = f"/api/alerts/{alerts.id_of('takeover-47')}/explain"
    document = alerts.post(path, options={"full_pruning_curve": True, "pruning_tolerance": 0})
    pruning = document["explanation"]["pruning"]
    assert pruning["pruned_events"] == 0
    refined = alerts.post(path, options={"refine_history": True, "pruning_tolerance": 0.5})
    assert refined["explanation"]["options"]["refine_history"] is True
    assert len(refined["explanation"]["pruning"]["curve"]) == original.length - 1
    # What was not asked for stays as it was.
    assert refined["explanation"]["options"]["max_coalitions"] == original.options.max_coalitions


def test_a_model_with_another_order_of_columns(alerts: AlertConsole, tmp_path: Path) -> None:
    """It gets each value in the column of the same feature, and the page shows it there. A feature may be missing."""
    x, names = np.random.default_rng(4).normal(size=(5, 3)), ("amount", "hour", "age")
    for version, order in enumerate((names, names[::-1], ("amount", "hour", "balance")), 1):
        schema = models.features(*order) | {"background": {"x": [0.0, 0.0, 0.0]}}
        path = models.written(tmp_path / str(version), models.weighted(3), schema)
        alerts.service.register_model(path, name=f"turned/{version}")
    alert = alerts.service.explain(x, model="turned/1", caller_id="turned").name
    try:
        path = f"/api/alerts/{alert.removeprefix('explanations/')}/explain"
        document = alerts.post(path, model="models/turned/versions/2")
        refused = alerts.refused("POST", path, json={"model": "models/turned/versions/3"})
        expected = alerts.service.explain(x[:, ::-1], model="turned/2", dry_run=True)
    finally:
        alerts.service.delete_explanations(name=alert)
        alerts.service.delete_model("turned")
    assert refused == (400, "MODEL_DIFFERS", "model")
    assert document["explanation"]["targets"][0]["score"] == expected.score
    latest = next(each for each in document["history"] if each["t"] == 0)
    found = {name: latest["values"][name]["text"] for name in names}
    assert found == {name: f"{number:.2f}" for name, number in zip(names, x[-1], strict=True)}


def test_another_background(alerts: AlertConsole, original: Explanation) -> None:
    """With another background the base value is that of the background."""
    values = {"numeric": np.zeros(9, np.float32), "categorical": np.zeros(8, np.int64)}
    model = original.model
    name = alerts.service.create_background("zeros", values, model=model).name
    try:
        choices = alerts.get("/api/backgrounds", model=model)
        assert choices == [{"name": name, "label": "zeros (of account_takeover)"}]
        document = alerts.post(
            f"/api/alerts/{alerts.id_of('takeover-47')}/explain", background=name, model=model
        )
    finally:
        alerts.service.delete_background(name)
    base = alerts.service.score({key: np.stack([each] * 47) for key, each in values.items()}, model=model)
    assert document["explanation"]["targets"][0]["raw_base_value"] == pytest.approx(
        base.values[0, 0], rel=1e-5
    )
    assert document["explanation"]["background"] == name


def test_the_threshold_of_an_alert_is_that_of_its_own_model(original: Explanation) -> None:
    """The threshold in the labels is dropped with another model, and so is one replaced under the same name."""
    labels = {"threshold": "0.9", "country": "PT"}
    labelled = replace(original, labels=labels)
    assert trial_labels(labelled, original) == labels
    assert trial_labels(labelled, replace(original, model_digest="other")) == {"country": "PT"}


def test_models_can_be_chosen(alerts: AlertConsole) -> None:
    assert alerts.get("/api/models") == [
        {"name": "models/account_takeover/versions/1", "label": "account_takeover, version 1"}
    ]


def test_replay(alerts: AlertConsole) -> None:
    """Every stored explanation gives the same numbers again."""
    for caller_id in ("takeover-47", "false-alert", "simulated-00003"):
        answer = alerts.post(f"/api/alerts/{alerts.id_of(caller_id)}/replay")
        assert answer["same"], answer["differences"]
        assert answer["digest"] == answer["replayDigest"]


def test_a_replay_with_other_numbers(original: Explanation) -> None:
    """A single digit that differs is found, and told with the place where it is."""
    pruning = replace(original.pruning, values=(original.pruning.values[0] + 1e-12,))
    result = compared(original, replace(original, pruning=pruning, name="explanations/other"))
    assert not result.same
    assert [each.partition(":")[0] for each in result.differences] == ["pruning.values[0]"]
    assert result.digest != result.replay_digest


@pytest.mark.parametrize("feature", ["cost", "options", "seconds", "labels", "name"])
def test_a_replay_of_features_with_such_names(original: Explanation, feature: str) -> None:
    """Fields that are left out at their own place are compared where a feature is called like them."""
    event = original.event_values[0]
    first, other = (
        replace(original, event_values=(replace(event, values={**event.values, feature: text}),))
        for text in ("1", "2")
    )
    assert not compared(first, other).same
    target = replace(original.targets[0], name="another")
    assert not compared(original, replace(original, targets=(target,))).same


@pytest.mark.parametrize(
    ("edits", "field"),
    [
        ("x", "edits"),
        ([5], "edits"),
        ([{}], "edits[0].t"),
        ([{"t": 0.5, "feature": "amount", "to": 1}], "edits[0].t"),
        ([{"t": True, "feature": "amount", "to": 1}], "edits[0].t"),
        ([{"t": 1, "feature": "amount", "to": 1}], "edits[0].t"),
        ([{"t": -47, "feature": "amount", "to": 1}], "edits[0].t"),
        ([{"t": 0, "feature": "colour", "to": 1}], "edits[0].feature"),
        ([{"t": 0, "feature": "amount"}], "edits[0].to"),
        ([{"t": 0, "feature": "amount", "to": "much"}], "edits[0].to"),
        ([{"t": 0, "feature": "amount", "to": -5}], "edits[0].to"),
        ([{"t": 0, "feature": "amount", "to": [1]}], "edits[0].to"),
        ([{"t": 0, "feature": "hour_of_day", "to": 1e300}], "edits[0].to"),
        ([{"t": 0, "feature": "hour_of_day", "to": 10**400}], "edits[0].to"),
        ([{"t": 0, "feature": "device", "to": "toaster"}], "edits[0].to"),
        ([{"t": 0, "feature": "device", "to": 1}], "edits[0].to"),
        ([{"t": 0, "feature": "amount", "to": 1}] * 1000, "edits"),
    ],
    ids=lambda given: str(given)[:60],
)
@pytest.mark.parametrize("route", ["score", "explain"])
def test_wrong_edits_are_named(alerts: AlertConsole, route: str, edits: object, field: str) -> None:
    path = f"/api/alerts/{alerts.id_of('takeover-47')}/{route}"
    status, _, named = alerts.refused("POST", path, json={"edits": edits})
    assert (status, named) == (400, field)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "nowhere"}, 404),
        ({"model": 5}, 400),
        ({"background": "nowhere"}, 404),
        ({"options": []}, 200),
        ({"options": [1]}, 400),
        ({"options": {"pruning_tolerance": "x"}}, 400),
        ({"options": {"pruning_tolerance": -1}}, 400),
        ({"options": {"refine_history": "perhaps"}}, 400),
        ({"target": 7}, 400),
    ],
    ids=str,
)
def test_wrong_trials(alerts: AlertConsole, body: dict[str, object], status: int) -> None:
    answer = alerts.http.post(f"/api/alerts/{alerts.id_of('takeover-47')}/explain", json=body)
    assert answer.status_code == status, answer.text
