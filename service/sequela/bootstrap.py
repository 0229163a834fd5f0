"""From settings to a server: everything is wired here, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata

import structlog

from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.logs import LogObserver
from sequela.adapters.metrics.observer import PrometheusObserver
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.model_repository import ModelRepository
from sequela.adapters.repository.operator_models import OperatorModels
from sequela.adapters.repository.uploads import Uploads
from sequela.adapters.store.backgrounds import BackgroundStore
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.memory import memory_store
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis_connection import RedisConnection
from sequela.adapters.store.redis_store import redis_store
from sequela.adapters.store.redis_url import RedisTimeouts
from sequela.adapters.trace_files.tracer import FileTracer
from sequela.api.deadline_policy import Pace
from sequela.api.drain_gate import Closing
from sequela.api.executors import Room, Rooms
from sequela.api.grpc.listener import Listening, TlsFiles
from sequela.api.grpc.services import NAMES, Behind, services
from sequela.api.http_server import HttpServer, application
from sequela.api.inference.batch_inference import Inference
from sequela.api.inference.open_inference import About, OpenInference
from sequela.api.readiness import Readiness
from sequela.api.rest.bodies import Bodies
from sequela.api.rest.kserve import KServe
from sequela.api.rest.middleware import EveryRequest
from sequela.api.rest.open_inference import OpenInferenceRest
from sequela.api.server import Draining, Server
from sequela.concurrency.cpu import own_cores, usable_cores
from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.diagnostics import Diagnostics
from sequela.explain.ports import Backgrounds, Explanations, Models, Observer, Observers
from sequela.explain.service import Explainer
from sequela.explain.tracer import NO_TRACE, Tracer
from sequela.settings import Settings

log = structlog.get_logger("sequela.bootstrap")

FEWEST_SEATS = 2
"""Explanations under way at least, so that a long one does not hold up all others; by default there are as many as
workers. More wait longer together: beside each other they contend for the interpreter, and every answer comes late.
"""


CONCLUDING = 0.012
"""Seconds of a core in which an explanation is solved, written and sent once its time is over, about."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A whole server, ready to open. `configured` still has to start loading the operator's models.

    `close` ends what the workers do and what the adapters hold open, once the server has drained.
    """

    settings: Settings
    metrics: PrometheusObserver
    configured: OperatorModels
    server: Server
    draining: Draining
    close: Callable[[], None]


def build(
    settings: Settings,
    *,
    models: Models | None = None,
    backgrounds: Backgrounds | None = None,
    explanations: Explanations | None = None,
    explainer: Explainer | None = None,
) -> Wired:
    """Wires the server, inside the event loop that will run it; what is given takes the place of the usual."""
    limits, near = settings.limits, settings.cache_bytes
    metrics = PrometheusObserver(version())
    observer = Observers((metrics, LogObserver()))
    closing = ExitStack()
    diagnostics = _diagnostics(settings, closing)
    store, close = _store(settings, observer)
    closing.callback(close)
    workers = settings.workers or usable_cores()
    pool = WorkerPool(workers, own_cores(workers))
    closing.callback(pool.close)
    metrics.watch(pool)
    loader = Loader(limits, settings.model_threads, settings.execution_provider)
    endpoint_registry = EndpointRegistry(settings.endpoint_rules, limits, observer)
    closing.callback(endpoint_registry.close)
    configured = OperatorModels.in_folder(settings.model_repository, loader, endpoint_registry)
    metrics.watch_models(configured.states)
    cache = ModelCache(observer, settings.model_cache_models, settings.model_cache_bytes)
    uploaded = Uploads(store)
    models = models or ModelRepository(
        configured, uploaded, cache, loader, endpoint_registry, settings.uploads
    )
    backgrounds = backgrounds or BackgroundStore(store, observer, settings.background_ttl, near)
    explanations = explanations or ExplanationStore(store, observer, settings.explanation_ttl, near)
    explainer = explainer or Explainer(
        models, backgrounds, explanations, observer, limits, pool, diagnostics=diagnostics
    )

    rooms = _rooms(settings, pool.workers, observer)
    pace = Pace(settings.default_timeout, settings.deadline_reserve, settings.stream_window)
    readiness = Readiness(NAMES, models.ready, configured)
    inference = OpenInference(
        Inference(explainer, models, rooms, pace, limits), About(version(), readiness.why_not)
    )
    behind = Behind(explainer, models, backgrounds, explanations)
    offered = services(behind, rooms, pace, limits, inference)
    ending = Closing()
    bodies = Bodies(settings.max_http_body_bytes, settings.max_http_bodies, observer)
    every = EveryRequest(observer, ending, pace, bodies)
    routes = [*KServe(inference.inference).routes(every), *OpenInferenceRest(inference).routes(every)]
    pages = application(metrics.registry, readiness.report, routes if settings.explains_over_http else ())
    http = HttpServer(pages, settings.http_host, settings.http_port, settings.max_http_connections)
    server = Server(_listening(settings), offered, rooms, readiness, http, observer, ending)
    draining = Draining(settings.drain_delay, settings.drain_grace)
    return Wired(settings, metrics, configured, server, draining, closing.close)


def version() -> str:
    """The installed version."""
    try:
        return metadata.version("sequela")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "0+checkout"


def _diagnostics(settings: Settings, closing: ExitStack) -> Diagnostics:
    """What the operator switched on to find a wrong number. Each is logged: it costs speed, or writes callers' data."""
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


def _store(settings: Settings, observer: Observer) -> tuple[Store, Callable[[], None]]:
    """The store, and what closes it."""
    if settings.redis_url is None:
        return memory_store(settings.memory_bytes), lambda: None
    timeouts = RedisTimeouts(settings.redis_connect_timeout, settings.redis_timeout)
    redis = RedisConnection(settings.redis_url, observer, timeouts, settings.redis_retry_after)
    # Observers hear whether it is up before the first caller comes, and nobody waits for that.
    threading.Thread(target=redis.check, name="store-check", daemon=True).start()
    return redis_store(redis), redis.close


def _rooms(settings: Settings, workers: int, observer: Observer) -> Rooms:
    seats = settings.max_concurrent or max(workers, FEWEST_SEATS)
    return Rooms(
        Room("explaining", seats, settings.queue_size, observer),
        Room("served", settings.endpoint_max_concurrent, settings.queue_size, observer, CONCLUDING),
        Room("keeping", settings.lookup_threads, settings.lookup_queue, observer),
    )


def _listening(settings: Settings) -> Listening:
    tls = None
    if settings.tls_certificate and settings.tls_key:
        tls = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    return Listening(
        host=settings.host,
        port=settings.port,
        tls=tls,
        max_message_bytes=settings.max_message_bytes,
        keepalive=settings.keepalive,
        min_ping_interval=settings.min_ping_interval,
        max_connection_age=settings.max_connection_age,
        connection_age_grace=settings.connection_age_grace,
    )
