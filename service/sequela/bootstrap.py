"""Builds a server from settings. This is the only place that connects adapters with the API."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from random import Random

import structlog
from starlette.applications import Starlette

from sequela.access.audit import Audit, AuditFile, log_audit, no_audit
from sequela.access.factory import AccessFiles, SignedTokenSettings, authenticator
from sequela.access.watched_files import WatchedFiles
from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.logs import LogObserver
from sequela.adapters.metrics.observer import PrometheusObserver
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.model_repository import ModelRepository
from sequela.adapters.repository.operator_models import OperatorModels, RepositoryRules
from sequela.adapters.repository.uploads import Uploads
from sequela.adapters.store.backgrounds import BackgroundStore
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.location import InFile, InMemory, InRedis, store_kind
from sequela.adapters.store.ports import Store
from sequela.adapters.store.sqlite.store import (
    FILE_BYTES,
    MEMORY_BYTES,
    StoreLimits,
    file_store,
    memory_store,
)
from sequela.adapters.store.store_spans import with_spans
from sequela.adapters.trace_files.tracer import FileTracer
from sequela.api.access_control import AccessControl
from sequela.api.admission.admission import AdmissionSlots
from sequela.api.admission.brownout import Brownout
from sequela.api.admission.priority import Priority
from sequela.api.admission.waiting_queues import QueueLimits
from sequela.api.catalog import Catalog
from sequela.api.dataplane import DataPlane
from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.drain_gate import DrainGate
from sequela.api.engine_port import NoEngines
from sequela.api.executors import Executor, Executors
from sequela.api.grpc.listener import GrpcListener, TlsCredentials
from sequela.api.grpc.message_reader import MessageReader
from sequela.api.grpc.services import SERVICE_NAMES, services
from sequela.api.http_server import HttpServer, application
from sequela.api.inference.open_inference import OpenInference
from sequela.api.message_budget import MessageBudget
from sequela.api.permissions import Permissions
from sequela.api.readiness import ConfiguredStates, Readiness
from sequela.api.rest.body_reader import BodyReader
from sequela.api.rest.host_check import HostCheck
from sequela.api.rest.kserve import KServe
from sequela.api.rest.middleware import RouteFactory
from sequela.api.rest.open_inference import OpenInferenceRest
from sequela.api.server import DrainTimes, Server
from sequela.api.tls import ReloadingContext, TlsContent, TlsFiles
from sequela.concurrency.cpu import own_cores, pin_to, usable_cores
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.replica_flights import ReplicaFlights
from sequela.concurrency.serial_workers import SerialWorkers
from sequela.concurrency.single_flight import Flights, SingleFlight
from sequela.concurrency.worker_pool import WorkerPool
from sequela.engine_pools import (
    build_model_engines,
    build_upload_loader,
    count_engines,
    count_upload_engines,
)
from sequela.errors import Unsupported
from sequela.explain.diagnostics import Diagnostics
from sequela.explain.ports import Backgrounds, Explanations, Models, Observer, Observers
from sequela.explain.service import Explainer
from sequela.explain.telemetry import AuditLineLost
from sequela.explain.tracer import NO_TRACE, Tracer
from sequela.model_engines.engine_service import StoredParts
from sequela.settings import Settings
from sequela.spans import NO_SPANS, RequestSpans, SampledSpans

log = structlog.get_logger("sequela.bootstrap")

MIN_EXPLAIN_THREADS = 2
"""The smallest number of concurrent explanations, so that a long one does not block all others. By default there are as
many as workers: more of them would compete for the interpreter lock and delay every answer.
"""

PROBE_STREAMS = 16
"""How many calls of reflection may be open at a time."""
PROBE_MESSAGES = 2
"""How many messages of health checks are read at a time."""

CONCLUSION_SECONDS = 0.012
"""Approximate processor time, in seconds, to solve, encode and send an explanation once its time is over."""


@dataclass(frozen=True, slots=True)
class Application:
    """A server that is ready to open, and its parts.

    `configured` still has to start loading the operator's models. Once the server has drained, `close` ends the workers
    and closes what adapters hold open.
    """

    settings: Settings
    metrics: PrometheusObserver
    configured: OperatorModels
    server: Server
    drain_times: DrainTimes
    close: Callable[[], None]


def build(
    settings: Settings,
    *,
    models: Models | None = None,
    backgrounds: Backgrounds | None = None,
    explanations: Explanations | None = None,
    explainer: Explainer | None = None,
    configured_states: ConfiguredStates | None = None,
) -> Application:
    """Builds the server, in the event loop that will run it. Arguments replace the parts that are built by default."""
    limits, near = settings.limits, settings.cache_bytes
    metrics = PrometheusObserver(version(), store_kind(settings.store_location))
    observer = Observers((metrics, LogObserver(settings.log_caller_ids)))
    # The parts are closed in reverse order, so each one outlives those that use it; also if one cannot be built.
    with ExitStack() as closing:
        spans = _spans(settings, closing)
        diagnostics = _diagnostics(settings, closing)
        store = _store(settings, observer)
        closing.callback(store.close)
        workers = settings.workers or usable_cores()
        pool = WorkerPool(workers, pin_to(own_cores(workers)))
        closing.callback(pool.close)
        metrics.watch(pool)
        endpoint_registry = EndpointRegistry(settings.endpoint_rules, limits, observer)
        closing.callback(endpoint_registry.close)
        elsewhere = build_model_engines(settings, metrics, observer, closing)
        engines = elsewhere.engines if elsewhere else None
        here = Loader(limits, settings.model_threads, settings.execution_provider)
        loader = elsewhere.loader if elsewhere else here
        configured = OperatorModels.in_folder(
            settings.model_repository, loader, endpoint_registry, engines, _repository_rules(settings)
        )
        metrics.watch_models(configured.states, configured.absences)
        cache = ModelCache(observer, settings.model_cache_models, settings.model_cache_bytes)
        uploaded = Uploads(store, observer)
        upload_loader = build_upload_loader(settings, metrics, observer, closing)
        models = models or ModelRepository(
            configured, uploaded, cache, upload_loader, endpoint_registry, settings.uploads
        )
        backgrounds = backgrounds or BackgroundStore(store, observer, settings.background_ttl, near)
        explanations = explanations or ExplanationStore(
            store.records, observer, settings.explanation_ttl, settings.keep_sequences
        )
        # Both explainers share the store, so equal requests must not be answered twice at the same time.
        flights = _flights(store)
        make = partial(Explainer, models, backgrounds, explanations, observer, limits, flights=flights)
        upload_workers = SerialWorkers(count_upload_engines(settings))
        closing.callback(upload_workers.close)
        upload_explainer = explainer or make(upload_workers, diagnostics=diagnostics)
        explainer = explainer or make(pool, diagnostics=diagnostics)
        if engines:
            engines.connect(StoredParts(store.records, backgrounds, flights, observer))
        executors = _executors(settings, count_engines(settings) or pool.workers, metrics, observer)
        policy = DeadlinePolicy(settings.default_timeout, settings.deadline_reserve, settings.stream_window)
        dataplane = DataPlane(
            explainer,
            upload_explainer,
            models,
            explanations,
            executors,
            engines or NoEngines(),
            policy,
            limits,
            observer,
        )
        catalog = Catalog(models, backgrounds, executors, limits)
        readiness = Readiness(SERVICE_NAMES, configured_states or configured)
        inference = OpenInference(dataplane, version(), readiness.why_not)
        gate = DrainGate()
        hosts = HostCheck.of(settings.http_host, settings.allowed_hosts.split())
        access, tls = _access(settings, observer, closing), _tls(settings, observer)
        bodies, http_seconds = _bodies(settings, observer), settings.max_http_timeout
        factory = RouteFactory(observer, gate, policy, bodies, access, hosts, http_seconds, spans)
        routes = [*KServe(dataplane).routes(factory), *OpenInferenceRest(inference).routes(factory)]
        pages = application(
            metrics.registry, readiness.report, routes if settings.explains_over_http else (), access, hosts
        )
        server = Server(
            _listener(settings, tls),
            services(catalog, inference),
            executors,
            readiness,
            _http(settings, pages, tls),
            observer,
            gate,
            _reader(settings, observer),
            access,
            spans,
        )
        times = DrainTimes(settings.drain_delay_seconds, settings.drain_grace)
        return Application(settings, metrics, configured, server, times, closing.pop_all().close)


def version() -> str:
    """Returns the installed version."""
    try:
        return metadata.version("sequela")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "0+checkout"


def _spans(settings: Settings, closing: ExitStack) -> RequestSpans:
    """Returns the object that begins the spans of requests. Raises Unsupported if spans cannot be exported."""
    if not settings.export_spans:
        return NO_SPANS
    try:
        # OpenTelemetry is an extra.
        from sequela.adapters.span_export import SpanExport  # noqa: PLC0415
    except ImportError:
        text = "--export-spans needs OpenTelemetry: run pip install '.[service,tracing]' in a clone of the repository"
        raise Unsupported("TRACING_NOT_INSTALLED", text) from None
    export = SpanExport.of_environment(version())
    closing.callback(export.close)
    return SampledSpans(export.take, export.is_sampled)


def _diagnostics(settings: Settings, closing: ExitStack) -> Diagnostics:
    """Returns the diagnostics of the settings, and logs them, because they cost speed or write callers' data."""
    tracer: Tracer = NO_TRACE
    if settings.trace_dir:
        files = FileTracer(settings.trace_dir, settings.trace_bytes)
        closing.callback(files.close)
        tracer = files
        detail = "every explanation is recorded with what callers sent, and no answer is reused"
        log.warning("tracing explanations", folder=str(settings.trace_dir), detail=detail)
    if settings.execution:
        detail = "models of this process run in this way only, and no answer is reused"
        log.warning("execution forced", execution=settings.execution, detail=detail)
    return Diagnostics(tracer, settings.execution)


