"""HELP texts say what a metric means, and what to do with it; what is not configured has no series."""

from __future__ import annotations

import re

import pytest
from documents import ROOT
from prometheus_client import Metric
from sequela.adapters.metrics.observer import PrometheusObserver
from sequela.explain.telemetry import StoreState
from serving import Serving, embedded

MODELS = ROOT / "service" / "sequela" / "demo" / "models"


def families(**changed: object) -> dict[str, Metric]:
    """Returns the metrics of a server that nobody called."""
    with Serving(embedded(**changed)) as server:
        return {each.name: each for each in server.wired.metrics.registry.collect()}


@pytest.fixture(scope="module")
def plain() -> dict[str, Metric]:
    """Of a server without engines, Redis, endpoints and models."""
    return families()


def test_texts_have_two_parts(plain: dict[str, Metric]) -> None:
    """A sentence that says what it is, and another that says what it is good for, or what to do."""
    ours = {name: each for name, each in plain.items() if re.match("sequela_|grpc_", name)}
    assert len(ours) > 35
    short = [
        name
        for name, each in ours.items()
        if len(re.findall(r"[.:](?= |$)", each.documentation)) < 2 and name != "sequela_http_request_seconds"
    ]
    assert not short


@pytest.mark.parametrize(
    "name",
    [
        "sequela_store_owed",
        "sequela_engines_up",
        "sequela_circuit_state",
        "sequela_endpoint_calls",
        "sequela_endpoint_window",
        "sequela_model_state",
    ],
)
def test_what_is_not_configured_has_no_series(name: str, plain: dict[str, Metric]) -> None:
    """Not 0, which means down or empty. The engines of callers' models are there whenever uploads are."""
    samples = [each for each in plain[name].samples if each.labels.get("class") != "untrusted"]
    assert samples == []


def test_what_is_configured_has_a_series() -> None:
    """Engines that are up, and a model that is ready."""
    found = families(engines=1, model_repository=MODELS)
    up = {each.labels["class"]: each.value for each in found["sequela_engines_up"].samples}
    assert up["trusted"] == 1
    states = {each.labels["state"]: each.value for each in found["sequela_model_state"].samples}
    assert states == {"loading": 0, "ready": 1, "failed": 0}


def test_a_store_is_up_or_down_once_it_is_known() -> None:
    """Until Redis was asked there is no series; the label says what the store is."""
    metrics = PrometheusObserver("1", "redis")
    read = metrics.registry.get_sample_value
    assert read("sequela_store_up", {"store": "redis"}) is None
    for up in (False, True):
        metrics.notice(StoreState(up))
        assert read("sequela_store_up", {"store": "redis"}) == up
