"""Keys that open the panel of one alert for a while, in a frame of a case tool."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sequela_client.errors import CallerError

from sequela_console.http.errors import ApiError

LIFETIME_SECONDS = 600.0
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class EmbedKeys:
    """Makes and checks keys.

    Args:
        secret: what keys are signed with.
        clock: seconds since 1970.
    """

    secret: bytes
    clock: Callable[[], float] = time.time

    @classmethod
    def from_folder(cls, folder: Path) -> EmbedKeys:
        """Reads the secret from the folder of the console's state, and makes it the first time.

        Raises:
            CallerError: the file holds no whole secret. Keys that it signs could be forged.
        """
        file = folder / "embed.key"
        if not file.exists():
            _make_secret(file)
        secret = file.read_bytes()
        if len(secret) != _SECRET_BYTES:
            raise CallerError(
                f"{file} does not hold the {_SECRET_BYTES} bytes of the secret that signs links to panels; delete it, "
                "and the console makes a new one",
                reason="EMBED_SECRET_INVALID",
            )
        return cls(secret)

    def key(self, alert: str, who: str, verified: bool) -> tuple[str, float]:
        """Returns a key for an alert, and when it expires, in seconds since 1970."""
        end = self.clock() + LIFETIME_SECONDS
        content = json.dumps([alert, who, verified, end], separators=(",", ":")).encode()
        return f"{_text(content)}.{_text(self._signature(content))}", end

    def check(self, key: str, alert: str) -> tuple[str, bool]:
        """Returns who asked for a key, and whether that name was verified.

        Raises:
            ApiError: (401) it is not for this alert, or has expired.
        """
        content, _, signature = key.partition(".")
        try:
            data = _bytes(content)
            genuine = hmac.compare_digest(self._signature(data), _bytes(signature))
        except ValueError:
            genuine = False
        if not genuine:
            raise _refused("the key is not one of this console")
        found, who, verified, end = json.loads(data)
        if found != alert:
            raise _refused("the key is for another alert")
        if self.clock() > end:
            raise _refused("the key has expired; ask the case tool to open the alert again")
        return str(who), bool(verified)

    def _signature(self, content: bytes) -> bytes:
        return hmac.new(self.secret, content, hashlib.sha256).digest()


def _make_secret(file: Path) -> None:
    """Makes the file at once with all its bytes, since another console may read it at any moment."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    try:
        with open(descriptor, "wb") as new:
            new.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):
            os.link(name, file)
    finally:
        os.unlink(name)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Raises ValueError for what is not base64url."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _refused(message: str) -> ApiError:
    return ApiError(401, "EMBED_KEY_REFUSED", message)
