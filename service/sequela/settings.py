"""Every setting of the server: its name, default, limits and meaning.

The setting `max_events`, for example, is set by the option `--max-events` or the environment variable
`SEQUELA_MAX_EVENTS`. `command_line` reads both.
"""

from __future__ import annotations

import ipaddress
from dataclasses import fields
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from sequela.access_settings import AccessSettings
from sequela.adapters.onnx.provider import ExecutionProvider, installed_providers
from sequela.connection_settings import ConnectionSettings, is_host
from sequela.diagnostic_settings import DiagnosticSettings
from sequela.endpoint_settings import EndpointSettings
from sequela.engine_settings import EngineSettings
from sequela.explain.limits import Limits
from sequela.setting_names import PREFIX, VariableSource
from sequela.store_settings import StoreSettings

DEFAULT = Limits()
GPU_HINT = "cuda needs onnxruntime-gpu, installed in place of onnxruntime"

SECTIONS = {
    "host": "Network",
    "max_grpc_connections": "Connections and messages",
    "workers": "Concurrency and deadlines",
    "max_events": "Limits of one request",
    "model_repository": "Models",
    "engines": "Engines",
    "endpoint_allow": "Models behind endpoints",
    "store": "Storage",
    "tokens": "Access",
    "export_spans": "Diagnostics",
}
"""The headings in the help and in docs/settings.md, in order. The key is the first setting below each heading."""


