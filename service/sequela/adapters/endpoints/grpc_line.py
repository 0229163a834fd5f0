"""The gRPC channel to an endpoint: opened when first needed, and anew where its host or certificates have changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from ipaddress import ip_address

import grpc

from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials, Tls
from sequela.adapters.endpoints.limits import TransportLimits, user_agent
from sequela.adapters.endpoints.uri import EndpointUri, bracketed

ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'
KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS = 20.0, 5.0
"""Of calls under way alone: servers count pings of an idle connection as abuse."""
MOST_BACKOFF_SECONDS = 1.0
LOOK_UP_SECONDS = 5.0
"""Names are looked up again no sooner."""

Options = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True, slots=True)
class Way:
    """All that a channel is made from; another one needs another channel."""

    target: str
    options: Options
    tls: Tls | None

    def channel(self) -> grpc.Channel:
        """A new channel."""
        if self.tls is None:
            return grpc.insecure_channel(self.target, self.options)
        shown = grpc.ssl_channel_credentials(self.tls.authority, self.tls.key, self.tls.certificate)
        return grpc.secure_channel(self.target, shown, self.options)


class Line:
    """Keeps one channel. Safe to use from several threads at once."""

    def __init__(
        self, uri: EndpointUri, credentials: Credentials, limits: TransportLimits, guard: AddressGuard | None
    ) -> None:
        self._uri, self._credentials, self._guard = uri, credentials, guard
        self._options = _options(uri, limits)
        self._lock = threading.Lock()
        self._way: Way | None = None
        self._channel: grpc.Channel | None = None
        self._doubted = False
        self._closed = False

    def channel(self, timeout: float | None) -> grpc.Channel:
        """Looks names up within `timeout` seconds (None: no limit).

        Raises Forbidden, UnusableCredentials, TimeoutError, OSError where the name is not known or the line is closed.
        """
        # Another caller may be waiting for the resolver, for longer than this one may.
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        try:
            return self._current(timeout)
        finally:
            self._lock.release()

    def doubt(self) -> None:
        """A call did not come through: the host may have moved, or the certificates may have been replaced."""
        self._doubted = True

    def close(self) -> None:
        """Calls under way are cancelled."""
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    def _current(self, timeout: float | None) -> grpc.Channel:
        if self._closed:
            raise ConnectionError("the connection was closed")
        if self._channel is None or self._doubted:
            self._channel = self._renewed(timeout)
            self._doubted = False
        return self._channel

    def _renewed(self, timeout: float | None) -> grpc.Channel:
        """The channel as it is where nothing has changed, else a new one in its place."""
        tls = self._credentials.tls() if self._uri.secure else None
        way = Way(self._target(timeout), self._options, tls)
        if self._channel is not None and way == self._way:
            return self._channel
        if self._channel is not None:
            self._channel.close()
        self._way = way
        return way.channel()

    def _target(self, timeout: float | None) -> str:
        """The host's name, which gRPC looks up, or where a guard watches, the addresses it lets through."""
        if self._guard is None:
            return f"dns:///{bracketed(self._uri.host)}:{self._uri.port}"
        addresses = [ip_address(address) for address in self._guard.addresses(timeout)]
        family = addresses[0].version  # a target holds one family: the one that the resolver prefers
        hosts = sorted(bracketed(str(address)) for address in addresses if address.version == family)
        return f"ipv{family}:{','.join(f'{host}:{self._uri.port}' for host in hosts)}"


def _options(uri: EndpointUri, limits: TransportLimits) -> Options:
    name = (("grpc.ssl_target_name_override", uri.host),) if uri.secure else ()
    return (
        ("grpc.default_authority", f"{bracketed(uri.host)}:{uri.port}"),
        *name,
        ("grpc.primary_user_agent", user_agent()),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.service_config", ROUND_ROBIN),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.max_receive_message_length", limits.message_bytes),
        # So it is called, but it is how long one attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", _millis(limits.connect_seconds)),
        ("grpc.initial_reconnect_backoff_ms", _millis(MOST_BACKOFF_SECONDS / 10)),
        ("grpc.max_reconnect_backoff_ms", _millis(MOST_BACKOFF_SECONDS)),
        ("grpc.dns_min_time_between_resolutions_ms", _millis(LOOK_UP_SECONDS)),
        ("grpc.keepalive_time_ms", _millis(KEEPALIVE_SECONDS)),
        ("grpc.keepalive_timeout_ms", _millis(KEEPALIVE_TIMEOUT_SECONDS)),
    )


def _millis(seconds: float) -> int:
    return max(round(seconds * 1000), 1)
