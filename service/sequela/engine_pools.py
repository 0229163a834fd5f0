"""Builds what runs models in other processes, from the settings."""

from __future__ import annotations

from contextlib import ExitStack

from sequela.adapters.engine_events import EngineEvents
from sequela.adapters.metrics.observer import PrometheusObserver
from sequela.adapters.upload_engines.engine_client import EngineClient
from sequela.adapters.upload_engines.engine_loader import EngineLoader
from sequela.adapters.upload_engines.entry import UploadEngineConfig
from sequela.adapters.upload_engines.quarantine import Quarantine
from sequela.concurrency.cpu import usable_cores
from sequela.engines.limits import EngineLimits
from sequela.engines.pool import EnginePool
from sequela.explain.ports import Observer
from sequela.settings import Settings

MIN_UPLOAD_ENGINES = 2
"""So that one slow model does not keep all others from callers waiting."""
UNTRUSTED = "untrusted"


def count_upload_engines(settings: Settings) -> int:
    """Returns how many models from callers can run at a time."""
    return settings.upload_engines or max(usable_cores(), MIN_UPLOAD_ENGINES)


def build_upload_loader(
    settings: Settings, metrics: PrometheusObserver, observer: Observer, closing: ExitStack
) -> EngineLoader:
    """Returns the loader of models from callers. Its engines start when the first model comes."""
    limits = EngineLimits(
        sandboxed=True,
        memory_bytes=settings.upload_engine_bytes,
        grace_seconds=settings.engine_grace,
        lazy=True,
    )
    config = UploadEngineConfig(settings.limits, settings.log_level)
    pool = EnginePool(
        UNTRUSTED,
        count_upload_engines(settings),
        "sequela.adapters.upload_engines.entry:serve",
        config.pack(),
        limits,
        EngineEvents(observer),
    )
    pool.start()
    closing.callback(pool.close)
    metrics.watch_engines(UNTRUSTED, lambda: pool.up)
    quarantine = Quarantine(settings.quarantine_seconds)
    client = EngineClient(pool, quarantine, settings.model_load_seconds, settings.max_model_call_seconds)
    return EngineLoader(client, settings.limits, "in a process of its own")
