"""Settings: by flag, by variable, by default; each with its bounds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError
from sequela.adapters.onnx.provider import ExecutionProvider
from sequela.command_line import help_text, markdown_tables, misspelt_variables, read_settings
from sequela.explain.limits import Limits
from sequela.setting_names import flag
from sequela.settings import SECTIONS, Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

MUTUAL_TLS = ["--tls-certificate", "c", "--tls-key", "k", "--tls-client-ca", "ca"]


def test_defaults_need_nothing() -> None:
    """Without flags and variables the server listens on loopback, in plain text, with no Redis."""
    settings = read_settings([])
    assert (settings.host, settings.port, settings.http_port) == ("127.0.0.1", 50051, 9464)
    assert settings.redis_url is None
    assert settings.limits == Limits()


def test_flags_go_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable replaces a default, a flag replaces both."""
    monkeypatch.setenv("SEQUELA_MAX_EVENTS", "11")
    monkeypatch.setenv("SEQUELA_QUEUE_SIZE", "12")
    settings = read_settings(["--max-events", "21", "--no-uploads"])
    assert (settings.max_events, settings.queue_size, settings.uploads) == (21, 12, False)


def test_every_limit_is_a_setting() -> None:
    """A flag changes the limit that requests are held to, and no other."""
    wanted = {field.name: (2 << 20) + number for number, field in enumerate(fields(Limits))}
    changed = read_settings([word for name, value in wanted.items() for word in (flag(name), str(value))])
    assert {name: getattr(changed.limits, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--max-events", "0"],
            "--max-events (SEQUELA_MAX_EVENTS): must be at least 1, not '0'",
        ),
        (["--port", "x"], "--port (SEQUELA_PORT): must be a whole number, not 'x'"),
        (["--port", "70000"], "--port (SEQUELA_PORT): must be at most 65535, not '70000'"),
        (["--port"], "argument --port: expected one argument"),
        (["--keepalive", "0"], "--keepalive (SEQUELA_KEEPALIVE): must be greater than 0, not '0'"),
        (["--keepalive", "x"], "--keepalive (SEQUELA_KEEPALIVE): must be a number, not 'x'"),
        (["elsewhere"], "unrecognized arguments: elsewhere"),
        (
            ["--log-level", "loud"],
            "--log-level (SEQUELA_LOG_LEVEL): must be 'debug', 'info', 'warning' or 'error', not 'loud'",
        ),
        (["--workers", "0"], "--workers (SEQUELA_WORKERS)"),
        (
            ["--execution-provider", "abacus"],
            "--execution-provider (SEQUELA_EXECUTION_PROVIDER): must be 'cpu' or 'cuda', not 'abacus'",
        ),
        (["--host", "0.0.0.0"], "--host 0.0.0.0 can be reached from other machines"),
        (["--host", "[::1]"], "--host (SEQUELA_HOST): must be a name or an address without brackets, port"),
        (
            ["--http-host", "127.0.0.1:80"],
            "without brackets, port and scheme, such as ::1, not '127.0.0.1:80'",
        ),
        (
            ["--allowed-hosts", "a.example,b.example"],
            "names separated by spaces, without ports and schemes, not 'a.example,b",
        ),
        (["--allowed-hosts", "a.example b.example:443"], "schemes, not 'a.example b.example:443'"),
        (["--http-host", "0.0.0.0"], "--http-host 0.0.0.0 can be reached from other machines"),
        (
            [*MUTUAL_TLS, "--no-https", "--http-inference"],
            "--http-inference offers explanations over plain HTTP, without the client certificates",
        ),
        (["--max-http-body-bytes", "1"], "--max-http-body-bytes (SEQUELA_MAX_HTTP_BODY_BYTES)"),
        (["--max-http-bodies", "0"], "--max-http-bodies (SEQUELA_MAX_HTTP_BODIES)"),
        (["--max-http-connections", "0"], "--max-http-connections (SEQUELA_MAX_HTTP_CONNECTIONS)"),
        (["--tls-key", "k"], "--tls-certificate and --tls-key go together"),
        (["--tls-client-ca", "c"], "--tls-client-ca needs --tls-certificate and --tls-key"),
        (["--https"], "--https needs --tls-certificate and --tls-key"),
        (["--identities", "i"], "--identities needs --tls-client-ca"),
        (["--revoked", "r"], "--revoked needs --tokens, --jwt-issuer or --tls-client-ca"),
        (["--jwt-issuer", "i"], "--jwt-issuer, --jwt-audience and --jwt-keys go together"),
        (
            ["--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-keys", "http://keys.example/set"],
            "--jwt-keys must be a path or an https URL",
        ),
        (["--nonsense"], "there is no setting --nonsense"),
        (["--prot", "1"], "there is no setting --prot; did you mean --port?"),
        (["--max_events=3"], "there is no setting --max_events; did you mean --max-events?"),
        (["--no-upload"], "there is no setting --no-upload; did you mean --no-uploads?"),
    ],
)
def test_bad_settings_exit_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong with which setting."""
    with pytest.raises(SystemExit) as caught:
        read_settings(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_switch_by_variable_is_true_or_false(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is refused with what is allowed."""
    monkeypatch.setenv("SEQUELA_INSECURE", "maybe")
    with pytest.raises(SystemExit):
        read_settings([])
    said = capsys.readouterr().err
    assert said == "sequela serve: --insecure (SEQUELA_INSECURE): must be true or false, not 'maybe'\n"


