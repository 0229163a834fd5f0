"""What the container files promise: little can be done from inside or reached from outside, and all fits together."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from credential_files import Pki
from sequela.command_line import read_settings
from sequela.setting_names import PREFIX
from sequela.settings import Settings
from serving import Serving, embedded

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())[
    "services"
]
PROMETHEUS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
service = pytest.mark.parametrize("name", SERVICES)


def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those that the server in the container starts with."""
    image = re.findall(r"(SEQUELA_\w+)=(\S+)", DOCKERFILE)
    for variable, value in [*image, *SERVICES["sequela"]["environment"].items()]:
        monkeypatch.setenv(variable, value)
    return read_settings([])


@service
def test_a_service_can_do_little(name: str) -> None:
    """A read-only root, no capability, no way to gain one, and an end to what it may use."""
    given = SERVICES[name]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "memory", "pids"} <= set(given["deploy"]["resources"]["limits"])


@service
def test_a_service_is_not_root(name: str) -> None:
    """By number, so that an orchestrator can tell; ours has its user in the image."""
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    user = SERVICES[name].get("user", users[-1])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@service
def test_a_service_says_whether_it_is_well(name: str) -> None:
    """In compose or in the image."""
    assert "healthcheck" in SERVICES[name] or (name == "sequela" and "\nHEALTHCHECK" in DOCKERFILE)


@service
def test_ports_are_published_on_loopback(name: str) -> None:
    """Nobody outside this machine reaches them, and nobody reaches Redis."""
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert name != "redis" or not ports


def test_images_have_a_version() -> None:
    """The same today and tomorrow."""
    images = re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    assert images
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    images += [given["image"] for given in SERVICES.values()]
    assert all(re.search(r":v?\d+\.\d+[\w.-]*$", image) for image in images)


def test_the_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable that is set is one that the server reads, and it takes their values."""
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"SEQUELA_\w+", DOCKERFILE)) | set(SERVICES["sequela"]["environment"]) <= names
    assert settings(monkeypatch).insecure


def test_no_explanation_leaves_in_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics can be reached from other containers, inference by HTTP only where somebody switches it on."""
    given = settings(monkeypatch)
    assert (given.http_host, given.http_inference) == ("0.0.0.0", False)


def test_the_pieces_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports and names are the same on both sides; a drain has the time it wants."""
    given = settings(monkeypatch)
    assert f"EXPOSE {given.port} {given.http_port}" in DOCKERFILE
    assert SERVICES["sequela"]["ports"] == [f"127.0.0.1:{given.port}:{given.port}"]
    assert given.store == "redis://redis:6379/0"
    assert str(given.model_repository) == SERVICES["sequela"]["volumes"][0]["target"]
    targets = PROMETHEUS["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == [f"sequela:{given.http_port}"]
    assert (
        int(SERVICES["sequela"]["stop_grace_period"].removesuffix("s"))
        > given.drain_delay + given.drain_grace
    )


def test_there_is_a_model_to_begin_with() -> None:
    """The demo's, unless somebody names another folder."""
    source = SERVICES["sequela"]["volumes"][0]["source"]
    (by_default,) = re.findall(r"\$\{MODELS:-(.+)\}", source)
    assert (ROOT / "deploy" / by_default / "account_takeover" / "1" / "model.onnx").is_file()


def test_the_alerts_are_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the script of the service, from the server that its command names."""
    service = SERVICES["alerts"]
    script = ROOT / "deploy" / service["volumes"][0].split(":")[0]
    assert service["entrypoint"] == ["python", service["volumes"][0].split(":")[1]]
    assert service["command"][:2] == ["--server", "sequela:50051"]
    demo = ROOT / "service" / "sequela" / "demo"
    # Without the server's log, which would be mixed with what the script prints.
    with structlog.testing.capture_logs(), Serving(embedded(model_repository=demo / "models")) as running:
        words = ["--server", running.bound.grpc, "--seconds", "0", "--alerts", str(demo / "alerts")]
        monkeypatch.setattr(sys, "argv", [str(script), *words, "--count", "2"])
        runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    assert len(re.findall(r"^  t=-?\d+: [+-]0\.\d{3} ± 0\.\d{3}$", printed, re.MULTILINE)) == 5
    assert re.search(r"^takeover-20: score 0\.\d{4}$", printed, re.MULTILINE)


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    """Its folders are those of the repository, and what they name is there."""
    grafana = ROOT / "deploy" / "grafana"
    mounts = {
        target: source
        for source, target, mode in (each.split(":") for each in SERVICES["grafana"]["volumes"])
    }
    (source,) = yaml.safe_load((grafana / "provisioning" / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
    (provider,) = yaml.safe_load((grafana / "provisioning" / "dashboards" / "sequela.yml").read_text())[
        "providers"
    ]
    dashboards = Path(provider["options"]["path"])
    assert mounts[str(dashboards)] == "./grafana/dashboards"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == dashboards
    assert (grafana / "dashboards" / home.name).is_file()


def test_the_image_checks_its_health_past_any_proxy(server: Serving) -> None:
    """Well where the server is ready, though a proxy is set; ill where nobody listens."""
    assert healthy(server.bound.http, http_proxy="http://127.0.0.1:9")
    assert not healthy("127.0.0.1:1")


def test_the_image_checks_its_health_over_https(tmp_path: Path) -> None:
    """Where the server has certificates, even for another name, and where only gRPC has them."""
    pki = Pki(tmp_path)
    with Serving(embedded(**pki.settings())) as guarded:
        assert healthy(guarded.bound.http, SEQUELA_TLS_KEY="key")
        assert not healthy(guarded.bound.http)
    with Serving(embedded(**pki.settings(https=False))) as half:
        assert healthy(half.bound.http, SEQUELA_TLS_KEY="key", SEQUELA_HTTPS="false")


def healthy(address: str, **variables: str) -> bool:
    """Runs the command of HEALTHCHECK, in a shell as Docker runs it."""
    found = re.search(r"HEALTHCHECK .*?CMD (.*?\"\n)ENTRYPOINT", DOCKERFILE, re.DOTALL)
    assert found
    command = found[1].replace("\\\n", "").replace("python", shlex.quote(sys.executable), 1)
    given = {**os.environ, "SEQUELA_HTTP_PORT": address.rpartition(":")[2], **variables}
    return subprocess.run(["sh", "-c", command], env=given, capture_output=True, check=False).returncode == 0