class Settings(
    AccessSettings,
    ConnectionSettings,
    DiagnosticSettings,
    EngineSettings,
    StoreSettings,
    EndpointSettings,
    BaseSettings,
):
    """All settings. Options take precedence over variables, and variables over defaults.

    Times are in seconds and sizes in bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        cli_prog_name="sequela serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,  # so that `bool | None` is a switch too
        frozen=True,
        extra="forbid",
    )

    # Network
    host: str = Field(
        "127.0.0.1",
        description="Address to listen on for gRPC. An address other than loopback needs the TLS files or --insecure.",
    )
    port: int = Field(50051, ge=0, le=65_535, description="Port for gRPC; 0 picks a free one.")
    tls_certificate: Path | None = Field(
        None,
        description="PEM file with the certificate chain of the gRPC and the HTTP server. Needs --tls-key. All "
        "TLS files are read again when they change.",
    )
    tls_key: Path | None = Field(None, description="PEM file with the private key of that certificate.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file with the certificate authority of the clients. Clients must then present a certificate "
        "that it signed; over HTTP, /healthz, /readyz and the like need none.",
    )
    insecure: bool = Field(
        False, description="Allow any address without TLS, for gRPC and for inference over HTTP."
    )
    http_host: str = Field(
        "127.0.0.1",
        description="Address to listen on for HTTP: /metrics, /healthz, /readyz and inference.",
    )
    http_port: int = Field(9464, ge=0, le=65_535, description="Port for HTTP; 0 picks a free one.")
    https: bool | None = Field(
        None,
        description="Serve HTTPS instead of plain HTTP, with the files of --tls-certificate. Unset, it is on if these "
        "are set.",
    )
    http_inference: bool | None = Field(
        None,
        description="Offer inference over HTTP (KServe's protocols). Unset, it is on, except over plain HTTP with "
        "--tls-client-ca. There, or over plain HTTP on an address other than loopback, it needs --insecure.",
    )
    ready_file: Path | None = Field(
        None, description="File to write the bound addresses to, as JSON, once the server is ready."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged: debug, info, warning or error."
    )
    keepalive: float = Field(
        60.0, gt=0, description="Seconds without traffic after which the server pings a gRPC connection."
    )
    min_ping_interval: float = Field(
        10.0,
        ge=0,
        description="Seconds that a gRPC client must leave between two pings; the connection of one that pings more "
        "often is closed.",
    )
    max_connection_age: float = Field(
        300.0,
        ge=0,
        description="Seconds, give or take 10 %, after which a client is asked to open a new connection, so that its "
        "certificate is checked again and clients spread over new servers; 0 means never.",
    )
    connection_age_grace: float = Field(
        30.0,
        gt=0,
        description="Seconds that running calls then have to finish before the old connection is closed.",
    )

    # Concurrency and deadlines
    workers: int | None = Field(
        None,
        ge=1,
        description="Number of threads that run models. Unset: one for each core that the process may use.",
    )
    max_concurrent: int | None = Field(
        None,
        ge=1,
        description="How many explanations of the operator's models run at a time. Unset: as many as engines, or "
        "as workers without engines, but at least 2.",
    )
    queue_size: int = Field(
        64,
        ge=0,
        description="How many explanations may wait in each queue; further ones are refused.",
    )
    interactive_queue_seconds: float = Field(
        10.0,
        gt=0,
        description="How much work of interactive explanations may wait, in seconds for each core; further ones "
        "are refused.",
    )
    bulk_queue_seconds: float = Field(
        600.0,
        gt=0,
        description="How much work of bulk explanations may wait, in seconds for each core; further ones are "
        "refused.",
    )
    brownout: bool = Field(
        True,
        description="Widen the error bars of explanations while the server is overloaded, so that fewer are refused. A "
        "target_standard_error of the request is always kept.",
    )
    lookup_threads: int = Field(
        8, ge=1, description="How many look-ups, listings and background averages run at a time."
    )
    lookup_queue: int = Field(256, ge=0, description="How many look-ups may wait; further ones are refused.")
    stream_window: int = Field(
        8, ge=1, description="How many requests of one stream are read ahead of its answers."
    )
    default_timeout: float = Field(
        60.0, gt=0, description="Deadline, in seconds, of a call that does not set one."
    )
    deadline_reserve: float = Field(
        0.02,
        ge=0,
        description="Seconds before a deadline that are reserved for solving and sending the answer, but at most 40 % "
        "of the deadline. Scores alone may use half of this time. In addition, 1 % of the deadline and "
        "another 0.5 % of it (at most 0.1 s) are always reserved.",
    )
    drain_delay: float = Field(
        2.0,
        ge=0,
        description="Seconds that the server still accepts calls after it reports NOT_SERVING on shutdown. Unless "
        "it is set, the delay is 0 if both addresses are loopback, since no load balancer uses these.",
    )
    drain_grace: float = Field(
        25.0, ge=0, description="Seconds that running calls then have to finish before they are ended."
    )

    # Limits of one request
    max_events: int = Field(DEFAULT.max_events, ge=1, description="Largest number of events in a sequence.")
    max_columns: int = Field(
        DEFAULT.max_columns, ge=1, description="Largest number of columns in all inputs of a model together."
    )
    max_coalitions: int = Field(
        DEFAULT.max_coalitions,
        ge=128,
        description="Largest number of coalitions that a request may ask for in each level.",
    )
    max_targets: int = Field(
        DEFAULT.max_targets, ge=1, description="Largest number of targets of one explanation."
    )
    max_players: int = Field(DEFAULT.max_players, ge=2, description="Largest number of players in a level.")
    max_question_bytes: int = Field(
        DEFAULT.max_question_bytes,
        ge=1 << 20,
        description="Largest memory for computing one level, which grows with its players, coalitions and targets. A "
        "request that would take more is refused.",
    )
    max_text: int = Field(
        DEFAULT.max_text, ge=1, description="Largest number of characters in an id, a label or a caption."
    )
    max_labels: int = Field(
        DEFAULT.max_labels,
        ge=0,
        description="Largest number of labels of a request, and of captions of an event.",
    )
    max_score_sequences: int = Field(
        DEFAULT.max_score_sequences, ge=1, description="Largest number of sequences in one Score request."
    )
    max_explained_rows: int = Field(
        DEFAULT.max_explained_rows,
        ge=1,
        description="Largest number of rows that one inference call explains.",
    )
    max_background_rows: int = Field(
        DEFAULT.max_background_rows, ge=1, description="Largest number of rows in a background."
    )
    max_averaged_sequences: int = Field(
        DEFAULT.max_averaged_sequences,
        ge=1,
        description="Largest number of sequences that are averaged into one background.",
    )
    max_model_bytes: int = Field(
        DEFAULT.max_model_bytes, ge=1, description="Largest ONNX model, weights included."
    )
    max_schema_bytes: int = Field(DEFAULT.max_schema_bytes, ge=1, description="Largest schema.json.")
    max_model_nodes: int = Field(
        DEFAULT.max_model_nodes, ge=1, description="Largest number of nodes in an ONNX graph."
    )
    max_model_memory_bytes: int = Field(
        DEFAULT.max_model_memory_bytes,
        ge=1 << 20,
        description="Memory that all models of the process together may use while they run.",
    )
    max_model_call_seconds: float = Field(
        DEFAULT.max_model_call_seconds, gt=0, description="Seconds that one call of a model may take."
    )

    # Models
    model_repository: Path | None = Field(
        None,
        description="Folder with the operator's models: NAME/VERSION/model.onnx, or NAME/VERSION/endpoint.toml for a "
        "model behind an endpoint.",
    )
    repository_interval: float = Field(
        10.0,
        ge=0,
        description="Seconds between two readings of the model repository while the server runs. Models that were "
        "added or changed are loaded, and removed ones are no longer offered. 0 reads it only when the server starts.",
    )
    require_all_models: bool = Field(
        True,
        description="Become ready only after every model of the repository was loaded, so that a rollout with a "
        "broken model, or without any model, stops. When this is off, the server is ready once it has "
        "tried to load every model, and at least one can be used or there is none. In both cases, a "
        "server that was ready stays ready if a broken model is added.",
    )
    uploads: bool = Field(True, description="Accept models from callers, uploaded or inline.")
    execution_provider: ExecutionProvider = Field(
        ExecutionProvider.CPU,
        description="What models run on: cpu, or cuda, with the CPU for operators that CUDA does not support.",
    )
    model_threads: int = Field(1, ge=1, description="Number of threads that one call of a model may use.")
    model_cache_models: int = Field(
        64, ge=1, description="Largest number of uploaded and inline models that stay loaded."
    )
    model_cache_bytes: int = Field(
        1 << 30,
        ge=1,
        description="Largest total file size of the uploaded and inline models that stay loaded.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: object,
        **__: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Reads arguments first, then environment variables. No file is read."""
        # Earlier sources take precedence.
        return init_settings, VariableSource(settings_cls)

    @field_validator("execution_provider")
    @classmethod
    def _installed(cls, provider: ExecutionProvider) -> ExecutionProvider:
        # onnxruntime would silently fall back to the CPU.
        if provider not in installed_providers():
            raise ValueError(
                f"must be one that the installed onnxruntime offers: {', '.join(installed_providers())} ({GPU_HINT})"
            )
        return provider

    @field_validator("host", "http_host")
    @classmethod
    def _host_only(cls, host: str) -> str:
        if not is_host(host):
            raise ValueError("must be a name or an address without brackets, port and scheme, such as ::1")
        return host

    @model_validator(mode="after")
    def _listen_safely(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("--tls-certificate and --tls-key go together: set both or neither")
        if self.tls_client_ca and not self.tls_key:
            raise ValueError("--tls-client-ca needs --tls-certificate and --tls-key")
        if self.https and not self.tls_key:
            raise ValueError("--https needs --tls-certificate and --tls-key")
        if self.identities and not self.tls_client_ca:
            raise ValueError("--identities needs --tls-client-ca, which says whose certificates count")
        if self.revoked and not (self.authenticates or self.tls_client_ca):
            raise ValueError(
                "--revoked needs --tokens, --jwt-issuer or --tls-client-ca: without them, no caller is authenticated"
            )
        # Requests may contain personal data, so operators have to ask for plain text on a network.
        if not (self.tls_key or self.insecure or _is_loopback(self.host)):
            raise ValueError(
                f"--host {self.host} can be reached from other machines: set --tls-certificate and --tls-key, or "
                "--insecure to listen without TLS"
            )
        return self

    @model_validator(mode="after")
    def _explain_safely(self) -> Self:
        if self.insecure or self.serves_https or not self.explains_over_http:
            return self
        if not _is_loopback(self.http_host):
            raise ValueError(
                f"--http-host {self.http_host} can be reached from other machines, and inference over plain HTTP is "
                "not encrypted: set --tls-certificate and --tls-key, --no-http-inference, or --insecure to allow it"
            )
        # Otherwise HTTP would be a way around the client certificates.
        if self.tls_client_ca:
            raise ValueError(
                "--http-inference offers explanations over plain HTTP, without the client certificates that "
                "--tls-client-ca requires: leave --no-https out, or set --insecure to allow it"
            )
        return self

    @property
    def drain_delay_seconds(self) -> float:
        """How long the server still accepts calls on shutdown."""
        by_default = "drain_delay" not in self.model_fields_set
        local = _is_loopback(self.host) and _is_loopback(self.http_host)
        return 0.0 if by_default and local else self.drain_delay

    @property
    def serves_https(self) -> bool:
        """Whether the HTTP server uses TLS."""
        return self.tls_key is not None if self.https is None else self.https

    @model_validator(mode="after")
    def _run_uploads_safely(self) -> Self:
        # Anybody who can reach the server could end it with a small file, or read its memory.
        if self.upload_engines == 0 and not (_is_loopback(self.host) and _is_loopback(self.http_host)):
            raise ValueError(
                "--upload-engines 0 runs models from callers in the server's own process, which is allowed only with "
                "--host and --http-host on loopback: leave it out, or set it to 1 or more"
            )
        return self

    @property
    def explains_over_http(self) -> bool:
        """Whether inference is offered over HTTP. By default, it is off where it cannot require client certificates."""
        if self.http_inference is not None:
            return self.http_inference
        return self.tls_client_ca is None or self.serves_https

    @property
    def serves_open_metrics(self) -> bool:
        """Whether everybody may read the metrics."""
        return _is_loopback(self.http_host) if self.open_metrics is None else self.open_metrics

    @property
    def limits(self) -> Limits:
        """The limits of one request."""
        return Limits(**{each.name: getattr(self, each.name) for each in fields(Limits)})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