def _store(settings: Settings, observer: Observer) -> Store:
    """Opens the store. Raises OSError or SequelaError if it cannot be used."""
    store = _open_store(settings, observer)
    return with_spans(store, store_kind(settings.store_location)) if settings.export_spans else store


def _open_store(settings: Settings, observer: Observer) -> Store:
    match settings.store_location:
        case InMemory():
            return memory_store(observer, _store_limits(settings, MEMORY_BYTES))
        case InFile(path):
            return file_store(path, observer, _store_limits(settings, FILE_BYTES))
        case InRedis(url):
            return _redis(url, settings, observer)


def _repository_rules(settings: Settings) -> RepositoryRules:
    return RepositoryRules(settings.repository_interval, settings.require_all_models)


def _flights(store: Store) -> Flights:
    """Returns the port by which one request at a time computes an answer: in this server, or among its replicas."""
    return SingleFlight() if store.leases is None else ReplicaFlights(store.leases)


def _store_limits(settings: Settings, max_bytes: int) -> StoreLimits:
    return StoreLimits(settings.store_bytes or max_bytes, settings.explanation_ttl)


def _redis(url: str, settings: Settings, observer: Observer) -> Store:
    # Most servers have no Redis, and to import its client takes a good part of their start.
    from sequela.adapters.store.redis.connection import RedisConnection  # noqa: PLC0415
    from sequela.adapters.store.redis.url import RedisTimeouts  # noqa: PLC0415
    from sequela.adapters.store.shared_store import (  # noqa: PLC0415
        SharedStoreOptions,
        default_outbox_folder,
        shared_store,
    )

    timeouts = RedisTimeouts(settings.redis_connect_timeout, settings.redis_timeout)
    redis = RedisConnection(url, observer, timeouts, settings.redis_retry_after)
    # Notify observers of the state of the store before the first request. The server does not wait for the store.
    threading.Thread(target=redis.check, name="store-check", daemon=True).start()
    options = SharedStoreOptions(
        settings.outbox_folder or default_outbox_folder(),
        settings.owed_bytes,
        settings.cache_bytes,
        settings.explanation_ttl,
        retry_seconds=settings.redis_retry_after,
    )
    return shared_store(redis, options)


