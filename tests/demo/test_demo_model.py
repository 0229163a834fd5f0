"""The committed model, schema and alerts belong together, and to the simulator."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import one_thread
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from models.account_takeover.features import CATEGORICAL, NUMERIC
from models.account_takeover.simulate import Account, accounts, draw_account

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "service" / "sequela" / "demo"
MODEL = DEMO / "models" / "account_takeover" / "1" / "model.onnx"
SCHEMA = MODEL.with_name("schema.json")
ALERTS = sorted((DEMO / "alerts").glob("*.json"))
REPORT = json.loads((ROOT / "models" / "account_takeover" / "report.json").read_text())
HELD_OUT_SEED = 3  # of `make models`


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text())
    return loaded


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return one_thread.session(MODEL)


def score(session: onnxruntime.InferenceSession, numeric: Any, categorical: Any) -> float:
    inputs = {
        "numeric": np.asarray(numeric, np.float32)[None],
        "categorical": np.asarray(categorical, np.int64)[None],
    }
    return float(session.run(None, inputs)[0][0, 0])


def test_the_model_is_one_small_file_with_one_forward_gru() -> None:
    """Under 1 MB, opset 17 or newer, no external data, one forward GRU, batch and length free."""
    model = onnx.load(MODEL, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert MODEL.stat().st_size < 1_000_000
    assert [(entry.domain, entry.version >= 17) for entry in model.opset_import] == [("", True)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    (gru,) = (node for node in model.graph.node if node.op_type == "GRU")
    assert {a.name: onnx.helper.get_attribute_value(a) for a in gru.attribute}.get(
        "direction", b"forward"
    ) == b"forward"
    for given in model.graph.input:
        assert all(axis.dim_param for axis in given.type.tensor_type.shape.dim[:2])


@pytest.mark.slow
def test_recall_is_what_the_report_says(session: onnxruntime.InferenceSession) -> None:
    """Of 400 held-out takeovers the reported share is flagged, within three standard errors."""
    stolen = islice((a for a in accounts(HELD_OUT_SEED, 0.25) if a.takeover), 400)
    flagged = [score(session, a.numeric(), a.categorical()) >= REPORT["threshold"] for a in stolen]
    recall = REPORT["recall"]
    assert np.mean(flagged) == pytest.approx(recall, abs=3 * np.sqrt(recall * (1 - recall) / 400))
    assert 0.7 < recall < 0.95
    assert REPORT["false_positive_rate"] == pytest.approx(0.01, abs=0.003)


def test_long_histories_keep_ordinary_scores(
    session: onnxruntime.InferenceSession, schema: dict[str, Any]
) -> None:
    """Two thousand average events score as low as ten: the state settles."""
    event = schema["background"]
    short, long = (
        score(session, [event["numeric"]] * length, [event["categorical"]] * length) for length in (10, 2187)
    )
    assert short < 0.01
    assert long < 0.01


def test_the_schema_takes_inputs_back_to_raw_values(schema: dict[str, Any]) -> None:
    """The inverse of its transform, of mean + scale * x, is the simulator's raw value; names are in order."""
    account = draw_account(5, 0, 1.0)
    features = {feature["name"]: feature for feature in schema["features"]}
    assert list(features) == [feature.name for feature in (*NUMERIC, *CATEGORICAL)]
    for index, name in enumerate(feature.name for feature in NUMERIC):
        assert features[name]["columns"] == {"numeric": [index]}
        display = features[name]["display"]
        value = display["mean"] + display["scale"] * account.numeric()[:, index].astype(np.float64)
        raw = np.expm1(value) if display["transform"] == "log1p" else value
        np.testing.assert_allclose(raw, account.history.columns[name], rtol=1e-5, atol=1e-4)
    for index, feature in enumerate(CATEGORICAL):
        assert features[feature.name]["columns"] == {"categorical": [index]}
        assert features[feature.name]["categories"] == list(feature.categories)


def test_the_background_is_near_the_average_event_of_some_accounts(
    schema: dict[str, Any], some: list[Account]
) -> None:
    """As the next test says of all training accounts: of their first three hundred, within five standard errors."""
    lengths = np.array([len(account.history) for account in some])
    sums = np.array([account.numeric().sum(axis=0, dtype=np.float64) for account in some])
    mean = sums.sum(axis=0) / lengths.sum()
    # Of a ratio: events of one account are alike, so that accounts are drawn, not events.
    errors = np.sqrt(((sums - lengths[:, None] * mean) ** 2).sum(axis=0)) / lengths.sum()
    assert np.all(np.abs(schema["background"]["numeric"] - mean) < 5 * errors)
    ids = np.concatenate([account.categorical() for account in some])
    assert schema["background"]["categorical"] == [int(np.bincount(column).argmax()) for column in ids.T]


@pytest.mark.slow
def test_the_background_is_the_average_event(
    schema: dict[str, Any], bank_numeric: NDArray[np.float32], bank_categorical: NDArray[np.int64]
) -> None:
    """Mean of numeric and mode of categorical columns, over all events of the training accounts alike."""
    mean = bank_numeric.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(schema["background"]["numeric"], mean, atol=1e-6)
    modes = [np.unique(ids, return_counts=True) for ids in bank_categorical.T]
    assert schema["background"]["categorical"] == [int(ids[counts.argmax()]) for ids, counts in modes]


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_an_alert_is_flagged_and_readable(path: Path, session: onnxruntime.InferenceSession) -> None:
    """Each alert scores above the threshold, describes every event in order, and names events that it has."""
    alert = json.loads(path.read_text())
    inputs, events = alert["inputs"], alert["events"]
    assert score(session, **inputs) >= float(alert["labels"]["threshold"])
    assert len(inputs["numeric"]) == len(inputs["categorical"]) == len(events)
    assert len({event["id"] for event in events}) == len(events)
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert all(event["display"]["event_type"] for event in events)
    if alert["truth"]:
        assert min(alert["truth"]["events"]) > -len(events)
        assert events[-1]["display"]["amount"].endswith(" EUR")


def test_the_alerts_are_the_simulators() -> None:
    """An alert's account, drawn again, has the same inputs and the same planted truth."""
    alert = json.loads((DEMO / "alerts" / "takeover-47.json").read_text())
    _, seed, index = alert["labels"]["account"].split("-")
    account = draw_account(int(seed), int(index), 0.5)
    assert account.takeover
    np.testing.assert_allclose(alert["inputs"]["numeric"], account.numeric(), atol=1e-4)
    assert alert["inputs"]["categorical"] == account.categorical().tolist()
    assert alert["truth"]["features"] == list(account.takeover.features)
    assert alert["truth"]["events"] == list(account.takeover.events)


def test_there_are_alerts_of_several_lengths_and_a_false_one() -> None:
    """A short, a 47-event and a 286-event takeover and one false alert, together under 300 KB."""
    alerts = [json.loads(path.read_text()) for path in ALERTS]
    lengths = {len(alert["events"]) for alert in alerts if alert["truth"]}
    assert {47, 286} < lengths
    assert [alert["labels"]["outcome"] for alert in alerts if not alert["truth"]] == ["false alert"]
    assert sum(path.stat().st_size for path in ALERTS) < 300_000
