"""From settings to a server: everything is wired here, and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import metadata

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.adapters.backgrounds import StoredBackgrounds
from sequela.adapters.configured_models import ConfiguredModels
from sequela.adapters.explanations import StoredExplanations
from sequela.adapters.keyvalue import KeyValue
from sequela.adapters.logs import LogObserver
from sequela.adapters.memory import MemoryKeyValue
from sequela.adapters.model_cache import ModelCache
from sequela.adapters.model_repository import ModelRepository
from sequela.adapters.onnx_loading import Loader
from sequela.adapters.pieces import InPieces
from sequela.adapters.prometheus import PrometheusObserver
from sequela.adapters.redis import RedisKeyValue
from sequela.adapters.redis_urls import RedisTimeouts
from sequela.adapters.uploaded_models import UploadedModels
from sequela.explaining.explainer import Explainer
from sequela.explaining.ports import Backgrounds, Explanations, Models, Observer, Observers
from sequela.rpc.admission import Room, Rooms
from sequela.rpc.background_service import BackgroundService
from sequela.rpc.calls import Timing
from sequela.rpc.explanation_service import ExplanationService, Pace
from sequela.rpc.http import HttpServer, application
from sequela.rpc.listening import Listening, TlsFiles
from sequela.rpc.model_service import ModelService
from sequela.rpc.readiness import Readiness
from sequela.rpc.server import Draining, Server, Service
from sequela.settings import Settings

SERVICES = pb.DESCRIPTOR.services_by_name


@dataclass(frozen=True, slots=True)
class Wired:
    """A whole server, ready to open. `configured` still has to start loading the operator's models."""

    settings: Settings
    metrics: PrometheusObserver
    configured: ConfiguredModels
    server: Server
    draining: Draining


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
    store = _store(settings, observer)
    loader = Loader(limits, settings.model_threads)
    configured = ConfiguredModels(settings.model_repository, loader)
    cache = ModelCache(observer, settings.model_cache_models, settings.model_cache_bytes)
    uploaded = UploadedModels(store)
    models = models or ModelRepository(configured, uploaded, cache, loader, settings.uploads)
    backgrounds = backgrounds or StoredBackgrounds(store, observer, settings.background_ttl, near)
    explanations = explanations or StoredExplanations(store, observer, settings.explanation_ttl, near)
    explainer = explainer or Explainer(models, backgrounds, explanations, observer, limits)

    rooms = _rooms(settings, observer)
    timing = Timing(settings.default_timeout, settings.deadline_reserve)
    pace = Pace(timing, settings.stream_window)
    services = (
        Service(
            SERVICES["ExplanationService"].full_name,
            ExplanationService(explainer, explanations, rooms, pace, limits),
            rpc.add_ExplanationServiceServicer_to_server,
        ),
        Service(
            SERVICES["ModelService"].full_name,
            ModelService(models, rooms, timing, limits),
            rpc.add_ModelServiceServicer_to_server,
        ),
        Service(
            SERVICES["BackgroundService"].full_name,
            BackgroundService(backgrounds, models, rooms, timing, limits),
            rpc.add_BackgroundServiceServicer_to_server,
        ),
    )
    readiness = Readiness([service.name for service in services], models.ready)
    pages = application(metrics.registry, readiness.why_not)
    http = HttpServer(pages, settings.metrics_host, settings.metrics_port)
    server = Server(_listening(settings), services, rooms, readiness, http, observer)
    return Wired(settings, metrics, configured, server, Draining(settings.drain_delay, settings.drain_grace))


def version() -> str:
    """The installed version."""
    try:
        return metadata.version("sequela")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "0+checkout"


def _store(settings: Settings, observer: Observer) -> KeyValue:
    if settings.redis_url is None:
        return MemoryKeyValue(settings.memory_bytes)
    timeouts = RedisTimeouts(settings.redis_connect_timeout, settings.redis_timeout)
    return InPieces(RedisKeyValue(settings.redis_url, observer, timeouts, settings.redis_retry_after))


def _rooms(settings: Settings, observer: Observer) -> Rooms:
    seats = settings.max_concurrent or len(os.sched_getaffinity(0))
    return Rooms(
        Room("explaining", seats, settings.queue_size, observer),
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
