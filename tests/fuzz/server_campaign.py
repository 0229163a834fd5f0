"""Gives many damaged models to a server: uploads them, or puts them into its repository, and asks for explanations.

The server runs in a process of its own. Callers set no deadline, so that each call ends because the server ends it.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matrix import BY_NAME, copy_models
from repeated_calls import repeating
from sequela_client import Explanation, Retries, Sequela, SequelaError
from sequela_client.local_server import start_server

from benchmarks.processes import resident_mb
from fuzz.right_scores import EVENTS, RightScores
from fuzz.server_outcomes import LIMIT_SECONDS, ServerOutcomes

HONEST_MODEL, HONEST_PAUSE_SECONDS, HONEST_SECONDS = "gru", 0.1, 60.0
POLL_SECONDS = 0.1
LOADING_SECONDS = 300.0
FOLDERS_AT_ONCE = 100
TOLERANCE = 1e-4
UNNAMED = ("", "INTERNAL", "UNKNOWN")
SETTINGS = {
    "--engines": "2",
    "--default-timeout": str(LIMIT_SECONDS),
    "--model-load-seconds": str(LIMIT_SECONDS),
    "--upload-engine-bytes": str(600 << 20),
    "--repository-interval": "0.5",
    "--log-level": "error",
    # What is kept for later would hide what the models leave behind.
    "--store-bytes": str(8 << 20),
    "--cache-bytes": str(1 << 20),
    "--max-design-bytes": str(16 << 20),
}

Case = Callable[[int, int], tuple[str, bytes]]
TryCases = Callable[[Sequence[int]], None]


@dataclass(frozen=True, slots=True)
class FuzzedServer:
    """The server, a client that repeats no call, the server's repository, and what became of the models."""

    sequela: Sequela
    pid: int
    repository: Path
    scores: RightScores
    outcomes: ServerOutcomes

    def try_model(self, number: int, name: str, content: bytes, model: Callable[[], str]) -> None:
        """Explains the sample of the committed model with a damaged one.

        Args:
            number: The number of the case.
            name: The names of the damage and of the committed model.
            content: The damaged file.
            model: Returns the name under which the server has the model.
        """
        original = name.partition(".")[2]
        try:
            known = self.outcomes.timed(model)
            made = self.outcomes.timed(lambda: explain(self.sequela, original, known, number))
        except SequelaError as error:
            told = "" if error.reason not in UNNAMED else f"{type(error).__name__}: {error}"
            self.outcomes.add(number, name, error.reason or type(error).__name__, told)
            return
        score = self.scores.of(original, content)
        self.outcomes.add(number, name, "answered", problem(made, score), compared=score is not None)


def explain(sequela: Sequela, original: str, model: str, seed: int) -> Explanation:
    """Explains the sample of a committed model."""
    case = BY_NAME[original]
    given = {"background": case.average(), "levels": ["event"], "targets": [0], "seed": seed}
    return sequela.explain(case.sample(EVENTS), model=model, **given)


def problem(made: Explanation, score: float | None) -> str:
    """Returns what is wrong with an answer, or an empty text. `score` is the right one, if it is known."""
    parts = [each for each in (*made.events, made.pruned, made.static) if each]
    total = made.base_value + sum(each.value for each in parts)
    scale = max(1.0, abs(made.score), abs(made.base_value))
    if parts and abs(total - made.score) > TOLERANCE * scale:
        return f"adds up to {total}, not to {made.score}"
    if score is not None and not np.isclose(made.score, score, rtol=TOLERANCE, atol=TOLERANCE):
        return f"has the score {made.score}; onnxruntime alone gives {score}"
    return ""


def upload(case: Case, cases: int, seed: int, first: int, outcomes: ServerOutcomes) -> None:
    """Uploads models, two at a time, explains each, and deletes it."""
    with fuzzed_server(outcomes) as server:

        def try_one(number: int) -> None:
            name, content = case(number, seed)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.onnx")
                path.write_bytes(content)
                register = server.sequela.register_model
                server.try_model(number, name, content, lambda: register(path, name=f"m{number}").name)
            with suppress(SequelaError):  # most were refused
                server.sequela.delete_model(f"models/m{number}/versions/1")

        def try_all(numbers: Sequence[int]) -> None:
            with ThreadPoolExecutor(2) as callers:
                list(callers.map(try_one, numbers))

        _try_in_two_parts(server, range(first, first + cases), try_all)


