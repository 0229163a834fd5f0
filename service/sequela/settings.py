"""Every setting of the server: its default, its flag, its `SEQUELA_*` variable, and what it means."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sequela.explaining.limits import Limits

PREFIX = "SEQUELA_"
LIMITS = Limits()

Port = Field(ge=0, le=65_535)


class Settings(BaseSettings):
    """Flags go before variables, variables before defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        cli_prog_name="sequela serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        frozen=True,
        extra="forbid",
    )

    # Listening
    host: str = Field("127.0.0.1", description="Address to listen on. Any but a loopback address wants TLS or --insecure.")
    port: int = Field(50051, ge=0, le=65_535, description="Port for gRPC; 0: any free one.")
    tls_certificate: Path | None = Field(None, description="PEM file of the server's certificate chain.")
    tls_key: Path | None = Field(None, description="PEM file of its key.")
    tls_client_ca: Path | None = Field(None, description="PEM file of the authority of clients; they must then show a certificate.")
    insecure: bool = Field(False, description="Listen on other than loopback addresses without TLS.")
    metrics_host: str = Field("127.0.0.1", description="Address for /metrics, /healthz and /readyz, in plain HTTP.")
    metrics_port: int = Field(9464, ge=0, le=65_535, description="Port for them; 0: any free one.")
    ready_file: Path | None = Field(None, description="File to write the bound addresses to, as JSON, once the server is ready.")
    max_message_bytes: int = Field(64 << 20, ge=1024, description="Largest message taken, in bytes.")
    keepalive: float = Field(60.0, gt=0, description="Seconds after which a silent connection is pinged.")
    min_ping_interval: float = Field(10.0, ge=0, description="Seconds that clients must leave between pings.")
    max_connection_age: float = Field(0.0, ge=0, description="Seconds after which a connection is asked to come anew; 0: never.")
    connection_age_grace: float = Field(30.0, gt=0, description="Seconds its calls then have to finish.")

    # Pace
    max_concurrent: int = Field(os.cpu_count() or 1, ge=1, description="Explanations worked on at a time. Default: the number of processors.")
    queue_size: int = Field(64, ge=0, description="Explanations that may wait for a worker; more are refused.")
    lookup_threads: int = Field(8, ge=1, description="Threads for looking up, listing and averaging.")
    lookup_queue: int = Field(256, ge=0, description="Look-ups that may wait for such a thread; more are refused.")
    stream_window: int = Field(8, ge=1, description="Questions of one stream that are read ahead of its answers.")
    default_timeout: float = Field(60.0, gt=0, description="Seconds for a call without a deadline.")
    deadline_reserve: float = Field(0.02, ge=0, description="Seconds of a deadline kept for sending the answer (at most a tenth of it).")
    drain_delay: float = Field(2.0, ge=0, description="Seconds between saying NOT_SERVING and refusing new work.")
    drain_grace: float = Field(25.0, ge=0, description="Seconds that calls in flight then have to finish.")
