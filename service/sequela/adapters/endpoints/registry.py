"""All endpoints that this process calls: the operator's, and those that requests name."""

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
from sequela.adapters.endpoints.remote_model import RemoteModelSource
from sequela.adapters.endpoints.remote_model_handle import RemoteModelHandle
from sequela.adapters.endpoints.transport_factory import open_transport
from sequela.adapters.endpoints.transport_limits import TransportLimits
from sequela.adapters.endpoints.uri import URI_FIELD, EndpointUri
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import Observer, RemoteModel
from sequela.explain.request import EndpointModel
from sequela.explain.telemetry import EndpointCalled, Record
from sequela.names import ModelName

REQUEST_LABEL = "request"
"""The metrics label of all endpoints that requests name, since one for each would be too many."""
SCHEMA_FIELD = "model.endpoint.schema_json"
TENSOR_SHARE = {"grpc": 0.9, "grpcs": 0.9, "http": 0.1, "https": 0.1}
"""The share of a message's bytes that tensors may use. The rest is for names and shapes, and for JSON, which needs many
bytes for a number.
"""


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """The operator's rules for all endpoints.

    Attributes:
        allow_list: The endpoints that requests may name.
        terms: The default terms of endpoints.
        transport: Message sizes and connection times.
        ttl_seconds: How long an endpoint's description is cached.
        retry_seconds: The time between probes of an endpoint that is down.
        max_connections: The number of models named in requests whose connections are kept.
    """

    allow_list: AllowList = field(default_factory=lambda: AllowList((), ()))
    terms: EndpointTerms = field(default_factory=EndpointTerms)
    transport: TransportLimits = field(default_factory=lambda: TransportLimits(4 << 20, 1.0))
    ttl_seconds: float = 10.0
    retry_seconds: float = 1.0
    max_connections: int = 64


@dataclass(frozen=True, slots=True, eq=False)
class EndpointAccess:
    """How an endpoint is called.

    Attributes:
        uri: Where the model is served.
        version: The default version.
        limiter: Limits the calls of all requests.
        credentials: The credentials for the endpoint.
    """

    uri: EndpointUri
    version: str
    limiter: Limiter
    credentials: Credentials