def place(case: Case, cases: int, seed: int, first: int, outcomes: ServerOutcomes) -> None:
    """Puts models into the repository of the running server, some at a time, explains each, and removes it."""
    with fuzzed_server(outcomes) as server:

        def try_some(numbers: Sequence[int]) -> None:
            made = {f"m{number}": (number, *case(number, seed)) for number in numbers}
            for model, (_, _, content) in made.items():
                _put(server.repository, model, content)
            _await_models(server.sequela, len(made))
            for model, (number, name, content) in made.items():
                server.try_model(number, name, content, lambda model=model: model)  # type: ignore[misc]
            for model in made:
                shutil.rmtree(server.repository / model)
            _await_models(server.sequela, 0)

        def try_all(numbers: Sequence[int]) -> None:
            for start in range(0, len(numbers), FOLDERS_AT_ONCE):
                try_some(numbers[start : start + FOLDERS_AT_ONCE])

        _try_in_two_parts(server, range(first, first + cases), try_all)


def _put(repository: Path, model: str, content: bytes) -> None:
    """Copies a file under a hidden name, and then renames the folder, so that no half of it is read."""
    hidden = repository / f".{model}"
    (hidden / "1").mkdir(parents=True)
    (hidden / "1" / "model.onnx").write_bytes(content)
    hidden.rename(repository / model)


def _await_models(sequela: Sequela, count: int) -> None:
    """Waits until the server has a number of models beside the honest one, and has loaded each or failed to."""
    end = time.monotonic() + LOADING_SECONDS
    while True:
        found = [each for each in sequela.models() if not each.name.startswith(f"models/{HONEST_MODEL}/")]
        if len(found) == count and all(each.state != "loading" for each in found):
            return
        assert time.monotonic() < end, f"{len(found)} of {count} models are there, or some are still loading"
        time.sleep(POLL_SECONDS)


def _try_in_two_parts(server: FuzzedServer, numbers: Sequence[int], try_all: TryCases) -> None:
    """Tries a tenth of the cases, so that all parts of the server are in use, and then the rest."""
    start, edge = time.monotonic(), max(1, len(numbers) // 10)
    try_all(numbers[:edge])
    before = resident_mb(server.pid)
    try_all(numbers[edge:])
    server.outcomes.memory_growth_mb = resident_mb(server.pid) - before
    server.outcomes.seconds = time.monotonic() - start


@contextmanager
def fuzzed_server(outcomes: ServerOutcomes) -> Iterator[FuzzedServer]:
    """Starts a server with a harmless model, which an honest caller uses all the time."""
    with ExitStack() as stack:
        repository = copy_models(Path(stack.enter_context(tempfile.TemporaryDirectory())), [HONEST_MODEL])
        arguments = itertools.chain(*SETTINGS.items(), ("--model-repository", str(repository)))
        server = start_server([*arguments, "--no-require-all-models"])
        stack.callback(server.stop)
        given = {"timeout": None, "retries": Retries(attempts=1)}
        sequela = stack.enter_context(Sequela(server.address, **given))
        # The others are refused when the limit is over; this one can wait, also on a busy machine.
        honest = stack.enter_context(Sequela(server.address, **given | {"timeout": HONEST_SECONDS}))
        stack.enter_context(_honest_caller(honest, outcomes))
        scores = stack.enter_context(closing(RightScores()))
        yield FuzzedServer(sequela, server.process.pid, repository, scores, outcomes)


@contextmanager
def _honest_caller(sequela: Sequela, outcomes: ServerOutcomes) -> Iterator[None]:
    seeds = itertools.count()

    def ask() -> None:
        try:
            made = explain(sequela, HONEST_MODEL, HONEST_MODEL, next(seeds))
            assert not problem(made, None)
            outcomes.honest += 1
        except (SequelaError, AssertionError) as error:
            outcomes.failures.append(f"{type(error).__name__}: {error}")

    with repeating(ask, HONEST_PAUSE_SECONDS):
        yield
