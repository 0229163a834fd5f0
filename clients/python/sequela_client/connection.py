"""The channel to a server. It is replaced when the client's PEM files change, since gRPC cannot reload them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela_client.errors import CallerError
from sequela_client.tls import FileVersions, PemFiles

_log = logging.getLogger(__name__)


class Connection:
    """A channel, blocking or asyncio, and the stubs of all services over it."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.explanations = rpc.ExplanationServiceStub(channel)
        self.models = rpc.ModelServiceStub(channel)
        self.backgrounds = rpc.BackgroundServiceStub(channel)
        self.access = rpc.AccessServiceStub(channel)
        # Calls that are under way, which end with the channel.
        self.calls = 0


class Connections:
    """The connection for the next call, and those before it that still have calls. It is safe to use from threads.

    Args:
        open_channel: opens a channel with channel credentials.
        close_channel: closes a channel that has no more calls.
        files: the PEM files; None if there are none to read again.
        credentials: the channel credentials to begin with; None stands for plain text.
    """

    def __init__(
        self,
        open_channel: Callable[[grpc.ChannelCredentials | None], Any],
        close_channel: Callable[[Any], None],
        files: PemFiles | None,
        credentials: grpc.ChannelCredentials | None,
    ) -> None:
        self._open, self._close, self._files = open_channel, close_channel, files
        self._versions: FileVersions = ()
        if files is not None:
            self._versions, credentials = files.versions(), files.channel_credentials()
        self._current = Connection(open_channel(credentials))
        self._former: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """The connection for one call, which stays open until the call has ended."""
        with self._lock:
            self._replace_if_changed()
            connection = self._current
            connection.calls += 1
        try:
            yield connection
        finally:
            with self._lock:
                connection.calls -= 1
                self._close_former()

    def take_all(self) -> list[Any]:
        """All channels, for the client to close. Those that are not current are forgotten."""
        with self._lock:
            found = [each.channel for each in (self._current, *self._former)]
            self._former.clear()
            return found

    def _replace_if_changed(self) -> None:
        if self._files is None or (versions := self._files.versions()) == self._versions:
            return
        # The same files are not tried twice.
        self._versions = versions
        try:
            credentials = self._files.channel_credentials()
        except CallerError as error:
            _log.warning(
                "the TLS files have changed, and are not usable; the last ones stay in use: %s", error
            )
            return
        self._former.append(self._current)
        self._current = Connection(self._open(credentials))
        self._close_former()

    def _close_former(self) -> None:
        for each in [each for each in self._former if not each.calls]:
            self._former.remove(each)
            self._close(each.channel)
