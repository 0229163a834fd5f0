"""Explanations of held-out takeovers find what the simulator planted, through the real server and client.

The alerts are accounts that no training, threshold or demo run has seen: takeovers that the model flags at 1 % false
positives, in the order in which they are drawn, none left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sequela_client import Attribution, Explanation, Sequela

from models.account_takeover.features import CATEGORICAL, NUMERIC
from models.account_takeover.simulate import Account, accounts, draw_account

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "service" / "sequela" / "demo" / "models" / "account_takeover" / "1" / "model.onnx"
THRESHOLD = json.loads((ROOT / "models" / "account_takeover" / "report.json").read_text())["threshold"]
SEED = 5  # `make models` uses 1 to 4


def alerts(sequela: Sequela) -> Iterator[Account]:
    """Held-out takeovers that the model flags."""
    for account in accounts(SEED, 1.0):
        if sequela.score(inputs(account), model=str(MODEL)).values[0, 0] >= THRESHOLD:
            yield account


def inputs(account: Account) -> dict[str, np.ndarray]:
    return {"numeric": account.numeric(), "categorical": account.categorical()}


def strongest(attributions: Iterable[Attribution]) -> list[Attribution]:
    """The three of largest absolute value."""
    return sorted(attributions, key=lambda item: -abs(item.value))[:3]


def found(account: Account, explanation: Explanation) -> tuple[bool, bool]:
    """Are the top three events, and the top three features, all planted? Fewer than three events are a miss."""
    assert account.takeover
    events = [item.t for item in strongest(explanation.events)]
    features = [item.feature for item in strongest(explanation.features.values())]
    return len(events) == 3 and set(events) <= set(account.takeover.events), set(features) <= set(
        account.takeover.features
    )


def shares(sequela: Sequela, count: int, **options: Any) -> tuple[float, float, float]:
    """Of `count` alerts: where the top events, the top features, and both, are planted ones."""
    rows = []
    for account in islice(alerts(sequela), count):
        explanation = sequela.explain(
            inputs(account), model=str(MODEL), levels=["event", "feature"], **options
        )
        assert explanation.score > THRESHOLD > explanation.base_value
        rows.append(found(account, explanation))
    hits = np.array(rows)
    return float(hits[:, 0].mean()), float(hits[:, 1].mean()), float(hits.all(axis=1).mean())


def test_the_first_alerts_are_explained_by_what_was_planted(sequela: Sequela) -> None:
    """Each of the first held-out alerts has planted events and features as its top three."""
    assert shares(sequela, 5, target_standard_error=0.01) == (1, 1, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_alerts_are_explained_by_what_was_planted(sequela: Sequela) -> None:
    """Of 200 held-out alerts, 90 % or more have planted events and features as their top three, both at once."""
    assert min(shares(sequela, 200)) >= 0.9


def test_events_are_shown_in_the_units_people_know(sequela: Sequela) -> None:
    """Without display strings from the caller, the schema takes inputs back to raw values and category names."""
    account = draw_account(SEED, 0, 1.0)
    explanation = sequela.explain(inputs(account), model=str(MODEL), levels=["event"])
    raw = {name: column[-1] for name, column in account.history.columns.items()}
    for feature in NUMERIC:
        shown = float(explanation.displayed(0, feature.name).replace(",", ""))
        assert shown == pytest.approx(raw[feature.name], abs=0.6 * 10.0**-feature.decimals)
    for feature in CATEGORICAL:
        assert explanation.displayed(0, feature.name) == feature.categories[raw[feature.name]]
    units = {item.name: item.unit for item in explanation.feature_info}
    assert units["amount"] == "EUR"
    assert units["distance"] == "km"


def test_the_model_tells_how_its_numbers_are_shown(sequela: Sequela) -> None:
    """The client makes the same text from the numbers of the sequence, for every event and numeric feature."""
    account = draw_account(SEED, 0, 1.0)
    quick = {"levels": ["event"], "pruning_tolerance": 0, "max_coalitions": 256}
    explanation = sequela.explain(inputs(account), model=str(MODEL), **quick)
    features = [each for each in sequela.register_model(MODEL).features if each.kind == "numeric"]
    assert [each.name for each in features] == [each.name for each in NUMERIC]
    assert len(explanation.event_values) == len(account.numeric())
    for event in explanation.event_values:
        for feature, x in zip(features, account.numeric()[event.t - 1], strict=True):
            assert feature.display is not None
            assert feature.display.text(x) == event.values[feature.name]
