"""How many cores, replicas and bytes a number of alerts a second needs: arithmetic on what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

# How many commands Redis executes for one new explanation, those in scripts included: a fixed number, and a number for
# each index. Counted in Redis 6.2 and Valkey 8; a test counts them again.
REDIS_COMMANDS = 16
REDIS_COMMANDS_PER_INDEX = 8
# What an explanation takes in Redis beyond its bytes in the store's file: keys, and an entry in each index.
REDIS_KEY_BYTES = 1_000
REDIS_INDEX_BYTES = 500
# The fewest replicas, so that one may fail or be replaced.
FEWEST_REPLICAS = 2


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """What a server takes while it explains, in bytes.

    Args:
        front_bytes: the process that receives calls, and the one that starts engines.
        engine_bytes: each process that runs models.
    """

    front_bytes: float
    engine_bytes: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What explanations cost on one core.

    Args:
        model: what was measured, for people.
        alerts: how many explanations were measured.
        p50_seconds: the median time of one, asked for one at a time.
        core_seconds: the time of a core that one takes, in all processes of the server.
        memory: None if it was not measured.
        stored_bytes: the bytes of one in the store's file; None if they were not measured.
        indexes: in how many indexes one is listed: all, its caller id, and each label.
    """

    model: str
    alerts: int
    p50_seconds: float
    core_seconds: float
    memory: ServerMemory | None
    stored_bytes: float | None
    indexes: float

    @property
    def alerts_per_core_second(self) -> float:
        """How many alerts a second one core can explain, at full use."""
        return 1.0 / self.core_seconds


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the operator chooses.

    Args:
        utilisation: the share of the cores that is used on average. The rest is for peaks and for failures.
        cores_per_replica: how many cores a replica has, and so how many engines.
        retention_seconds: how long explanations are kept (--explanation-ttl).
    """

    utilisation: float = 0.6
    cores_per_replica: int = 4
    retention_seconds: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a number of alerts a second needs.

    Args:
        rate: alerts a second.
        cores: cores at the utilisation, before they are rounded up to replicas.
        replicas: at least two.
        replica_bytes: the memory of one replica; None if it was not measured.
        redis_bytes: None if the size of an explanation was not measured.
        redis_commands: commands a second.
    """

    rate: float
    cores: float
    replicas: int
    replica_bytes: float | None
    redis_bytes: float | None
    redis_commands: float


def plan(measured: Measurement, rate: float, chosen: Deployment) -> Plan:
    """Returns what a number of alerts a second needs."""
    cores = rate * measured.core_seconds / chosen.utilisation
    stored = redis_bytes_each(measured)
    return Plan(
        rate=rate,
        cores=cores,
        replicas=max(math.ceil(cores / chosen.cores_per_replica), FEWEST_REPLICAS),
        replica_bytes=_replica_bytes(measured.memory, chosen.cores_per_replica),
        redis_bytes=None if stored is None else rate * chosen.retention_seconds * stored,
        redis_commands=rate * (REDIS_COMMANDS + REDIS_COMMANDS_PER_INDEX * measured.indexes),
    )


def redis_bytes_each(measured: Measurement) -> float | None:
    """What one explanation takes in Redis; None if its size was not measured."""
    if measured.stored_bytes is None:
        return None
    return measured.stored_bytes + REDIS_KEY_BYTES + REDIS_INDEX_BYTES * measured.indexes


def _replica_bytes(memory: ServerMemory | None, engines: int) -> float | None:
    return None if memory is None else memory.front_bytes + engines * memory.engine_bytes
