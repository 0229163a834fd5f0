"""Sources of the keys of an identity provider: a file, or a URL that is read in the background."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpcore

from sequela.access.signed_tokens import Keys, parse_keys
from sequela.access.watched_files import Report, text_file
from sequela.explain.telemetry import CredentialsReloaded

SOURCE = "jwt_keys"
REFRESH_SECONDS = 300.0
"""How often keys are read from a URL. Providers announce new keys hours before they use them."""
MIN_REFRESH_SECONDS = 10.0
"""The shortest time between two reads, so that callers with unknown keys cannot make the server flood the provider."""
TIMEOUT_SECONDS = 5.0
MAX_KEYS_BYTES = 1 << 20


class KeyFile:
    """Keys in a file, which is read again when it changes. Raises as `WatchedFiles` does."""

    def __init__(self, path: Path, report: Report) -> None:
        self._file = text_file(SOURCE, path, parse_keys, report)

    def current(self) -> Keys:
        """See `KeySource`."""
        return self._file.current()

    def refresh(self) -> None:
        """Does nothing, since `current` notices a change."""

    def close(self) -> None:
        """Does nothing."""


class KeyUrl:
    """Keys behind a URL. The last good ones are used while the provider does not respond.

    Args:
        url: The address of a JSON Web Key Set.
        report: Receives every change and every failure.
        fetch: Reads a URL. Raises OSError or ValueError.
    """

    def __init__(self, url: str, report: Report, fetch: Callable[[str], bytes] | None = None) -> None:
        self._url = url
        self._report = report
        self._fetch = fetch or fetch_keys
        self._text = b""
        self._keys: Keys | None = None
        self._wanted = threading.Event()
        self._closed = False
        threading.Thread(target=self._run, name="jwt-keys", daemon=True).start()

    def current(self) -> Keys | None:
        """See `KeySource`."""
        return self._keys

    def refresh(self) -> None:
        """Wakes the thread."""
        self._wanted.set()

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._wanted.set()

    def _run(self) -> None:
        while not self._closed:
            self._read()
            started = time.monotonic()
            self._wanted.wait(REFRESH_SECONDS if self._keys else MIN_REFRESH_SECONDS)
            # A caller with an unknown key may ask at any time.
            while not self._closed and (left := started + MIN_REFRESH_SECONDS - time.monotonic()) > 0:
                self._wanted.clear()
                self._wanted.wait(left)
            self._wanted.clear()

    def _read(self) -> None:
        try:
            text = self._fetch(self._url)
            keys = parse_keys(text)
        except (OSError, ValueError) as error:
            self._report(CredentialsReloaded(SOURCE, False, f"{self._url}: {error}"))
            return
        # Keys that did not change stay the same object, so that tokens need not be checked anew.
        if text != self._text:
            self._text, self._keys = text, keys
            self._report(CredentialsReloaded(SOURCE, True))


def fetch_keys(url: str) -> bytes:
    """Reads a URL, without following redirects. Raises OSError."""
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_SECONDS)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=ssl.create_default_context()) as pool,
            pool.stream("GET", url, extensions={"timeout": timeouts}) as response,
        ):
            if response.status != 200:
                raise OSError(f"the provider responded with the status {response.status}")
            return _limited(response)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise OSError(str(error) or type(error).__name__) from None


def _limited(response: httpcore.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_stream():
        content += chunk
        if len(content) > MAX_KEYS_BYTES:
            raise OSError(f"the response exceeds the limit of {MAX_KEYS_BYTES} bytes")
    return bytes(content)
