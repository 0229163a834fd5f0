"""Sequela as KServe's custom explainer: the manifest by KServe's own classes, and explanations through its server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from real_servers import DEMO, ROOT, SCRIPTS, python, running
from sequela_client import Explanation, Sequela
from serving import Serving, embedded
from waiting import PATIENCE, eventually

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(600)]

MANIFEST = ROOT / "deploy" / "kserve" / "takeover.yaml"
NAME = "account_takeover"
ALERTS = [
    json.loads((ROOT / "service" / "sequela" / "demo" / "alerts" / f"takeover-{number}.json").read_text())[
        "inputs"
    ]
    for number in (20, 47)
]


def check(manifest: Any, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    command = [python("kserve"), "-E", SCRIPTS / "check_manifest.py", path]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)


def test_the_manifest_is_one_of_kserves(tmp_path: Path) -> None:
    """Its classes take it as it is, and refuse it with a field that they do not know."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    done = check(manifest, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "kserve-container"
    manifest["spec"]["explainer"]["containers"][0]["readiness"] = {}
    assert "V1Container has no readiness" in check(manifest, tmp_path).stderr


@contextmanager
def explainer(folder: Path, host: str, *arguments: str) -> Iterator[str]:
    """The explainer's URL: started with the manifest's command, and with what KServe appends."""
    ready = folder / "ready.json"
    schema = DEMO.with_name("schema.json")
    command = [
        sys.executable,
        "-m",
        "sequela.kserve",
        f"--schema={schema}",
        "--ready-file",
        str(ready),
        *arguments,
    ]
    command += ["--model_name", NAME, "--predictor_host", host, "--http_port", "0", "--workers", "2"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TMPDIR": str(folder),
        "SEQUELA_PORT": "0",
    }
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(ready.exists, PATIENCE)
            yield f"http://127.0.0.1:{json.loads(ready.read_text())['http'].rsplit(':')[-1]}"
        finally:
            process.terminate()


@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
def test_a_predictor_is_explained(tmp_path: Path, protocol: str) -> None:
    """KServe's ModelServer as the predictor, by each protocol: what `:explain` answers for two alerts of different
    lengths is what the file's explanations are, to 1e-5.
    """
    options = {"levels": ["event", "feature"], "estimator": "regression", "max_coalitions": 512}
    body = {"instances": ALERTS, "parameters": options}
    with running("kserve", {NAME: DEMO}) as predictor:
        host = predictor.grpc if protocol == "grpc-v2" else predictor.http.removeprefix("http://")
        with explainer(tmp_path, host, "--predictor_protocol", protocol) as url:
            eventually(lambda: httpx.get(f"{url}/v1/models/{NAME}", timeout=PATIENCE).is_success, PATIENCE)
            explained = httpx.post(f"{url}/v1/models/{NAME}:explain", json=body, timeout=PATIENCE)
            predicted = httpx.post(f"{url}/v1/models/{NAME}:predict", json=body, timeout=PATIENCE)
    found = explained.raise_for_status().json()["explanations"]
    scores = predicted.raise_for_status().json()["predictions"]
    with Serving(embedded(model_repository=DEMO.parents[2])) as server, Sequela(server.bound.grpc) as sequela:
        for alert, explanation, score in zip(ALERTS, found, scores, strict=True):
            sequence = {name: np.array(values) for name, values in alert.items()}
            assert int(explanation["cost"]["endpoint_rows"]) > 0
            assert_alike(explanation, score, sequela.explain(sequence, model=NAME, **options))


def assert_alike(found: Any, score: Any, wanted: Explanation) -> None:
    """The same score, and the same events with the same attributions."""
    np.testing.assert_allclose(score, [wanted.score], rtol=0, atol=1e-5)
    events = {
        each["event"]: each["values"] for each in found["event_level"]["attributions"] if "event" in each
    }
    assert sorted(events) == sorted(event.t for event in wanted.events)
    for event in wanted.events:
        np.testing.assert_allclose(events[event.t], [event.value], rtol=0, atol=1e-5)


def test_a_predictor_that_is_down_does_not_stop_the_explainer(tmp_path: Path) -> None:
    """It is ready, the model is not: 503, until the predictor is there."""
    with explainer(tmp_path, "127.0.0.1:1") as url:
        assert httpx.get(f"{url}/readyz", timeout=PATIENCE).is_success
        found = httpx.post(f"{url}/v1/models/{NAME}:explain", json={"instances": ALERTS}, timeout=PATIENCE)
        assert found.status_code == 503
        assert int(found.headers["retry-after"]) > 0