def test_misspelt_variables_are_named() -> None:
    """With the nearest setting; not those of the tests, of others, and of Kubernetes' services."""
    given = {
        "SEQUELA_PROT": "1",
        "sequela_max_event": "3",
        "SEQUELA_ZZZ": "",
        "SEQUELA_PORT": "1",
        "sequela_host": "::1",
        "SEQUELA_SHARED": "x",
        "SEQUELA_REDIS_SERVER": "x",
        "OTHER_PORT": "x",
        "SEQUELA_SERVICE_HOST": "10.0.0.1",
        "SEQUELA_SERVICE_PORT_GRPC": "50051",
        "SEQUELA_PORT_50051_TCP_ADDR": "10.0.0.1",
        "SEQUELA_REDIS_PORT": "tcp://10.0.0.2:6379",
        "SEQUELA_REDIS_SERVICE_PORT": "6379",
    }
    assert {each.name: each.nearest for each in misspelt_variables(given)} == {
        "SEQUELA_PROT": "SEQUELA_PORT",
        "sequela_max_event": "SEQUELA_MAX_EVENTS",
        "SEQUELA_ZZZ": "",
    }


def test_a_service_of_kubernetes_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service called `sequela` sets SEQUELA_PORT=tcp://… in every container: the default holds, flags and all."""
    monkeypatch.setenv("SEQUELA_PORT", "tcp://10.0.0.1:50051")
    monkeypatch.setenv("SEQUELA_HTTP_PORT", "tcp://10.0.0.1:9464")
    assert (read_settings([]).port, read_settings([]).http_port) == (50051, 9464)
    assert read_settings(["--port", "7000"]).port == 7000


@pytest.mark.parametrize("given", ["--no-http-inference", "--insecure"])
def test_metrics_may_be_reached_from_elsewhere(given: str) -> None:
    """Without explanations beside them, or where the operator lets these leave in plain HTTP."""
    assert read_settings(["--http-host", "0.0.0.0", given]).http_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("arguments", "explains"),
    [
        ([], True),
        (["--no-http-inference"], False),
        (MUTUAL_TLS[:4], True),
        (MUTUAL_TLS, True),
        ([*MUTUAL_TLS, "--http-host", "0.0.0.0"], True),
        ([*MUTUAL_TLS, "--no-https"], False),
        ([*MUTUAL_TLS, "--no-https", "--http-host", "0.0.0.0"], False),
        ([*MUTUAL_TLS, "--no-https", "--insecure"], False),
        ([*MUTUAL_TLS, "--no-https", "--insecure", "--http-inference"], True),
    ],
)
def test_http_explains_where_clients_show_no_certificates(arguments: list[str], explains: bool) -> None:
    """HTTPS asks for client certificates too. Plain HTTP beside them is off, unless --insecure lets it."""
    assert read_settings(arguments).explains_over_http is explains


def test_a_provider_that_is_not_installed_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names those that are; where the provider is installed it is taken."""
    arguments = ["--execution-provider", "cuda"]
    offered = ["CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: offered)
    with pytest.raises(SystemExit) as caught:
        read_settings(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "(SEQUELA_EXECUTION_PROVIDER): must be one that the installed onnxruntime offers: cpu (" in said
    assert "onnxruntime-gpu" in said
    assert "not 'cuda'" in said
    offered.append("CUDAExecutionProvider")
    assert read_settings(arguments).execution_provider is ExecutionProvider.CUDA


@pytest.mark.parametrize("asked", [["--help"], ["--port", "0", "-h"]])
def test_help_names_every_setting(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows each option under its section, with what it means and its default."""
    with pytest.raises(SystemExit) as caught:
        read_settings(asked)
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 120
    shown = " ".join(printed.split())
    for name, field in Settings.model_fields.items():
        assert flag(name) in shown
        assert field.description
        assert " ".join(field.description.split()) in shown
    assert "--execution-provider cpu|cuda (default: cpu)" in shown
    assert "--uploads, --no-uploads (default: on)" in shown


def test_sections_begin_with_a_setting() -> None:
    """Each heading of the help names a setting, and all settings stand below one."""
    assert set(SECTIONS) <= set(Settings.model_fields)
    headings = [line[:-1] for line in help_text().splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == list(SECTIONS.values())


def test_the_page_lists_every_setting() -> None:
    """The tables of docs/settings.md are those that `python -m scripts.settings_table` writes."""
    tables = PAGE.read_text().split("<!-- settings -->")[1]
    assert tables.strip() == markdown_tables().strip()
    assert all(f"`{flag(name)}`" in tables for name in Settings.model_fields)


def test_models_of_callers_run_in_the_server_only_where_nobody_else_calls() -> None:
    """On loopback it is a matter of taste; elsewhere it is refused, and the message says what to do."""
    assert Settings(upload_engines=0).upload_engines == 0
    for address in ({"host": "0.0.0.0"}, {"http_host": "0.0.0.0"}):
        with pytest.raises(ValidationError, match="--upload-engines 0"):
            Settings(upload_engines=0, insecure=True, **address)  # type: ignore[arg-type]


def test_nobody_waits_for_load_balancers_on_loopback() -> None:
    """Unless the delay is set, because a proxy on the same machine may need it."""
    assert Settings().drain_delay_seconds == 0
    assert Settings(drain_delay=3).drain_delay_seconds == 3
    assert Settings(http_host="0.0.0.0", http_inference=False).drain_delay_seconds == 2
    assert Settings(host="0.0.0.0", insecure=True).drain_delay_seconds == 2
