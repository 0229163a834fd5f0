"""Every query of the dashboard answers from the metrics of a real server, as a real Prometheus scrapes them."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from api.rpc_calls import COLUMNS, explain_request, sequence
from documents import ROOT
from endpoint_folders import HASTY, reachable, schema_of, write_endpoint
from free_ports import free_ports
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME
from matrix import ROOT as MODELS
from redis_server import RedisServer, redis_server
from sequela_client import Sequela
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded
from waiting import PATIENCE, eventually

__all__ = ["redis_server"]

GRAFANA, PROMETHEUS = ROOT / "deploy" / "grafana", ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "sequela.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
MAY_BE_EMPTY = {
    "Refused requests",
    "Models that are not ready",
    "Ends of engines",
    "Look-ups that failed",
    "Skipped entries",
    "Reloads of credentials",
    "Calls at a time",
}
"""Panels of what does not happen while all is well."""
SCRAPE_SECONDS = 1
ROUNDS = 8
# Rates are of all the traffic, however long it took and however long the queries take after it.
VARIABLES = {"$job": ".+", "$instance": ".+", "$__rate_interval": "5m"}


@dataclass(frozen=True)
class Query:
    """A query of a panel, as Prometheus gets it."""

    panel: str
    expression: str


def queries() -> list[Query]:
    """Returns the queries of all panels."""
    found = []
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            found.append(Query(panel["title"], expression))
    return found


class Prometheus:
    """A Prometheus with our rules that scrapes one server."""

    def __init__(self, folder: Path, target: str) -> None:
        address = f"127.0.0.1:{free_ports(1)[0]}"
        self._client = httpx.Client(base_url=f"http://{address}/api/v1", timeout=PATIENCE, trust_env=False)
        config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        interval = f"{SCRAPE_SECONDS}s"
        config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
        config["rule_files"] = [str(PROMETHEUS / each) for each in config["rule_files"]]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--web.listen-address={address}"]
        command += [f"--storage.tsdb.path={folder}/data", "--enable-feature=exemplar-storage"]
        self._log = (folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def get(self, path: str, **parameters: str) -> Any:
        """Returns the data of an answer."""
        answer = self._client.get(path, params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    def values(self, expression: str) -> list[float]:
        """Returns the values of a query now, apart from those that are no number."""
        found = [float(each["value"][1]) for each in self.get("query", query=expression)["result"]]
        return [each for each in found if not math.isnan(each)]

    def is_scraping(self) -> bool:
        """Returns whether it has read metrics."""
        try:
            # Before it is ready it does not listen, or answers 503 to everything.
            if self._client.get("/status/runtimeinfo").status_code != 200:
                return False
            return bool(self.values("sequela_build_info"))
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._client.close()
        self._log.close()


def make_traffic(server: Serving, seed: int) -> None:
    """Sends a request of each kind, of which some fail."""
    for model in ("gru", "remote"):
        request = explain_request(model=pb.ModelReference(name=model), sequence=sequence(seed, 20))
        request.options.max_coalitions = 64
        server.explanations.Explain(request, timeout=PATIENCE)
    server.explanations.Explain(explain_request(sequence=sequence(seed)), timeout=PATIENCE)
    item = pb.ExplainStreamRequest(
        request=explain_request(model=pb.ModelReference(name="gru"), sequence=sequence(seed + 1000))
    )
    assert list(server.explanations.ExplainStream(iter([item]), timeout=PATIENCE))
    with pytest.raises(grpc.RpcError):
        server.explanations.GetExplanation(pb.GetExplanationRequest(name="explanations/none"))
    body = {"instances": [[[seed / 10] * COLUMNS] * 6], "parameters": {"background": "zeros"}}
    url = f"http://{server.bound.http}/v1/models/gru:explain"
    assert httpx.post(url, json=body, timeout=PATIENCE).status_code == 200
    assert httpx.post(url, json={}, timeout=PATIENCE).status_code == 400


@pytest.fixture(scope="module")
def prometheus(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped a server with an engine, an endpoint and Redis for some seconds of traffic."""
    if not shutil.which("prometheus"):
        pytest.skip("there is no prometheus")
    folder, repository = tmp_path_factory.mktemp("prometheus"), tmp_path_factory.mktemp("models")
    case = BY_NAME["gru"]
    shutil.copytree(MODELS / "gru", repository / "gru")
    with InferenceServer({"gru": ServedModel(case.path.read_bytes())}) as endpoint:
        write_endpoint(repository, "remote", endpoint.uri("gru"), schema_of(case))
        settings = embedded(
            engines=1,
            store=redis_server.url,
            outbox_folder=folder / "outbox",
            model_repository=repository,
            **HASTY,
        )
        with Serving(settings) as server:
            reachable(server, "remote")
            with Sequela(server.bound.grpc) as client:
                client.create_background("zeros", [0.0] * COLUMNS, model="gru")
            running = Prometheus(folder, server.bound.http)
            try:
                eventually(running.is_scraping, PATIENCE)
                for seed in range(ROUNDS):
                    make_traffic(server, seed)
                    time.sleep(SCRAPE_SECONDS)
                # What was measured last is scraped, and the rules are evaluated from it.
                time.sleep(3 * SCRAPE_SECONDS)
                yield running
            finally:
                running.stop()


