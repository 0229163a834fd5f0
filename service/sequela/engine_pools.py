"""Builds the engines, which run models in other processes, from the settings."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import structlog

from sequela.adapters.engine_events import EngineEvents
from sequela.adapters.metrics.observer import PrometheusObserver
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.onnx.provider import ExecutionProvider
from sequela.adapters.repository.loaded_model import ModelLoader
from sequela.adapters.repository.local_models import MAX_AT_ONCE
from sequela.adapters.upload_engines.enclosure import Sandbox, Unenclosed
from sequela.adapters.upload_engines.engine_client import EngineClient
from sequela.adapters.upload_engines.engine_loader import EngineLoader
from sequela.adapters.upload_engines.entry import UploadEngineConfig
from sequela.adapters.upload_engines.quarantine import Quarantine
from sequela.concurrency.cpu import own_cores, usable_cores
from sequela.engines.exits import EngineListener
from sequela.engines.limits import EngineLimits
from sequela.engines.pool import EnginePool
from sequela.explain.ports import Observer
from sequela.model_engines.crashes import CrashLog
from sequela.model_engines.engine_service import ModelEngines
from sequela.model_engines.tasks import ModelEngineConfig
from sequela.settings import Settings

MIN_UPLOAD_ENGINES = 2
"""The fewest engines for models from callers by default, so that one slow model does not block all others."""
TRUSTED, UNTRUSTED, LOADING = "trusted", "untrusted", "loading"

log = structlog.get_logger("sequela.engines")

NOT_CONTAINED = (
    "uploaded and inline models run in the server's own process without a sandbox, so every user of this machine who "
    "can send one can end the server or read its memory: leave --upload-engines and --unsafe-uploads out, or set "
    "--no-uploads"
)

LOAD_ENTRY = "sequela.adapters.upload_engines.entry:serve"
MODEL_ENTRY = "sequela.model_engines.entry:serve"
CPU_FACTOR = 2.0
MAX_CPU_SECONDS = 1e9
LATE_SECONDS = 0.9
"""How long, in seconds, a model of the operator may run after its deadline, which is checked between batches."""

LOADING_IDLE_SECONDS = 10.0
"""How long, in seconds, a process that has tried out a model of the operator may be idle before it is ended."""


def count_engines(settings: Settings) -> int:
    """Returns how many engines run the operator's models; 0 if they run in the server's process."""
    if settings.engines is not None:
        return settings.engines
    # Several processes would share the memory of one GPU, and only Linux has what engines need.
    if settings.execution_provider is not ExecutionProvider.CPU or sys.platform != "linux":
        return 0
    cores = usable_cores()
    return cores if cores > 1 else 0


def count_upload_engines(settings: Settings) -> int:
    """Returns how many models from callers can run at a time."""
    return settings.upload_engines or max(usable_cores(), MIN_UPLOAD_ENGINES)


def build_upload_loader(
    settings: Settings, metrics: PrometheusObserver, observer: Observer, closing: ExitStack
) -> ModelLoader:
    """Returns the loader of models from callers. Its engines start when the first model comes."""
    if settings.upload_engines == 0 or (settings.unsafe_uploads and sys.platform != "linux"):
        if settings.uploads:
            log.warning("models of callers not contained", detail=NOT_CONTAINED)
        return Loader(settings.limits, settings.model_threads, settings.execution_provider)
    quarantine = Quarantine(settings.quarantine_seconds)
    limits = EngineLimits(
        sandboxed=True,
        memory_bytes=settings.upload_engine_bytes,
        cpu_seconds_per_task=_cpu_seconds(settings),
        grace_seconds=settings.engine_grace,
        unsafe=settings.unsafe_uploads,
        lazy=True,
        idle_seconds=settings.upload_engine_idle_seconds,
    )
    pool = EnginePool(
        UNTRUSTED,
        count_upload_engines(settings),
        LOAD_ENTRY,
        UploadEngineConfig(settings.limits, settings.log_level).pack(),
        limits,
        EngineEvents(observer, quarantine.note_idle),
    )
    pool.start()
    closing.callback(pool.close)
    metrics.watch_engines(UNTRUSTED, lambda: pool.up)
    client = EngineClient(pool, quarantine, settings.model_load_seconds, settings.max_model_call_seconds)
    return EngineLoader(client, settings.limits, Sandbox(settings.unsafe_uploads))


def _cpu_seconds(settings: Settings) -> float:
    """Returns more than one thread can use until the engine is killed. The others of a model's engine only wait."""
    seconds = max(settings.model_load_seconds, settings.max_model_call_seconds) + settings.engine_grace
    return min(CPU_FACTOR * seconds, MAX_CPU_SECONDS)


@dataclass(frozen=True, slots=True)
class RepositoryEngines:
    """What tries out the operator's models when the server starts, and the engines that run them afterwards."""

    loader: EngineLoader
    engines: ModelEngines


def build_model_engines(
    settings: Settings, metrics: PrometheusObserver, observer: Observer, closing: ExitStack
) -> RepositoryEngines | None:
    """Returns the engines of the operator's models; None if these run in the server's process."""
    count = count_engines(settings)
    if not count or not settings.model_repository:
        return None
    loading = _loading_pool(settings, observer)
    closing.callback(loading.close)
    open_pool = partial(_open_pool, count, EngineEvents(observer))
    crashes = CrashLog(settings.quarantine_seconds)
    engines = ModelEngines(count, open_pool, _model_engine_config(settings), crashes)
    closing.callback(engines.close)
    metrics.watch_engines(TRUSTED, lambda: engines.up)
    client = EngineClient(loading, Quarantine(0.0), math.inf, math.inf)
    return RepositoryEngines(EngineLoader(client, settings.limits, Unenclosed()), engines)


def _loading_pool(settings: Settings, observer: Observer) -> EnginePool:
    """Returns engines that try out one model of the operator each, because a file can end the process that loads it.

    There are as many as models are loaded at a time, so that a slow one does not hold up those behind it.
    """
    config = UploadEngineConfig(
        settings.limits, settings.log_level, settings.model_threads, settings.execution_provider
    )
    limits = EngineLimits(
        sandboxed=False, lazy=True, grace_seconds=LATE_SECONDS, idle_seconds=LOADING_IDLE_SECONDS
    )
    pool = EnginePool(LOADING, MAX_AT_ONCE, LOAD_ENTRY, config.pack(), limits, EngineEvents(observer))
    pool.start()
    return pool


def _open_pool(
    count: int, listener: EngineListener, config: ModelEngineConfig, on_ready: Callable[[bytes], None]
) -> EnginePool:
    limits = EngineLimits(sandboxed=False, grace_seconds=LATE_SECONDS)
    cores = own_cores(count)
    pool = EnginePool(TRUSTED, count, MODEL_ENTRY, config.pack(), limits, listener, cores, on_ready)
    pool.start()
    return pool


def _model_engine_config(settings: Settings) -> ModelEngineConfig:
    return ModelEngineConfig(
        limits=settings.limits,
        model_threads=settings.model_threads,
        provider=settings.execution_provider,
        explanation_ttl=settings.explanation_ttl,
        keep_sequences=settings.keep_sequences,
        trace_dir=settings.trace_dir,
        trace_bytes=settings.trace_bytes,
        execution=settings.execution,
        log_level=settings.log_level,
    )
