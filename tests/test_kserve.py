"""Sequela as KServe's explainer: the arguments that KServe appends, and the manifest that it appends them to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from sequela.adapters.endpoints.endpoint_file import EndpointFile, read_endpoint
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.command_line import read_settings
from sequela.kserve import server_arguments
from sequela.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "kserve"
MANIFEST = yaml.safe_load((FOLDER / "takeover.yaml").read_text())
EXPLAINER = MANIFEST["spec"]["explainer"]
(CONTAINER,) = EXPLAINER["containers"]
APPENDED = [
    "--model_name",
    "takeover",
    "--predictor_host",
    "takeover-predictor.default",
    "--http_port",
    "8080",
]


def served(*arguments: str) -> tuple[Settings, EndpointFile]:
    """The settings that the server starts with, and the endpoint of its one model."""
    settings = read_settings(server_arguments(arguments)[1:])
    assert settings.model_repository
    folder = settings.model_repository / "takeover" / "1"
    return settings, read_endpoint(
        (folder / "endpoint.toml").read_bytes(), folder, "endpoint.toml", EndpointTerms()
    )


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "uri"),
    [
        ([], "http://takeover-predictor.default/v1/models/takeover"),
        (["--predictor_protocol=v2"], "http://takeover-predictor.default/v2/models/takeover"),
        (
            ["--predictor_protocol=v2", "--predictor_use_ssl=true"],
            "https://takeover-predictor.default/v2/models/takeover",
        ),
    ],
)
def test_the_predictor_becomes_an_endpoint(arguments: list[str], uri: str) -> None:
    """By the protocol that the operator names, the first one by default."""
    settings, endpoint = served(*arguments, *APPENDED)
    assert str(endpoint.uri) == uri
    assert (settings.http_host, settings.http_port, settings.http_inference) == ("0.0.0.0", 8080, True)
    assert settings.host == "127.0.0.1"


def test_grpc_wants_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    """With one it is the endpoint's; without, a line says what is missing."""
    given = ["--predictor_protocol", "grpc-v2", "--model_name", "takeover", "--predictor_host"]
    assert str(served(*given, "predictor:8081")[1].uri) == "grpc://predictor:8081/takeover"
    with pytest.raises(SystemExit) as caught:
        server_arguments([*given, "predictor"])
    assert caught.value.code == 2
    assert "the port is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["--model_name", "a b", "--predictor_host", "h"], [*APPENDED, "--schema", "no"]]
)
def test_what_is_wrong_ends_with_status_2(arguments: list[str]) -> None:
    """Nothing at all, a name that is none, a schema that is not there."""
    with pytest.raises(SystemExit) as caught:
        server_arguments(arguments)
    assert caught.value.code == 2


def test_what_is_said_twice_counts_as_said_last() -> None:
    """KServe always appends its port, and its number of workers where concurrency is limited; Sequela's are its own."""
    settings, _ = served("--http_port=9000", "--max-events=99", *APPENDED, "--workers", "7")
    assert (settings.http_port, settings.max_events, settings.workers) == (8080, 99, None)


def test_a_pinned_predictor_and_its_schema(tmp_path: Path) -> None:
    """Version and revision stand in the endpoint's file, the schema beside it."""
    schema = tmp_path / "given.json"
    schema.write_text('{"features": []}')
    given = ["--predictor_version=3", '--predictor_revision=2026 "final"', f"--schema={schema}"]
    settings, endpoint = served(*given, *APPENDED)
    assert (endpoint.version, endpoint.revision) == ("3", '2026 "final"')
    assert settings.model_repository
    assert (settings.model_repository / "takeover" / "1" / "schema.json").read_text() == schema.read_text()


def test_the_manifests_arguments_are_taken(tmp_path: Path) -> None:
    """With what KServe appends; its probes, port and times fit the settings."""
    schema = tmp_path / "schema.json"
    schema.write_text("{}")
    arguments = [each.replace("/schema/schema.json", str(schema)) for each in CONTAINER["args"]]
    settings, endpoint = served(*arguments, *APPENDED)
    assert str(endpoint.uri) == "http://takeover-predictor.default/v2/models/takeover"
    assert CONTAINER["command"] == ["python", "-P", "-m", "sequela.kserve"]
    assert [port["containerPort"] for port in CONTAINER["ports"]] == [settings.http_port]
    for probe in ("readinessProbe", "livenessProbe"):
        assert CONTAINER[probe]["httpGet"]["port"] == settings.http_port
    assert settings.default_timeout < EXPLAINER["timeout"]
    assert EXPLAINER["terminationGracePeriodSeconds"] > settings.drain_delay + settings.drain_grace


def test_the_explainer_can_do_little() -> None:
    """No root, no capability, no way to gain one, a read-only root, an end to what it may use."""
    assert EXPLAINER["securityContext"]["runAsNonRoot"] is True
    allowed = CONTAINER["securityContext"]
    assert (allowed["allowPrivilegeEscalation"], allowed["readOnlyRootFilesystem"]) == (False, True)
    assert allowed["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= CONTAINER["resources"]["limits"].keys()
    mounted = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert mounted == {volume["name"] for volume in EXPLAINER["volumes"]}


def test_the_readme_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Every argument of ours that it mentions is one."""
    with pytest.raises(SystemExit):
        server_arguments(["--help"])
    known = capsys.readouterr().out
    said = (FOLDER / "README.md").read_text()
    for name in (
        "model_name",
        "predictor_host",
        "http_port",
        "workers",
        "predictor_protocol",
        "predictor_use_ssl",
    ):
        assert f"--{name}" in said
        assert f"--{name}" in known


@pytest.mark.parametrize(
    ("arguments", "variables", "store"),
    [
        ([], {}, "memory:"),
        (["--store=/data/store.db"], {}, "/data/store.db"),
        ([], {"SEQUELA_STORE": "redis://a"}, "redis://a"),
        (["--redis-url", "redis://a"], {}, None),
        ([], {"SEQUELA_REDIS_URL": "redis://a"}, None),
    ],
)
def test_the_store_is_in_memory_unless_another_one_is_named(
    arguments: list[str], variables: dict[str, str], store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod has no folder that lasts."""
    monkeypatch.delenv("SEQUELA_STORE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings, _ = served(*arguments, *APPENDED)
    assert settings.store == store
    if store is None:
        assert settings.redis_url == "redis://a"
