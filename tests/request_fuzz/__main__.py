"""Sends random requests to a server in a process of its own, and says what became of them.

Run it in the folder `tests`, with the Python of the environment:

    ../.venv/bin/python -m request_fuzz rpc --cases 20000 --seed 1
    ../.venv/bin/python -m request_fuzz http --cases 20000 --seed 1

`rpc` calls every method of gRPC that the server tells by reflection, `http` requests every route of the application.
The same seed makes the same requests. `--first` starts with a later one. With `--keep`, requests that are answered
wrongly are written into the corpus, minimised. It fails if there is one, or if the server grew.
"""

from __future__ import annotations

import argparse
import sys

from request_fuzz import campaign, corpus
from request_fuzz.http_door import HttpDoor, routes
from request_fuzz.rpc_door import RpcDoor
from request_fuzz.server import FuzzedServer, fuzzed_server


def door_of(kind: str, server: FuzzedServer) -> RpcDoor | HttpDoor:
    """Returns the door to a server: `rpc` or `http`."""
    return RpcDoor(server.grpc) if kind == "rpc" else HttpDoor(server.http, routes())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("door", choices=("rpc", "http"))
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    cases = range(options.first, options.first + options.cases)
    with fuzzed_server() as server:
        door = door_of(options.door, server)
        outcomes = campaign.run(server, door, cases, options.seed, options.workers)
        door.close()
    sys.stdout.write("\n".join(outcomes.report()) + "\n")
    for found in outcomes.findings if options.keep else ():
        sys.stdout.write(f"kept {corpus.keep(found.case, f'{options.seed}_{found.number}')}\n")
    if not outcomes.harmless:
        sys.exit("a request was answered wrongly, or the server grew")


if __name__ == "__main__":
    main()
