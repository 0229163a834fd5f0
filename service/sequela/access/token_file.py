"""The file of tokens: who may call with which token, in which roles, and until when.

A line is `NAME sha256:DIGEST ROLES EXPIRES`. The file holds digests, so reading it does not allow anybody to call.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from sequela.access.caller import AuthenticationMethod, Caller
from sequela.access.lines import NAME, NoEntries, digest_of, numbered_words
from sequela.access.roles import parse_roles
from sequela.errors import NotAuthenticated

MAX_TOKENS_OF_A_CLIENT = 2
"""Two, so that a client can change from the old one to the new one at any time."""

FORM = "a line must be `NAME sha256:DIGEST ROLES EXPIRES`, as `sequela token` prints it"
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One token. `digest` is the SHA-256 of the token."""

    caller: Caller
    digest: bytes
    expires: datetime


@dataclass(frozen=True, slots=True)
class TokenFile:
    """All tokens of a file."""

    entries: tuple[TokenEntry, ...]

    @classmethod
    def parse(cls, text: str) -> TokenFile:
        """Reads the file. Raises ValueError, or NoEntries, which names the line but repeats nothing of it."""
        entries: list[TokenEntry] = []
        for number, words in numbered_words(text):
            try:
                entries.append(_entry(words))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        if not entries:
            # A file that is being written is empty for a moment.
            raise NoEntries(f"holds no token; {FORM}")
        now = datetime.now(UTC)
        valid = Counter(each.caller.name for each in entries if each.expires > now)
        for name, count in valid.items():
            if count > MAX_TOKENS_OF_A_CLIENT:
                text = f"{name} has {count} tokens that have not expired; at most {MAX_TOKENS_OF_A_CLIENT} may be valid"
                raise ValueError(f"{text} at a time, so remove the oldest line")
        return cls(tuple(entries))

    def caller(self, token: str) -> Caller:
        """Returns whose token it is. Raises NotAuthenticated (TOKEN_UNKNOWN, TOKEN_EXPIRED)."""
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        # All entries are compared in full, so the time does not depend on which one it is, or how much of it matches.
        for entry in self.entries:
            if hmac.compare_digest(entry.digest, digest):
                found = entry
        if found is None:
            raise NotAuthenticated("TOKEN_UNKNOWN", "the token is not known to the server")
        if found.expires <= datetime.now(UTC):
            text = f"the token of {found.caller.name} expired at {found.expires:%Y-%m-%dT%H:%M:%SZ}; use a new one"
            raise NotAuthenticated("TOKEN_EXPIRED", text, caller=found.caller.name)
        return found.caller


def _entry(words: list[str]) -> TokenEntry:
    if len(words) != 4:
        raise ValueError(FORM)
    name, digest, roles, expires = words
    if not NAME.fullmatch(name):
        raise ValueError("the name may have at most 128 letters, digits and ._@:/+-")
    caller = Caller(name, parse_roles(roles.split(",")), AuthenticationMethod.TOKEN)
    return TokenEntry(caller, bytes.fromhex(digest_of(digest, "the second word")), _time(expires))


def _time(text: str) -> datetime:
    if text == "never":
        return NEVER
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("the time of expiry must be such as 2027-05-31T00:00:00Z, or `never`") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
