"""Every setting of the server: its default, its flag, its `SEQUELA_*` variable, and what it means."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Literal, NoReturn, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, CliApp, PydanticBaseSettingsSource, SettingsConfigDict

from sequela.adapters.endpoints.allow_list import AllowList
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.registry import EndpointRules
from sequela.adapters.endpoints.transport_limits import TransportLimits
from sequela.adapters.onnx.provider import ExecutionProvider, installed
from sequela.explain.limits import Limits
from sequela.setting_names import (
    PREFIX,
    Misspelt,
    Variables,
    flag,
    unknown_flags,
    unknown_variables,
    variable,
)

DEFAULT = Limits()
TERMS = EndpointTerms()
RULES = EndpointRules()
DAY = 86_400.0
_MESSAGES = {"bool_parsing": "must be true or false"}
GPU_HINT = " (cuda: install onnxruntime-gpu in place of onnxruntime)"


class Settings(BaseSettings):
    """Flags go before variables, variables before defaults. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        cli_prog_name="sequela serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        frozen=True,
        extra="forbid",
    )

    # Where it listens
    host: str = Field(
        "127.0.0.1",
        description="Address for gRPC. Any but a loopback address wants TLS files or --insecure.",
    )
    port: int = Field(50051, ge=0, le=65_535, description="Port for gRPC; 0: any free one.")
    tls_certificate: Path | None = Field(None, description="PEM file with the server's certificate chain.")
    tls_key: Path | None = Field(None, description="PEM file with the certificate's key.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file with the authority whose certificates clients must show."
    )
    insecure: bool = Field(False, description="Listen on any address without TLS.")
    metrics_host: str = Field(
        "127.0.0.1", description="Address for /metrics, /healthz, /readyz and inference, in plain HTTP."
    )
    metrics_port: int = Field(9464, ge=0, le=65_535, description="Port for them; 0: any free one.")
    http_inference: bool | None = Field(
        None,
        description="Explain over HTTP too (KServe's protocols); on any but a loopback address, or beside "
        "--tls-client-ca, wants --insecure. Unset: on, but off beside --tls-client-ca.",
    )
    max_http_connections: int = Field(1024, ge=1, description="HTTP connections at a time; more are refused.")
    max_http_body_bytes: int = Field(
        8 << 20, ge=1024, description="Largest HTTP body taken; it may hold one value for every 8 of them."
    )
    max_http_bodies: int = Field(
        8,
        ge=1,
        description="HTTP bodies of that size held at a time, or more smaller ones; more are refused.",
    )
    ready_file: Path | None = Field(
        None, description="File that gets the bound addresses as JSON once the server is ready."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged: debug, info, warning or error."
    )
    max_message_bytes: int = Field(64 << 20, ge=1024, description="Largest gRPC message taken.")
    keepalive: float = Field(60.0, gt=0, description="Seconds of silence after which a connection is pinged.")
    min_ping_interval: float = Field(10.0, ge=0, description="Seconds that clients leave between pings.")
    max_connection_age: float = Field(
        0.0, ge=0, description="Seconds after which a client is asked to connect anew; 0: never."
    )
    connection_age_grace: float = Field(30.0, gt=0, description="Seconds that its calls then have to finish.")

    # How much at a time, and for how long
    workers: int | None = Field(
        None,
        ge=1,
        description="Batches worked on at a time; unset: one for each core that affinity and quota leave.",
    )
    max_concurrent: int | None = Field(
        None,
        ge=1,
        description="Explanations that take turns at that; unset: one for each worker, two at least.",
    )
    queue_size: int = Field(64, ge=0, description="Explanations that may wait for that; more are refused.")
    lookup_threads: int = Field(8, ge=1, description="Look-ups, listings and averages worked on at a time.")
    lookup_queue: int = Field(256, ge=0, description="Look-ups that may wait for that; more are refused.")
    stream_window: int = Field(8, ge=1, description="Questions of one stream read ahead of its answers.")
    default_timeout: float = Field(60.0, gt=0, description="Seconds for a call that sets no deadline.")
    deadline_reserve: float = Field(
        0.02,
        ge=0,
        description="Seconds of a deadline kept for sending the answer, at most 0.4 of it, beside a hundredth.",
    )
    drain_delay: float = Field(
        2.0, ge=0, description="Seconds between saying NOT_SERVING and taking no more work."
    )
    drain_grace: float = Field(25.0, ge=0, description="Seconds that calls then have to finish.")

    # Limits of one request
    max_events: int = Field(DEFAULT.max_events, ge=1, description="Events of a sequence.")
    max_columns: int = Field(DEFAULT.max_columns, ge=1, description="Columns of a model's inputs.")
    max_coalitions: int = Field(DEFAULT.max_coalitions, ge=128, description="Coalitions of a level.")
    max_targets: int = Field(DEFAULT.max_targets, ge=1, description="Targets explained at once.")
    max_players: int = Field(DEFAULT.max_players, ge=2, description="Players of a level.")
    max_text: int = Field(DEFAULT.max_text, ge=1, description="Characters of an id, a label or a caption.")
    max_labels: int = Field(
        DEFAULT.max_labels, ge=0, description="Labels of a request, captions of an event."
    )
    max_score_sequences: int = Field(DEFAULT.max_score_sequences, ge=1, description="Sequences of one Score.")
    max_explained_rows: int = Field(
        DEFAULT.max_explained_rows, ge=1, description="Rows explained by one inference call."
    )
    max_background_rows: int = Field(DEFAULT.max_background_rows, ge=1, description="Rows of a background.")
    max_averaged_sequences: int = Field(
        DEFAULT.max_averaged_sequences, ge=1, description="Sequences averaged into a background."
    )
    max_model_bytes: int = Field(DEFAULT.max_model_bytes, ge=1, description="Size of an ONNX model.")
    max_schema_bytes: int = Field(DEFAULT.max_schema_bytes, ge=1, description="Size of a schema.json.")
    max_model_nodes: int = Field(DEFAULT.max_model_nodes, ge=1, description="Nodes of an ONNX graph.")
    max_model_memory_bytes: int = Field(
        DEFAULT.max_model_memory_bytes,
        ge=1 << 20,
        description="Memory of all models together while they run.",
    )
    max_model_call_seconds: float = Field(
        DEFAULT.max_model_call_seconds, gt=0, description="Seconds that one call of a model may take."
    )

    # Models
    model_repository: Path | None = Field(
        None, description="Folder with the operator's models, <name>/<version>/model.onnx or endpoint.toml."
    )
    uploads: bool = Field(True, description="Take models from callers, registered or inline.")
    execution_provider: ExecutionProvider = Field(
        ExecutionProvider.CPU, description="What models run on: cpu, or cuda with the CPU for the rest."
    )
    model_threads: int = Field(1, ge=1, description="Threads that one call of a model may use.")
    model_cache_models: int = Field(64, ge=1, description="Uploaded models kept loaded.")
    model_cache_bytes: int = Field(1 << 30, ge=1, description="Size of the files of those kept loaded.")

    # Models that other servers run; an endpoint.toml in the model repository may say otherwise of its own
    endpoint_allow: str = Field(
        "",
        description="Endpoints that requests may name, as patterns such as grpc://*.models.example:8001/*, with "
        "spaces between.",
    )
    endpoint_networks: str = Field(
        "",
        description="Networks that names in these may resolve to beside public addresses, such as 10.0.0.0/8, with "
        "spaces between.",
    )
    endpoint_max_concurrent: int = Field(
        16, ge=1, description="Explanations of such models under way at a time; they mostly wait."
    )
    endpoint_max_batch_rows: int = Field(TERMS.max_batch_rows, ge=1, description="Rows of one call.")
    endpoint_max_rows_per_second: float | None = Field(
        TERMS.max_rows_per_second, gt=0, description="Rows a second to one endpoint; unset: no limit."
    )
    endpoint_max_rows_in_flight: int = Field(
        TERMS.max_rows_in_flight, ge=1, description="Rows under way to one endpoint."
    )
    endpoint_max_calls: int = Field(
        TERMS.max_calls,
        ge=1,
        le=256,
        description="Calls under way to one endpoint; fewer where they pile up.",
    )
    endpoint_call_seconds: float = Field(TERMS.call_seconds, gt=0, description="Seconds for one call.")
    endpoint_attempts: int = Field(
        TERMS.attempts, ge=1, le=10, description="How often a call that was not taken is sent at most."
    )
    endpoint_max_coalitions: int = Field(
        TERMS.max_coalitions, ge=128, description="Coalitions of a level where a question does not say."
    )
    endpoint_message_bytes: int = Field(
        RULES.transport.message_bytes, ge=1 << 16, description="Largest message to or from an endpoint."
    )
    endpoint_connect_timeout: float = Field(
        RULES.transport.connect_seconds, gt=0, description="Seconds to connect to an endpoint."
    )
    endpoint_description_ttl: float = Field(
        RULES.ttl_seconds, gt=0, description="Seconds for which an endpoint's word of what it serves holds."
    )
    endpoint_retry_after: float = Field(
        RULES.retry_seconds,
        gt=0,
        description="Seconds between looks at an endpoint that is down, and at its file.",
    )
    endpoint_connections: int = Field(
        RULES.max_connections, ge=1, description="Models named in requests to which connections are kept."
    )

    # What is kept
    redis_url: str | None = Field(
        None,
        description="Where backgrounds, uploads and explanations are shared; unset: kept in the process.",
    )
    redis_connect_timeout: float = Field(0.1, gt=0, description="Seconds to connect to Redis.")
    redis_timeout: float = Field(0.2, gt=0, description="Seconds for an answer of Redis.")
    redis_retry_after: float = Field(1.0, gt=0, description="Seconds between probes of a Redis that is down.")
    memory_bytes: int = Field(256 << 20, ge=1 << 20, description="Room of the store in the process.")
    cache_bytes: int = Field(64 << 20, ge=1 << 20, description="Room of each cache before the store.")
    explanation_ttl: float = Field(7 * DAY, gt=0, description="Seconds that an explanation is kept.")
    background_ttl: float = Field(
        30 * DAY, gt=0, description="Seconds that a background sent inline is found by its digest."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: object,
        **__: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the program says goes before variables; no file is read."""
        return init_settings, Variables(settings_cls)

    @field_validator("execution_provider")
    @classmethod
    def _installed(cls, provider: ExecutionProvider) -> ExecutionProvider:
        if provider not in installed():
            raise ValueError(f"the installed onnxruntime offers {', '.join(installed())}{GPU_HINT}")
        return provider

    @model_validator(mode="after")
    def _listen_safely(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("--tls-certificate and --tls-key go together: give both or none")
        if self.tls_client_ca and not self.tls_key:
            raise ValueError("--tls-client-ca needs --tls-certificate and --tls-key")
        if not (self.tls_key or self.insecure or _is_loopback(self.host)):
            raise ValueError(
                f"--host {self.host} can be reached from other machines: give --tls-certificate and --tls-key, "
                "or --insecure to do without"
            )
        return self

    @model_validator(mode="after")
    def _explain_safely(self) -> Self:
        if self.insecure or not self.explains_over_http:
            return self
        if not _is_loopback(self.metrics_host):
            raise ValueError(
                f"--metrics-host {self.metrics_host} can be reached from other machines, where explanations would "
                "leave in plain HTTP: give --no-http-inference, or --insecure to let them"
            )
        if self.tls_client_ca:
            raise ValueError(
                "--http-inference explains in plain HTTP to clients without the certificates that --tls-client-ca "
                "wants: leave it out, or give --insecure to let it"
            )
        return self

    @field_validator("endpoint_allow")
    @classmethod
    def _patterns(cls, patterns: str) -> str:
        AllowList(patterns.split(), ())
        return patterns

    @field_validator("endpoint_networks")
    @classmethod
    def _networks(cls, networks: str) -> str:
        AllowList((), networks.split())
        return networks

    @property
    def explains_over_http(self) -> bool:
        """Whether the HTTP door has inference: where nobody says, not beside clients that must show certificates."""
        return self.tls_client_ca is None if self.http_inference is None else self.http_inference

    @property
    def endpoint_rules(self) -> EndpointRules:
        """What holds for models that other servers run."""
        names = (each.name for each in fields(EndpointTerms) if each.name not in ("enabled", "estimator"))
        return EndpointRules(
            AllowList(self.endpoint_allow.split(), self.endpoint_networks.split()),
            EndpointTerms(**{name: getattr(self, f"endpoint_{name}") for name in names}),
            TransportLimits(self.endpoint_message_bytes, self.endpoint_connect_timeout),
            self.endpoint_description_ttl,
            self.endpoint_retry_after,
            self.endpoint_connections,
        )

    @property
    def limits(self) -> Limits:
        """The limits of one request."""
        return Limits(**{each.name: getattr(self, each.name) for each in fields(Limits)})


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings from flags and variables. Exits with status 2 and a line for each thing that is wrong."""
    switches = [
        name for name, field in Settings.model_fields.items() if field.annotation in (bool, bool | None)
    ]
    if unknown := unknown_flags(arguments, Settings.model_fields, switches):
        _exit(f"{each} (sequela serve --help lists all options)" for each in unknown)
    try:
        return CliApp.run(Settings, cli_args=list(arguments))
    except ValidationError as error:
        _exit(
            _complaint(each["loc"], _MESSAGES.get(each["type"], each["msg"]), each["input"])
            for each in error.errors()
        )


def misspelt_variables(environment: Mapping[str, str]) -> list[Misspelt]:
    """Variables that begin with SEQUELA_ and are no setting: they change nothing."""
    return unknown_variables(environment, Settings.model_fields)


def settings_of(settings: Settings, path: str) -> str:
    """The flags of the settings that name this file or folder, with a space behind; empty where none does."""
    named = [flag(name) for name, value in settings if isinstance(value, Path) and str(value) == path]
    return f"{' and '.join(named)} " if named else ""


def markdown_table() -> str:
    """The README's table of settings."""
    rows = ["| Flag | Variable | Default | Meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        cells = (f"`{flag(name)}`", f"`{variable(name)}`", _shown(field), field.description or "")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _exit(complaints: Iterable[str]) -> NoReturn:
    for complaint in complaints:
        print(f"sequela serve: {complaint}", file=sys.stderr)  # noqa: T201  # for a person
    raise SystemExit(2)


def _complaint(place: tuple[int | str, ...], message: str, value: object) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = str(place[0])
    return f"{flag(name)} ({variable(name)}): {message}, not {value!r}"


def _shown(field: FieldInfo) -> str:
    if field.default is None:
        return "unset"
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    return f"`{field.default:.15g}`" if isinstance(field.default, float) else f"`{field.default}`"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
