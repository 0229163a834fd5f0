"""Another estimator in a process of its own, in its own environment, which asks this process for values of coalitions.

So the game may be any function of ours, and the coalitions are counted here. Messages over a pair of sockets, pickled:

1. We send the request: (estimator, players, coalitions, seed).
2. The peer sends ("coalitions", bytes of booleans, (k, m)), and we reply with the bytes of their values in float64,
   (k,). This happens once or more.
3. The peer sends ("attributions", bytes of float64, (m,)), and waits for the next request.
"""

import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from benchmarks.peers.jobs import ROOT, PeerFailed, environment

SHAPIQ = ("OddSHAP", "ProxySHAP", "ProxySHAP, adjusted", "LeverageSHAP", "SVARM")
"""The estimators of shapiq that run_shapiq.py knows."""

Floats = npt.NDArray[np.float64]
Worth = Callable[[npt.NDArray[np.bool_]], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class PeerEstimate:
    """The attributions (m,) that a peer found, and how many coalitions it asked for."""

    attributions: Floats
    coalitions: int


class EstimatorProcess:
    """Runs the module `benchmarks.peers.NAME` with the Python of its environment, until it is closed."""

    def __init__(self, command: list[str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with this object
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [*command, str(descriptor)], cwd=ROOT, pass_fds=[descriptor], stderr=self._log
            )
        self._connection = Connection(ours.detach())

    @classmethod
    def shapiq(cls) -> Self:
        """Starts shapiq. Raises PeerFailed if its environment cannot be made."""
        return cls([environment("shapiq"), "-E", "-W", "ignore", "-m", "benchmarks.peers.run_shapiq"])

    def estimate(self, estimator: str, worth: Worth, players: int, budget: int, seed: int) -> PeerEstimate:
        """Returns an estimate from `budget` coalitions. Raises PeerFailed if the process ends."""
        try:
            self._connection.send((estimator, players, budget, seed))
            return self._answer(worth, players)
        except (EOFError, OSError) as ended:
            raise PeerFailed(f"{estimator}: the process ended:\n{self._last_words()}") from ended

    def _answer(self, worth: Worth, players: int) -> PeerEstimate:
        asked = 0
        while True:
            kind, content = self._connection.recv()
            if kind == "attributions":
                return PeerEstimate(np.frombuffer(content, dtype=np.float64), asked)
            coalitions = np.frombuffer(content, dtype=bool).reshape(-1, players)
            asked += len(coalitions)
            self._connection.send(worth(coalitions).tobytes())

    def _last_words(self) -> str:
        self._process.wait(timeout=10)
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process."""
        self.close()