@pytest.mark.slow
def test_every_query_has_data(prometheus: Prometheus) -> None:
    """None is wrong, and those of what happened have values."""
    empty = {each.panel for each in queries() if not prometheus.values(each.expression)}
    assert empty <= MAY_BE_EMPTY


@pytest.mark.slow
def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    """No rule fails, and no alert fires while all is well."""

    def rules_now() -> list[Any]:
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    eventually(lambda: all(rule["health"] != "unknown" for rule in rules_now()), PATIENCE)
    rules = rules_now()
    assert len(rules) > 30
    assert {rule["health"] for rule in rules} == {"ok"}
    assert not [rule["name"] for rule in rules if rule.get("state") in ("pending", "firing")]


def test_panels_are_well_formed() -> None:
    """Each has a title and says what it shows; none covers another; all ask the source that was chosen."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        cells |= taken
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_metrics_are_those_of_the_server() -> None:
    """Dashboard and rules name no metric that docs/operations.md does not list, and the dashboard shows each."""
    page = (ROOT / "docs" / "operations.md").read_text()
    listed = set(re.findall(r"^\| `((?:grpc|sequela)_\w+)` \|", page, flags=re.MULTILINE))
    rules = "".join(path.read_text() for path in (PROMETHEUS / "rules").glob("*.yml"))
    shown = _names("\n".join(each.expression for each in queries()))
    assert (shown | _names(rules)) - listed == set()
    # The calls that began are those that ended, but for the ones that run, which other panels show.
    assert listed - shown - _names(rules) == {"grpc_server_started_total"}


def test_recorded_names_are_recorded() -> None:
    """The dashboard names no recording rule that does not exist."""
    rules = yaml.safe_load((PROMETHEUS / "rules" / "recording.yml").read_text())
    recorded = {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    expressions = "\n".join(each.expression for each in queries())
    assert set(re.findall(r"\bsequela:[\w:]+", expressions)) <= recorded


def test_provisioning_fits() -> None:
    """Grafana finds the dashboard where the provider looks, and its source is the one that is chosen at first."""
    [provider] = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "sequela.yml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())
    [source] = sources["datasources"]
    chosen = next(each for each in DASHBOARD["templating"]["list"] if each["name"] == "datasource")
    assert chosen["current"]["value"] == source["uid"]
    interval = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval


def _names(text: str) -> set[str]:
    """Returns the metrics in expressions, by the names that the page has for histograms."""
    found = re.findall(r"\b((?:grpc_server|sequela)_\w+)(?=\{|\[| |\)|$)", text, flags=re.MULTILINE)
    return {re.sub(r"_(bucket|sum|count)$", "", each) for each in found}