class EndpointRegistry:
    """Opens connections to endpoints, with one limiter for each endpoint. Thread-safe."""

    def __init__(self, rules: EndpointRules, limits: Limits, observer: Observer) -> None:
        self.rules = rules
        self._limits, self._observer = limits, observer
        self._lock = threading.Lock()
        self._files: dict[ModelName, EndpointFile] = {}
        self._configured: dict[ModelName, EndpointAccess] = {}
        # Weak references, so that a limiter and its threads end with the last model that uses it.
        self._request_limiters: WeakValueDictionary[EndpointUri, Limiter] = WeakValueDictionary()
        self._handles: LRUCache[tuple[str, ...], RemoteModelHandle] = LRUCache(rules.max_connections)

    def configure(self, owner: ModelName, file: EndpointFile) -> Connection:
        """Applies the operator's file with this name, and returns a connection to the endpoint.

        From then on, requests that name the same endpoint share its limiter and credentials. An endpoint is disabled if
        any file disables it.

        Raises:
            InvalidInput: Another file states other terms for the same endpoint.
        """
        with self._lock:
            self._files[owner] = file
            self._check_agreement(file)
            limiter = self._limiter_on_terms(owner, file)
            access = EndpointAccess(file.uri, file.version, limiter, file.credentials)
            # Models that were opened before may use the old credentials and terms, so they are forgotten below.
            self._configured[owner] = access
            self._handles.clear()
        return self._connect(file.uri, file.version, access, None)

    def forget(self, owner: ModelName) -> None:
        """Removes the operator's file with this name, because it no longer exists or is not valid."""
        with self._lock:
            self._files.pop(owner, None)
            if access := self._configured.pop(owner, None):
                access.limiter.amend(self._with_switch(access.uri, access.limiter.terms))
                self._handles.clear()

    def resolve(self, choice: EndpointModel, until: float) -> RemoteModel:
        """Returns the model that a request names by its endpoint.

        Args:
            choice: URI, version and schema.
            until: When the model is needed, on the monotonic clock.

        Raises:
            InvalidInput: ENDPOINT_URI_INVALID, ENDPOINT_VERSION_INVALID, or a schema that does not fit.
            Forbidden: ENDPOINT_NOT_ALLOWED, ENDPOINT_OFF.
            SequelaError, DeadlinePassed: As `RemoteModelHandle.model`.
        """
        uri = EndpointUri.parse(choice.uri, URI_FIELD)
        # The schema decides how a model is read, so models with different schemas are different models.
        key = (str(uri), choice.version, hashlib.sha256(choice.schema_json).hexdigest())
        with self._lock:
            handle = self._handles.get(key) or self._open_handle(choice, uri)
            self._handles[key] = handle
        model = handle.model(until)
        return model.with_name(ModelName(model.info.digest, 1).full)

    def close(self) -> None:
        """Ends all calls, connections and threads."""
        with self._lock:
            configured = (access.limiter for access in self._configured.values())
            for limiter in {*self._request_limiters.values(), *configured}:
                limiter.close()

    def _check_agreement(self, file: EndpointFile) -> None:
        for name, other in self._files.items():
            differing = file.terms.differences(other.terms) if other.uri == file.uri else ()
            if differing:
                text = (
                    f"{file.uri} is also in {name.model}/{name.version}, with different values of "
                    f"{', '.join(differing)}; terms hold for all requests to an endpoint, so make them equal"
                )
                raise InvalidInput("ENDPOINT_FILE_INVALID", text)

    def _with_switch(self, uri: EndpointUri, terms: EndpointTerms) -> EndpointTerms:
        """Returns these terms, disabled if any file disables the endpoint."""
        files = [other for other in self._files.values() if other.uri == uri]
        return replace(terms, enabled=all(other.terms.enabled for other in files))

    def _limiter_on_terms(self, owner: ModelName, file: EndpointFile) -> Limiter:
        """Returns the endpoint's limiter with these terms. If they need a new limiter, other owners get it when their
        files are read again.
        """
        terms = self._with_switch(file.uri, file.terms)
        known = {access.limiter for access in self._configured.values() if access.uri == file.uri}
        # A limiter that has these terms already comes first, so that files that agree share one.
        for limiter in sorted(known, key=lambda limiter: limiter.terms != terms):
            if limiter.amend(terms):
                return limiter
        label = f"{owner.model}/{owner.version}"
        return Limiter(label, str(file.uri), terms, self._observer, self.rules.retry_seconds)

    def _open_handle(self, choice: EndpointModel, uri: EndpointUri) -> RemoteModelHandle:
        """Opens a model. Uses the operator's credentials and terms if a file of the operator has the same endpoint."""
        guard = self.rules.allow_list.check(uri)
        configured = next((access for access in self._configured.values() if access.uri == uri), None)
        if configured:
            version = choice.version or configured.version
            connection = self._connect(uri, version, configured, None)
        else:
            version = choice.version
            access = EndpointAccess(uri, "", self._request_limiter(uri), Credentials())
            connection = self._connect(uri, version, access, guard)
        source = RemoteModelSource(str(uri), version, "", choice.schema_json, URI_FIELD, SCHEMA_FIELD)
        return RemoteModelHandle("", source, connection, self._limits, self.rules.ttl_seconds)

    def _request_limiter(self, uri: EndpointUri) -> Limiter:
        limiter = self._request_limiters.get(uri)
        if limiter is None:
            observer = _CallObserver(self._observer)
            limiter = Limiter(REQUEST_LABEL, str(uri), self.rules.terms, observer, self.rules.retry_seconds)
            self._request_limiters[uri] = limiter
        return limiter

    def _connect(
        self, uri: EndpointUri, version: str, access: EndpointAccess, guard: AddressGuard | None
    ) -> Connection:
        transport = open_transport(uri, version, access.credentials, self.rules.transport, guard)
        tensor_bytes = int(TENSOR_SHARE[uri.scheme] * self.rules.transport.message_bytes)
        return Connection(transport, access.limiter, tensor_bytes)


class _CallObserver:
    """Only passes on records of calls. These can be counted for many endpoints under one label, but the state of one
    endpoint would overwrite that of another.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def notice(self, record: Record) -> None:
        """Takes one record."""
        if isinstance(record, EndpointCalled):
            self._observer.notice(record)