def _admission(settings: Settings, workers: int, observer: Observer) -> AdmissionSlots:
    """Returns the admission of explanations with the operator's models."""
    limits = QueueLimits(settings.queue_size, settings.interactive_queue_seconds, settings.bulk_queue_seconds)
    return AdmissionSlots(
        settings.max_concurrent or max(workers, MIN_EXPLAIN_THREADS),
        workers,
        limits,
        observer,
        # Replicas must not tell their callers the same times.
        Random(os.getpid()),  # noqa: S311  # not a secret
        Brownout(Deadline.now()) if settings.brownout else None,
    )


def _executors(
    settings: Settings, workers: int, metrics: PrometheusObserver, observer: Observer
) -> Executors:
    admission = _admission(settings, workers, observer)
    backlogs = {each.value: partial(admission.backlog_seconds, each) for each in Priority}
    metrics.watch_admission(backlogs, lambda: admission.brownout_level)
    return Executors(
        Executor("explain", admission.slots, settings.queue_size, observer, slots=admission),
        Executor(
            # These tasks mostly wait for answers, so there may be more of them than cores.
            "remote",
            settings.endpoint_max_concurrent,
            settings.queue_size,
            observer,
            CONCLUSION_SECONDS,
        ),
        Executor("lookup", settings.lookup_threads, settings.lookup_queue, observer),
        Executor("uploads", count_upload_engines(settings), settings.queue_size, observer),
    )


