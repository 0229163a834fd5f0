"""The part of the command `fuzz` that sends requests."""

from __future__ import annotations

import sys

from request_fuzz import campaign, corpus
from request_fuzz.http_door import HttpDoor, routes
from request_fuzz.rpc_door import RpcDoor
from request_fuzz.server import FuzzedServer, fuzzed_server

DOORS = ("rpc", "http")


def run(door: str, cases: range, seed: int, workers: int, *, keep: bool) -> None:
    """Sends cases to a server of its own, prints how they ended, and exits with an error if an answer is wrong.

    Args:
        door: `rpc` or `http`.
        cases: Their numbers.
        seed: The same seed makes the same cases.
        workers: How many are sent at a time.
        keep: Whether those with a wrong answer are written into the corpus.
    """
    with fuzzed_server() as server:
        opened = _door(door, server)
        outcomes = campaign.run(server, opened, cases, seed, workers)
        opened.close()
    sys.stdout.write("\n".join(outcomes.report()) + "\n")
    for found in outcomes.findings if keep else ():
        sys.stdout.write(f"kept {corpus.keep(found.case, f'{seed}_{found.number}')}\n")
    if not outcomes.harmless:
        sys.exit("an answer was wrong, or the server grew")


def _door(name: str, server: FuzzedServer) -> RpcDoor | HttpDoor:
    return RpcDoor(server.grpc) if name == "rpc" else HttpDoor(server.http, routes())
