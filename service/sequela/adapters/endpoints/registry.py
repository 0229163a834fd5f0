"""All endpoints that this process talks to, the operator's and those that requests name, each with one traffic."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from cachetools import LRUCache

from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.allow_list import AllowList
from sequela.adapters.endpoints.connection import Connection
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.endpoint_file import EndpointFile
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.remote_model import ServedModel, Source
from sequela.adapters.endpoints.remote_model_handle import RemoteModelHandle
from sequela.adapters.endpoints.transport_factory import TransportLimits, open_transport
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import Observer
from sequela.explain.request import EndpointModel
from sequela.explain.telemetry import EndpointCalled, Record
from sequela.names import ModelName

IN_REQUESTS = "request"
"""What metrics call all endpoints that requests name: labels stay few."""
URI_PATH = "model.endpoint.uri"
SCHEMA_PATH = "model.endpoint.schema_json"
ROOM = {"grpc": 0.9, "grpcs": 0.9, "http": 0.1, "https": 0.1}
"""Of the largest message, for tensors: some is for names and shapes, and JSON writes a number in many bytes."""


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """What the operator allows and prefers. terms: of endpoints that say nothing else. ttl: seconds for which an
    endpoint's description holds. rest: seconds between looks at one that is down. kept: models of requests whose
    connections are kept.
    """

    allowance: AllowList = field(default_factory=lambda: AllowList((), ()))
    terms: EndpointTerms = field(default_factory=EndpointTerms)
    transport: TransportLimits = field(default_factory=lambda: TransportLimits(4 << 20, 1.0))
    ttl: float = 10.0
    rest: float = 1.0
    kept: int = 64


@dataclass(frozen=True, slots=True, eq=False)
class EndpointAccess:
    """An endpoint that the operator has set up."""

    uri: EndpointUri
    version: str
    traffic: Limiter
    credentials: Credentials


class EndpointRegistry:
    """Safe to call from several threads at once."""

    def __init__(self, rules: EndpointRules, limits: Limits, observer: Observer) -> None:
        self.rules = rules
        self._limits, self._observer = limits, observer
        self._lock = threading.Lock()
        self._files: dict[ModelName, EndpointFile] = {}
        self._owned: dict[ModelName, EndpointAccess] = {}
        self._traffic: WeakValueDictionary[EndpointUri, Limiter] = WeakValueDictionary()
        self._servings: LRUCache[tuple[str, ...], RemoteModelHandle] = LRUCache(rules.kept)

    def own(self, owner: ModelName, file: EndpointFile) -> Connection:
        """A line to what the operator has set up under this name; requests that name the same endpoint share its
        traffic and its credentials from now on. One file that switches it off is enough.

        Raises InvalidInput as long as another file says other terms of it.
        """
        with self._lock:
            self._files[owner] = file
            self._check_agreement(file)
            traffic = self._amended(owner, file)
            owned = self._owned[owner] = EndpointAccess(file.uri, file.version, traffic, file.credentials)
            self._servings.clear()
        return self._line(file.uri, file.version, owned, None)

    def disown(self, owner: ModelName) -> None:
        """Nothing is set up under this name any more."""
        with self._lock:
            self._files.pop(owner, None)
            if owned := self._owned.pop(owner, None):
                owned.traffic.amend(self._in_force(owned.uri, owned.traffic.terms))
                self._servings.clear()

    def named(self, choice: EndpointModel, until: float) -> ServedModel:
        """The model that a request names by its endpoint. Raises InvalidInput, Forbidden (ENDPOINT_NOT_ALLOWED), and
        what `RemoteModelHandle.model` raises.
        """
        uri = EndpointUri.parse(choice.uri, URI_PATH)
        key = (str(uri), choice.version, hashlib.sha256(choice.schema_json).hexdigest())
        with self._lock:
            serving = self._servings.get(key) or self._opened(choice, uri)
            self._servings[key] = serving
        model = serving.model(until)
        return model.named(ModelName(model.info.digest, 1).full)

    def close(self) -> None:
        """Ends all calls, connections and threads."""
        with self._lock:
            for traffic in {*self._traffic.values(), *(owned.traffic for owned in self._owned.values())}:
                traffic.close()

    def _check_agreement(self, file: EndpointFile) -> None:
        for name, other in self._files.items():
            differing = file.terms.differing(other.terms) if other.uri == file.uri else ()
            if differing:
                text = f"{file.uri} stands in {name.model}/{name.version} too, with another {', '.join(differing)}; "
                text += "what holds for an endpoint holds for all requests, so make them alike"
                raise InvalidInput("ENDPOINT_FILE_INVALID", text)

    def _in_force(self, uri: EndpointUri, terms: EndpointTerms) -> EndpointTerms:
        """These terms, switched off where any file says so."""
        files = [other for other in self._files.values() if other.uri == uri]
        return replace(terms, enabled=all(other.terms.enabled for other in files))

    def _amended(self, owner: ModelName, file: EndpointFile) -> Limiter:
        """The endpoint's traffic on these terms, where that is possible; else a new one, which other owners join as
        they are read.
        """
        terms = self._in_force(file.uri, file.terms)
        known = {owned.traffic for owned in self._owned.values() if owned.uri == file.uri}
        for traffic in sorted(known, key=lambda traffic: traffic.terms != terms):
            if traffic.amend(terms):
                return traffic
        return Limiter(
            f"{owner.model}/{owner.version}", str(file.uri), terms, self._observer, self.rules.rest
        )

    def _opened(self, choice: EndpointModel, uri: EndpointUri) -> RemoteModelHandle:
        """With the operator's credentials and on its terms where it has set up what the request names."""
        guard = self.rules.allowance.check(uri)
        owned = next((owned for owned in self._owned.values() if owned.uri == uri), None)
        version = choice.version or (owned.version if owned else "")
        line = self._line(uri, version, owned, None) if owned else self._guarded_line(uri, version, guard)
        source = Source(str(uri), version, "", choice.schema_json, URI_PATH, SCHEMA_PATH)
        return RemoteModelHandle("", source, line, self._limits, self.rules.ttl)

    def _guarded_line(self, uri: EndpointUri, version: str, guard: AddressGuard) -> Connection:
        traffic = self._traffic.get(uri)
        if traffic is None:
            counted = _OnlyCalls(self._observer)
            traffic = Limiter(IN_REQUESTS, str(uri), self.rules.terms, counted, self.rules.rest)
            self._traffic[uri] = traffic
        return self._line(uri, version, EndpointAccess(uri, "", traffic, Credentials()), guard)

    def _line(
        self, uri: EndpointUri, version: str, owned: EndpointAccess, guard: AddressGuard | None
    ) -> Connection:
        transport = open_transport(uri, version, owned.credentials, self.rules.transport, guard)
        return Connection(
            transport, owned.traffic, int(ROOM[uri.scheme] * self.rules.transport.message_bytes)
        )


class _OnlyCalls:
    """Passes on what can be counted for many endpoints under one name; the state of one would hide the others'."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def notice(self, record: Record) -> None:
        """Takes one record."""
        if isinstance(record, EndpointCalled):
            self._observer.notice(record)
