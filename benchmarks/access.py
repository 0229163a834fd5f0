"""Measures what it costs to guard the server: alerts a second, and the time of a small call, with TLS, tokens, an audit
log, a store that survives a restart, and engines.

Each setting is a row. The rows are measured in turn, and again from the first on, so that a machine that gets slower or
faster meanwhile does so for all of them. The load generator is a process on the same cores.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import trustme
from rich.table import Table
from sequela_client import Sequela
from sequela_client.files import read_sequence
from sequela_client.local_server import embedded_server

from benchmarks.beside import say
from benchmarks.cases import DEMO
from benchmarks.effort import Effort
from benchmarks.generator import MODEL
from benchmarks.growth import percentile
from benchmarks.report import RATE_COLUMNS, Finding, ms, rate_cells, table

ALERT = DEMO / "alerts" / "takeover-47.json"
TOKEN = "token-of-the-benchmark"  # of a server that lives for seconds
NUMBERS_APART = 1_000_000
SHARE = 0.25  # of the seconds of a load, for each row and round

# Arguments of the server. {folder} stands for the folder with certificates and tokens.
TLS = ("--tls-certificate", "{folder}/server.pem", "--tls-key", "{folder}/server.key")
CLIENT_CA = ("--tls-client-ca", "{folder}/ca.pem")
TOKENS = ("--tokens", "{folder}/tokens.txt")
AUDIT = ("--audit-log", "{folder}/audit.log")
IN_PROCESS = ("--engines", "0")
IN_MEMORY = ("--store", "memory:")
SQLITE = ("--store", "sqlite:{folder}/store.db")
# Arguments of the client, by name.
TRUST = {"ca": "{folder}/ca.pem"}
PAIR = {"certificate": "{folder}/client.pem", "key": "{folder}/client.key"}
TOKEN_FILE = {"token_file": "{folder}/token"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table: its name, the arguments of the server, and those of the client."""

    name: str
    server: tuple[str, ...]
    client: Mapping[str, str]


SETTINGS = (
    Setting("plain", (*IN_PROCESS, *IN_MEMORY), {}),
    Setting("TLS", (*IN_PROCESS, *IN_MEMORY, *TLS), TRUST),
    Setting("TLS, client certificates", (*IN_PROCESS, *IN_MEMORY, *TLS, *CLIENT_CA), TRUST | PAIR),
    Setting("tokens", (*IN_PROCESS, *IN_MEMORY, *TOKENS, *AUDIT), TOKEN_FILE),
    Setting("TLS, tokens", (*IN_PROCESS, *IN_MEMORY, *TLS, *TOKENS, *AUDIT), TRUST | TOKEN_FILE),
    Setting("SQLite", (*IN_PROCESS, *SQLITE), {}),
    Setting("engines", IN_MEMORY, {}),
    Setting("TLS, tokens, SQLite, engines", (*SQLITE, *TLS, *TOKENS, *AUDIT), TRUST | TOKEN_FILE),
)
"""The first row is what the others are compared with. A row without `--engines` gets one engine for each core."""


@dataclass(frozen=True, slots=True)
class AccessRow:
    """The results of a setting.

    Args:
        name: the setting.
        per_second: alerts that were explained a second, in each round.
        p50: the median latency of these alerts, in seconds, in each round.
        call: the median time of a small call, a score, in seconds, in each round.
        failures: how many calls failed in all rounds.
    """

    name: str
    per_second: tuple[float, ...]
    p50: tuple[float, ...]
    call: tuple[float, ...]
    failures: int


@dataclass(frozen=True, slots=True)
class _Sample:
    per_second: float
    p50: float
    call: float
    failures: int


def study(effort: Effort, folder: Path) -> Finding:
    """Measures all settings, as often as the effort says."""
    write_credentials(folder)
    samples: dict[str, list[_Sample]] = {each.name: [] for each in SETTINGS}
    # Two settings share a store. So each load changes the alert by numbers of its own, and no stored answer is reused.
    numbers = count(NUMBERS_APART, NUMBERS_APART)
    for number in range(effort.repeats):
        for setting in SETTINGS:
            say(f"access: {setting.name}, round {number + 1} of {effort.repeats}")
            samples[setting.name].append(_measure(setting, numbers, effort, folder))
    rows = [
        AccessRow(
            name,
            tuple(each.per_second for each in found),
            tuple(each.p50 for each in found),
            tuple(each.call for each in found),
            sum(each.failures for each in found),
        )
        for name, found in samples.items()
    ]
    return Finding("access", rows, [access_table(rows, len(os.sched_getaffinity(0)))])


def write_credentials(folder: Path) -> None:
    """Writes certificates of an authority of its own, and a token."""
    authority = trustme.CA()
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    for name, host in (("server", "127.0.0.1"), ("client", "client.example")):
        made = authority.issue_cert(host)
        (folder / f"{name}.pem").write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        (folder / f"{name}.key").write_bytes(made.private_key_pem.bytes())
    (folder / "token").write_text(TOKEN)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (folder / "tokens.txt").write_text(f"benchmark sha256:{digest} explain never\n")


def access_table(rows: Sequence[AccessRow], cores: int) -> Table:
    """Returns the table, with medians over the rounds, and what each setting costs compared with the first."""
    shown = [
        [
            row.name,
            *rate_cells(row.per_second, rows[0].per_second),
            ms(statistics.median(row.p50)),
            ms(statistics.median(row.call)),
            str(row.failures),
        ]
        for row in rows
    ]
    columns = ("setting", *RATE_COLUMNS, "p50 ms", "score ms", "failed")
    return table(f"Cost on the hot path: demo alert {ALERT.stem}, {cores} cores", columns, shown)


def _measure(setting: Setting, numbers: Iterator[int], effort: Effort, folder: Path) -> _Sample:
    server = [each.format(folder=folder) for each in setting.server]
    client = {name: each.format(folder=folder) for name, each in setting.client.items()}
    repository = ("--model-repository", str(DEMO / "models"))
    with embedded_server([*repository, *_defaults(server), *server]) as address:
        _generate(address, client, next(numbers), effort.seconds * SHARE / 4)  # warms the server up
        load = _generate(address, client, next(numbers), effort.seconds * SHARE)
        call = _call_seconds(address, client, effort.calls)
    latencies = load["latencies"]
    p50 = percentile(latencies or [float("nan")], 0.5)
    return _Sample(len(latencies) / load["seconds"], p50, call, sum(load["failures"].values()))


def _defaults(server: Sequence[str]) -> list[str]:
    """A server that the client starts has no engines. Without the option, those here have one for each core."""
    return [] if "--engines" in server else ["--engines", str(len(os.sched_getaffinity(0)))]


def _generate(address: str, client: Mapping[str, str], first_number: int, seconds: float) -> dict[str, Any]:
    """Keeps two requests for each core running, and returns what the generator measured."""
    workers = 2 * len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.generator", address, str(ALERT), str(first_number)]
    given = ["--client", json.dumps(client), "--closed", str(workers), str(seconds)]
    done = subprocess.run([*command, *given], check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _call_seconds(address: str, client: Mapping[str, str], calls: int) -> float:
    """Returns the median time of a score, one after another."""
    alert, seconds = read_sequence(ALERT), list[float]()
    with Sequela(address, **client) as sequela:  # type: ignore[arg-type]  # certificates and tokens
        for _ in range(calls):
            started = time.perf_counter()
            sequela.score([alert], model=MODEL)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
