"""Measures what explanations of a model cost: on one core of this machine, or with a server that runs already."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any

from sequela_client.cli.capacity_plan import Measurement, ServerMemory
from sequela_client.cli.server_processes import ServerProcesses, can_measure, on_one_core
from sequela_client.client import Sequela
from sequela_client.errors import CallerError
from sequela_client.inputs import BackgroundLike, Sequence
from sequela_client.local_server import server_package, start_server
from sequela_client.models import ModelFile

DEMO_MODEL = "account_takeover"
_NAME = "model"
_STORE_FILE = "store.db"


@dataclass(frozen=True, slots=True)
class Workload:
    """What is explained, over and over.

    Args:
        model: its name on the server.
        sequences: at least one.
        background: None stands for the model's default.
        options: options of explanations.
    """

    model: str
    sequences: tuple[Sequence, ...]
    background: BackgroundLike = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def indexes(self) -> float:
        """In how many indexes an explanation is listed on average: all, its caller id, and each label."""
        return 2 + statistics.fmean(len(each.labels) for each in self.sequences)


@dataclass(frozen=True, slots=True)
class OneCoreServer:
    """A server on one core of this machine, with one engine, that keeps explanations in a file."""

    sequela: Sequela
    processes: ServerProcesses | None
    folder: Path
    stop: Callable[[], None]

    def stored_bytes(self) -> int:
        """The size of the store's files. While the server runs, a page counts as often as it was written."""
        return sum(file.stat().st_size for file in self.folder.glob(f"{_STORE_FILE}*"))


@contextmanager
def one_core_server(repository: Path, timeout: float) -> Iterator[OneCoreServer]:
    """Starts a server, and stops it afterwards."""
    with tempfile.TemporaryDirectory(prefix="sequela-capacity-") as folder:
        store = ("--store", str(Path(folder, _STORE_FILE)))
        engines = ("--engines", "1" if can_measure() else "0", "--workers", "1")
        with on_one_core():
            server = start_server(["--model-repository", str(repository), *engines, *store])
        try:
            processes = ServerProcesses(server.process.pid) if can_measure() else None
            with Sequela(server.address, timeout=timeout) as sequela:
                yield OneCoreServer(sequela, processes, Path(folder), server.stop)
        finally:
            server.stop()


def demo_repository() -> Path:
    """The model repository of the demo."""
    return server_package() / "demo" / "models"


@contextmanager
def repository_of(path: Path) -> Iterator[Path]:
    """Puts an ONNX file, or the newest version in a model's folder, into a model repository of its own."""
    content = ModelFile(_onnx_file(path)).read()
    with tempfile.TemporaryDirectory(prefix="sequela-model-") as root:
        folder = Path(root, _NAME, "1")
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(content.onnx)
        if content.schema_json:
            (folder / "schema.json").write_bytes(content.schema_json)
        yield Path(root)
        shutil.rmtree(folder)


def name_in(repository: Path) -> str:
    """The name of the only model in a repository."""
    return next(each.name for each in sorted(repository.iterdir()) if each.is_dir())


def measure_here(server: OneCoreServer, work: Workload, seconds: float) -> Measurement:
    """Explains for some seconds, one alert at a time, keeps every explanation, and stops the server."""
    ask, empty = _asker(server.sequela, work, dry_run=False), server.stored_bytes()
    _repeat(ask, len(work.sequences))
    used = _core_seconds(server)
    times = _times(ask, seconds)
    spent, memory = _core_seconds(server) - used, _memory(server.processes)
    server.stop()
    stored = max(server.stored_bytes() - empty, 0)
    return Measurement(
        model=work.model,
        alerts=len(times),
        p50_seconds=statistics.median(times),
        core_seconds=(spent or sum(times)) / len(times),
        memory=memory,
        stored_bytes=stored / (len(times) + len(work.sequences)),
        indexes=work.indexes,
    )


def measure_there(sequela: Sequela, work: Workload, seconds: float) -> Measurement:
    """Asks a server that runs already, one alert at a time, and stores nothing there.

    Its processes cannot be seen, so the whole time of a call is taken for the time of a core.
    """
    ask = _asker(sequela, work, dry_run=True)
    _repeat(ask, len(work.sequences))
    times = _times(ask, seconds)
    return Measurement(
        work.model, len(times), statistics.median(times), statistics.fmean(times), None, None, work.indexes
    )


def _asker(sequela: Sequela, work: Workload, dry_run: bool) -> Callable[[], None]:
    """Returns a function that explains the next sequence, which no stored answer serves: each has another seed."""
    sequences, seeds = cycle(work.sequences), count(1)

    def ask() -> None:
        number = next(seeds)
        options = {**work.options, "seed": number}
        sequela.explain(
            next(sequences),
            model=work.model,
            background=work.background,
            caller_id=f"capacity-{number}",
            dry_run=dry_run,
            **options,
        )

    return ask


def _times(ask: Callable[[], None], seconds: float) -> list[float]:
    """How long each call took, in seconds. There is at least one."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while not times or time.monotonic() < end:
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return times


def _repeat(ask: Callable[[], None], times: int) -> None:
    # The first calls fill caches, and are slower.
    for _ in range(times):
        ask()


def _core_seconds(server: OneCoreServer) -> float:
    return server.processes.core_seconds() if server.processes else 0.0


def _memory(processes: ServerProcesses | None) -> ServerMemory | None:
    return ServerMemory(processes.front_bytes(), processes.engine_bytes()) if processes else None


def _onnx_file(path: Path) -> Path:
    """The ONNX file that a path means: itself, the one in the folder, or in the folder of the highest version."""
    versions = sorted(
        (each for each in path.glob("*/model.onnx") if each.parent.name.isdecimal()), key=_version
    )
    found = (
        [path] if path.is_file() else [each for each in (path / "model.onnx",) if each.is_file()] or versions
    )
    if not found:
        text = f"model {path}: is neither an ONNX file nor a folder with model.onnx, or with versions that have one"
        raise CallerError(text, reason="FILE_NOT_READABLE")
    return found[-1]


def _version(file: Path) -> int:
    return int(file.parent.name)