def _access(settings: Settings, observer: Observer, closing: ExitStack) -> AccessControl:
    """Returns the access control. Raises as `authenticator` and `AuditFile` do."""
    signed = None
    if settings.jwt_issuer:
        signed = SignedTokenSettings(
            settings.jwt_issuer, settings.jwt_audience, settings.jwt_keys, settings.jwt_roles_claim
        )
    files = AccessFiles(settings.tokens, settings.identities, settings.revoked, signed)
    known = authenticator(files, settings.tls_client_ca is not None, observer.notice, closing)
    audit: Audit = log_audit if known.enabled else no_audit
    if settings.audit_log:
        audit = AuditFile(settings.audit_log, lambda: observer.notice(AuditLineLost()))
        closing.callback(audit.close)
    return AccessControl(known, Permissions.of(settings.open_uploads, settings.serves_open_metrics), audit)


def _tls(settings: Settings, observer: Observer) -> WatchedFiles[TlsContent] | None:
    """Returns the certificates of both servers. Raises OSError."""
    if not (settings.tls_certificate and settings.tls_key):
        return None
    return TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca).watch(observer.notice)


def _http(settings: Settings, pages: Starlette, tls: WatchedFiles[TlsContent] | None) -> HttpServer:
    return HttpServer(
        pages,
        settings.http_host,
        settings.http_port,
        settings.max_http_connections,
        ReloadingContext.of(tls) if tls and settings.serves_https else None,
        settings.max_connection_age,
    )


def _bodies(settings: Settings, observer: Observer) -> BodyReader:
    return BodyReader(
        settings.max_http_body_bytes, settings.max_http_bodies, observer, settings.upload_timeout
    )


def _reader(settings: Settings, observer: Observer) -> MessageReader:
    size = settings.max_message_bytes
    probes = MessageBudget(PROBE_MESSAGES * size, size, observer, PROBE_STREAMS)
    budget = MessageBudget(settings.max_message_bytes_in_flight, size, observer, settings.max_streams)
    return MessageReader(budget, probes, settings.upload_timeout, settings.stream_window)


def _listener(settings: Settings, tls: WatchedFiles[TlsContent] | None) -> GrpcListener:
    return GrpcListener(
        host=settings.host,
        port=settings.port,
        tls=TlsCredentials(tls) if tls else None,
        max_message_bytes=settings.max_message_bytes,
        max_connections=settings.max_grpc_connections,
        keepalive=settings.keepalive,
        min_ping_interval=settings.min_ping_interval,
        max_connection_age=settings.max_connection_age,
        connection_age_grace=settings.connection_age_grace,
    )
