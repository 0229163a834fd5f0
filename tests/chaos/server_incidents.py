"""Servers whose engines are killed, that are killed themselves or restarted in turn, or whose certificates change."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from credential_files import Pki, chain, replace
from redis_server import running
from sequela_client import Credentials

from chaos.installation import Installation, shared_store
from chaos.redis_incidents import DURABLE
from chaos.replica import Replica, certificate_of, wait_until

REPLICAS = 3


@contextmanager
def engine_installation(folder: Path) -> Iterator[Installation]:
    """Starts a server with two engines, of which one is killed."""
    with _replicas(folder, 1, 2) as (replicas, store):
        numbers = itertools.count()
        incidents = {"engine-killed": lambda _: replicas[0].kill_engine(next(numbers))}
        yield Installation(replicas, store, incidents)


@contextmanager
def replica_installation(folder: Path) -> Iterator[Installation]:
    """Starts three servers over which callers balance; one is killed, or all are restarted one after the other."""
    with _replicas(folder, REPLICAS, 1) as (replicas, store):
        turns = itertools.cycle(replicas)
        incidents = {
            "replica-killed": lambda seconds: _killed(next(turns), seconds),
            "rolling-restart": lambda _: _restarted(replicas),
        }
        yield Installation(replicas, store, incidents)


@contextmanager
def certificate_installation(folder: Path) -> Iterator[Installation]:
    """Starts a server with TLS; its certificate and that of the callers change, and callers connect again."""
    pki = Pki(folder)
    certificate, key = folder / "client.pem", folder / "client.key"
    _issue_client(pki, certificate, key)
    files = ("--tls-certificate", pki.certificate, "--tls-key", pki.key, "--tls-client-ca", pki.ca)
    tls = (*map(str, files), "--no-https", "--insecure")
    with _replicas(folder, 1, 2, *tls) as (replicas, store):

        def rotate(seconds: float) -> None:
            pki.issue_server()
            time.sleep(seconds)
            _issue_client(pki, certificate, key)
            replicas[0].proxy.reset()

        def renewed() -> bool:
            return certificate_of(replicas[0].address) in pki.certificate.read_text()

        credentials = Credentials(ca=pki.ca, certificate=certificate, key=key)
        yield Installation(replicas, store, {"certificates-rotated": rotate}, credentials, renewed)


@contextmanager
def _replicas(
    folder: Path, count: int, engines: int, *arguments: str
) -> Iterator[tuple[Sequence[Replica], Sequence[str]]]:
    """Starts a Redis and servers that share it. Each has its own outbox, as if it ran on its own machine."""
    with ExitStack() as stack:
        redis = stack.enter_context(contextmanager(running)(*DURABLE))
        stores = [shared_store(redis.url, folder / f"outbox-{number}") for number in range(count)]
        replicas = [stack.enter_context(Replica(engines, *store, *arguments)) for store in stores]
        yield replicas, stores[0]


def _killed(replica: Replica, seconds: float) -> None:
    replica.kill()
    time.sleep(seconds)
    replica.restart()


def _restarted(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.restart()
        wait_until(replica.healthy)


def _issue_client(pki: Pki, certificate: Path, key: Path) -> None:
    made = pki.authority.issue_cert("scorer.internal")
    replace(key, made.private_key_pem.bytes())
    replace(certificate, chain(made))
