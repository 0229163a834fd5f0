"""The settings of the console. `command.py` reads them from options and variables of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sequela_client.credentials import Credentials

DEFAULT_PORT = 8050


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Everything that an operator can choose.

    Args:
        server: the address of the service, `host:port`.
        credentials: how the console itself reaches the service, to keep its index.
        host: the address on which the console listens.
        port: its port; 0 for any free one.
        state_folder: the folder with the console's own file, `console.db`.
        cohorts: folders of cohorts by the name that the pages show.
        fixed_features: features that no client can change, which what-if searches name last.
        thresholds: the score from which a prediction is an alert, by model; "" for all others.
        embed_origins: the origins that may show the panel of one alert in a frame.
        tls_cert: the certificate of the console, for HTTPS; None for HTTP.
        tls_key: its key.
        public_url: the origin under which a proxy offers the console; empty if none stands before it.
        insecure: whether it may listen on the network without HTTPS, or without login.
    """

    server: str
    credentials: Credentials = field(default_factory=Credentials)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    state_folder: Path = Path()
    cohorts: Mapping[str, Path] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    fixed_features: frozenset[str] = frozenset()
    embed_origins: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str = ""
    insecure: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only people on this machine reach the console."""
        return not self.public_url and self.listens_locally

    @property
    def listens_locally(self) -> bool:
        """Whether the console listens on a loopback address, with or without a proxy before it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def uses_tls(self) -> bool:
        """Whether the console itself serves HTTPS."""
        return self.tls_cert is not None
