"""Tokens that an identity provider has signed (JWT), checked with the provider's public keys.

It needs PyJWT, which the extra `jwt` installs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cachetools import TTLCache

from sequela.access.caller import AuthenticationMethod, Caller
from sequela.access.roles import AccessRole
from sequela.errors import NotAuthenticated, Unavailable

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures with a public key only. A token cannot choose `none`, or use a public key as a shared secret."""

LEEWAY_SECONDS = 30
"""How many seconds the clocks of the provider and the server may differ."""

CHECKED_SECONDS = 30.0
"""For how long a token that has been checked is not checked again. Checking a signature takes about 0.1 ms."""

MAX_CHECKED = 1024
RETRY_SECONDS = 5.0

_PROBLEMS: Mapping[type[jwt.PyJWTError], str] = {
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is from another issuer",
    jwt.MissingRequiredClaimError: "it lacks one of the claims exp, iss, aud and sub",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAlgorithmError: "it is signed by an algorithm that the server does not allow",
    jwt.InvalidSignatureError: "its signature is wrong",
}
_MALFORMED = "it is malformed"

Keys = Mapping[str, jwt.PyJWK]


class KeySource(Protocol):
    """Where the provider's keys come from."""

    def current(self) -> Keys | None:
        """Returns the keys by their ids; None if they have never been there."""

    def refresh(self) -> None:
        """Asks for newer keys, because a token names one that is missing. Does not wait for them."""


def parse_keys(text: str | bytes) -> Keys:
    """Returns the keys of a JSON Web Key Set that may sign tokens. Raises ValueError."""
    try:
        found = jwt.PyJWKSet.from_json(text if isinstance(text, str) else text.decode()).keys
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"must be a JSON Web Key Set ({error})") from None
    usable = {each.key_id or "": each for each in found if each.algorithm_name in ALGORITHMS}
    usable = {name: key for name, key in usable.items() if key.public_key_use in (None, "sig")}
    if not usable:
        raise ValueError(f"has no key for signatures by one of {', '.join(sorted(ALGORITHMS))}")
    return usable


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a signed token must claim.

    Attributes:
        issuer: The claim `iss`.
        audience: One of the claim `aud`.
        roles_claim: The claim with the roles, as a list or as a text with spaces. Dots lead into objects.
    """

    issuer: str
    audience: str
    roles_claim: str


class JsonWebTokens:
    """Checks signed tokens. Must be used from a single thread."""

    def __init__(self, rules: TokenRules, keys: KeySource) -> None:
        self._rules = rules
        self._keys = keys
        self._checked: TTLCache[bytes, Mapping[str, Any]] = TTLCache(MAX_CHECKED, CHECKED_SECONDS)
        self._checked_with: Keys | None = None

    def caller(self, token: str) -> Caller:
        """Returns whose token it is.

        Raises:
            NotAuthenticated: TOKEN_UNKNOWN or TOKEN_EXPIRED.
            Unavailable: ACCESS_KEYS_MISSING, because the provider's keys could not be read yet.
        """
        keys = self._keys.current()
        if keys is None:
            text = "the keys of the identity provider could not be read yet; retry later"
            raise Unavailable("ACCESS_KEYS_MISSING", text, retry_after=RETRY_SECONDS)
        if keys is not self._checked_with:
            self._checked.clear()
            self._checked_with = keys
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._checked.get(digest)
        if claims is None:
            claims = self._checked[digest] = self._claims(token, keys)
        # Also for a token that has been checked, since its time may be over now.
        _check_time(claims)
        return Caller(_name(claims), self._roles(claims), AuthenticationMethod.JWT)

    def _claims(self, token: str, keys: Keys) -> Mapping[str, Any]:
        try:
            return self._decode(token, keys, verify_exp=True)
        except jwt.ExpiredSignatureError:
            raise _expired(self._expired_name(token, keys)) from None
        except jwt.PyJWTError as error:
            # The library's own texts may quote the token.
            what = next((text for kind, text in _PROBLEMS.items() if isinstance(error, kind)), _MALFORMED)
            raise NotAuthenticated("TOKEN_UNKNOWN", f"the signed token is not accepted: {what}") from None

    def _decode(self, token: str, keys: Keys, *, verify_exp: bool) -> Mapping[str, Any]:
        return jwt.decode(
            token,
            self._key(token, keys),
            algorithms=sorted(ALGORITHMS),
            issuer=self._rules.issuer,
            audience=self._rules.audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"], "verify_exp": verify_exp},
        )

    def _expired_name(self, token: str, keys: Keys) -> str:
        """Returns the name in an expired token, or empty if something else is wrong with the token as well."""
        try:
            return _name(self._decode(token, keys, verify_exp=False))
        except jwt.PyJWTError:
            return ""

    def _key(self, token: str, keys: Keys) -> jwt.PyJWK:
        name = jwt.get_unverified_header(token).get("kid", "")
        found = keys.get(name) or (next(iter(keys.values())) if not name and len(keys) == 1 else None)
        if found is None:
            self._keys.refresh()
            raise NotAuthenticated(
                "TOKEN_UNKNOWN", "the token is signed with a key that the server does not have"
            )
        return found

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[AccessRole]:
        found: Any = claims
        for name in self._rules.roles_claim.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        names = found.split() if isinstance(found, str) else found if isinstance(found, list) else ()
        # A provider may have roles for other services too.
        return frozenset(role for role in AccessRole if role in names)


def _check_time(claims: Mapping[str, Any]) -> None:
    if int(claims["exp"]) + LEEWAY_SECONDS < time.time():
        raise _expired(_name(claims))


def _name(claims: Mapping[str, Any]) -> str:
    # The prefix keeps subjects apart from the names of other clients.
    return f"jwt:{claims['sub']}"


def _expired(caller: str) -> NotAuthenticated:
    text = "the signed token has expired; get a new one from the identity provider"
    return NotAuthenticated("TOKEN_EXPIRED", text, caller=caller)
