"""The gRPC channel to an endpoint: its addresses, certificates and options."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import grpc

from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials, Tls
from sequela.adapters.endpoints.transport_limits import TransportLimits, user_agent
from sequela.adapters.endpoints.uri import EndpointUri, add_brackets

ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'
KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS = 20.0, 5.0
"""Pings are only sent while calls are in flight, because servers treat pings on an idle connection as abuse."""
MAX_BACKOFF_SECONDS = 1.0
"""The longest wait between attempts to connect, in seconds."""
MIN_RESOLUTION_SECONDS = 5.0
"""The shortest time between two look-ups of the same name, in seconds."""

ChannelOptions = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True, slots=True)
class GrpcChannelSpec:
    """Everything that is needed to open a channel. Implements `ConnectionSpec`."""

    target: str
    options: ChannelOptions
    tls: Tls | None

    def open(self) -> grpc.Channel:
        """Opens a channel, which connects at its first call."""
        if self.tls is None:
            return grpc.insecure_channel(self.target, self.options)
        credentials = grpc.ssl_channel_credentials(self.tls.authority, self.tls.key, self.tls.certificate)
        return grpc.secure_channel(self.target, credentials, self.options)


@dataclass(frozen=True, slots=True)
class GrpcChannelFinder:
    """Finds the current spec: resolves a guarded host name and reads the certificates."""

    uri: EndpointUri
    credentials: Credentials
    limits: TransportLimits
    guard: AddressGuard | None

    def __call__(self, timeout: float | None) -> GrpcChannelSpec:
        """Finds the spec within `timeout` seconds (None for no limit).

        Raises Forbidden, UnusableCredentials, OSError if the name cannot be resolved, and TimeoutError.
        """
        # The files are read for each spec, so that renewed certificates lead to a new channel.
        tls = self.credentials.tls() if self.uri.secure else None
        return GrpcChannelSpec(self._target(timeout), _options(self.uri, self.limits), tls)

    def _target(self, timeout: float | None) -> str:
        """Returns the host's name, which gRPC looks up, or with a guard the addresses that it allows."""
        if self.guard is None:
            return f"dns:///{add_brackets(self.uri.host)}:{self.uri.port}"
        seconds = (
            self.limits.connect_seconds if timeout is None else min(timeout, self.limits.connect_seconds)
        )
        addresses = [ip_address(address) for address in self.guard.look_up(seconds)]
        family = addresses[0].version  # a target has one family: the one that the resolver prefers
        # Sorted, so that the same addresses in another order do not lead to a new channel.
        hosts = sorted(add_brackets(str(address)) for address in addresses if address.version == family)
        return f"ipv{family}:{','.join(f'{host}:{self.uri.port}' for host in hosts)}"


def _options(uri: EndpointUri, limits: TransportLimits) -> ChannelOptions:
    # The target may hold addresses, but the certificate is checked against the host's name.
    name = (("grpc.ssl_target_name_override", uri.host),) if uri.secure else ()
    return (
        ("grpc.default_authority", f"{add_brackets(uri.host)}:{uri.port}"),
        *name,
        ("grpc.primary_user_agent", user_agent()),
        # A proxy would resolve the name itself, and so bypass the guard.
        ("grpc.enable_http_proxy", 0),
        # gRPC's own retries would bypass the rate limit and the records of calls.
        ("grpc.enable_retries", 0),
        ("grpc.service_config", ROUND_ROBIN),
        # A service config from DNS could turn retries on again.
        ("grpc.service_config_disable_resolution", 1),
        # Channels share connections otherwise, so a new channel would not reconnect.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.max_receive_message_length", limits.message_bytes),
        # Despite its name, this option limits how long one attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", _millis(limits.connect_seconds)),
        ("grpc.initial_reconnect_backoff_ms", _millis(MAX_BACKOFF_SECONDS / 10)),
        ("grpc.max_reconnect_backoff_ms", _millis(MAX_BACKOFF_SECONDS)),
        ("grpc.dns_min_time_between_resolutions_ms", _millis(MIN_RESOLUTION_SECONDS)),
        ("grpc.keepalive_time_ms", _millis(KEEPALIVE_SECONDS)),
        ("grpc.keepalive_timeout_ms", _millis(KEEPALIVE_TIMEOUT_SECONDS)),
    )


def _millis(seconds: float) -> int:
    return max(round(seconds * 1000), 1)
