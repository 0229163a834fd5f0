"""Explanations of simulated accounts by a real server, written as rows: the reports agree with the answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cohort.reports.cohort_files import metadata, write
from sequela_client import Explanation, Sequela
from sequela_client.cohort.dataset import Cohort
from serving import Serving, embedded

from models.account_takeover.simulate import Account, accounts
from models.exported.page import ROOT

MODELS = ROOT / "service" / "sequela" / "demo" / "models"
COUNT = 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def some() -> list[Account]:
    return list(islice(accounts(7, 0.5), COUNT))


@pytest.fixture(scope="module")
def sequela() -> Iterator[Sequela]:
    with (
        Serving(embedded(model_repository=MODELS)) as serving,
        Sequela(serving.bound.grpc, timeout=60) as client,
    ):
        yield client


def ask(client: Sequela, account: Account, **options: Any) -> Explanation:
    inputs = {"numeric": account.numeric(), "categorical": account.categorical()}
    options = {"levels": ["event", "feature"], "max_coalitions": 256, "full_pruning_curve": True, **options}
    return client.explain(inputs, model="account_takeover", **options)


def as_row(place: int, account: Account, answer: Explanation) -> dict[str, Any]:
    pruning = answer.pruning
    numbers = lambda item: {"value": item.value, "standard_error": item.standard_error}  # noqa: E731
    return {
        "id": account.id,
        "variant": "",
        "row": place,
        "status": "explained",
        "target": answer.targets[0].name,
        "model_digest": answer.model_digest,
        "background_digest": answer.background_digest,
        "score": answer.score,
        "base_value": answer.base_value,
        "length": answer.length,
        "labels": [("fraud", str(int(account.takeover is not None)))],
        "pruned_events": pruning.pruned_events,
        "pruning": {
            "tolerance": pruning.tolerance,
            "value": pruning.value,
            "standard_error": pruning.standard_error,
            "verdict": pruning.verdict.value if pruning.verdict else None,
            "scan_complete": pruning.scan_complete,
            "curve": [{"t": point.t, "importance": point.importance} for point in pruning.curve],
        },
        "events": [{"t": event.t, **numbers(event)} for event in answer.events],
        "features": [{"feature": name, **numbers(item)} for name, item in answer.features.items()],
        "warnings": [warning.reason for warning in answer.warnings],
    }


@pytest.fixture(scope="module")
def answers(sequela: Sequela, some: list[Account]) -> list[Explanation]:
    return [ask(sequela, account) for account in some]


@pytest.fixture(scope="module")
def real(answers: list[Explanation], some: list[Account], tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    rows = [as_row(place, *pair) for place, pair in enumerate(zip(some, answers, strict=True))]
    names = list(answers[0].features)
    return Cohort.open(
        write(tmp_path_factory.mktemp("real"), rows, metadata(names, target=answers[0].targets[0].name))
    )


def test_reports_agree_with_the_answers(real: Cohort, answers: list[Explanation]) -> None:
    latest = [answer.events[0].value for answer in answers]
    found = real.events().to_pylist()[0]
    assert (found["t"], found["n"], found["mean"]) == (0, COUNT, pytest.approx(np.mean(latest)))
    for row in real.features().to_pylist():
        values = [answer.features[row["feature"]].value for answer in answers]
        assert row["mean"] == pytest.approx(np.mean(values), abs=1e-12)
    share = real.latest_share().to_pylist()[0]
    assert share["ratio_of_means"] == pytest.approx(
        sum(latest) / sum(a.score - a.base_value for a in answers)
    )


@pytest.mark.parametrize("tolerance", [0.005, 0.05])
def test_lengths_are_those_of_a_run_with_that_tolerance(
    real: Cohort, sequela: Sequela, some: list[Account], tolerance: float
) -> None:
    """Table 1 from the curve of one run, against the server's own cut at another tolerance."""
    asked = [ask(sequela, account, pruning_tolerance=tolerance, levels=["event"]) for account in some[:20]]
    lengths = [a.length - a.pruning.pruned_events + (a.pruning.pruned_events > 0) for a in asked]
    found = real.where("row < 20").pruning((tolerance,)).to_pylist()[1]
    assert (found["mean_length"], found["max_length"]) == (pytest.approx(np.mean(lengths)), max(lengths))


def test_the_planted_takeover_is_visible(real: Cohort) -> None:
    """Among the strongest features are those of which takeovers are made; takeovers have the higher scores."""
    strongest = set(real.labelled("fraud", "1").features()["feature"].to_pylist()[:4])
    assert len(strongest & {"device", "distance", "amount", "transaction_type", "event_type"}) >= 3
    score = real.drift("fraud", "0", "1").to_pylist()[0]
    assert score["change"] > 0.5
    assert score["p_value"] < 1e-6


def test_the_page(real: Cohort, tmp_path: Path) -> None:
    page = real.to_html(by="fraud", outcome="fraud=1")
    assert page.count("<img ") == 4  # events, features, pruning, groups
    assert "run sequela explain-all with --first-positive THRESHOLD" in page
