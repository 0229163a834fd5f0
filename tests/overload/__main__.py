"""Measures a server that has more to do than it can, or whose surroundings break, and prints figures and bounds.

Run it on a machine that does nothing else:

    make soak                                                    # steady, flood and burst: 10 minutes
    make soak SOAK_ARGS="steady --seconds 300 --seed 1"
    make soak SOAK_ARGS="flood --seconds 60"
    make soak SOAK_ARGS="burst --bursts 20"
    make soak SOAK_ARGS=chaos                                    # all incidents, 10 minutes each
    make soak SOAK_ARGS="redis-killed rolling-restart --seconds 60"
    make soak SOAK_ARGS="outage --seconds 600"                   # Redis is down for 10 minutes
    make soak SOAK_ARGS="endurance --explanations 100000"        # whether memory, descriptors or threads grow
    make soak SOAK_ARGS="endurance --store redis --seconds 600"  # the same, but for 10 minutes at most

The server has two engines; the calls are made on the same cores. Incidents are redis-killed, redis-frozen, redis-slow,
redis-full, redis-failover, engine-killed, replica-killed, rolling-restart and certificates-rotated. They happen under
half of what the server can answer, or what --rate says. If an incident or the outage has lost an explanation, made an
answer wrong or let a call fail, the exit code is 1. It is also 1 if, after the first tenth of an endurance run, memory
grew by 5 % or more, descriptors or threads became more, or an answer was wrong or missing.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
from collections.abc import Callable
from typing import Protocol

from chaos import run as chaos

from overload import burst, endurance, flood, outage, steady

SATURATION_SECONDS = 30.0
CHAOS_SECONDS = 600.0
CHAOS_LOAD = 0.5
"""What is asked while something breaks, as a share of saturation."""


class Figures(Protocol):
    """What was measured."""

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""


def main() -> int:
    """Parses the arguments, measures and prints. Returns the exit code."""
    parser = _parser()
    given = parser.parse_args()
    kinds, faults = _kinds(given), 0
    wanted = [each for kind in given.kinds for each in (chaos.INSTALLATIONS if kind == "chaos" else [kind])]
    for kind in wanted:
        if kind not in kinds:
            parser.error(f"{kind} is not one of chaos, {', '.join(kinds)}")
        found = kinds[kind]()
        if isinstance(found, chaos.ChaosFigures | outage.OutageFigures | endurance.EnduranceFigures):
            faults += found.faults
        for what, bound, figure in found.rows():
            sys.stdout.write(f"{what:<48} {bound:<16} {figure}\n")
        sys.stdout.flush()
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "kinds",
        nargs="*",
        default=["steady", "flood", "burst"],
        metavar="steady|flood|burst|outage|endurance|chaos|INCIDENT",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=None,
        help="of steady (300), flood (60), outage and each incident (600); endurance ends after these at the latest",
    )
    parser.add_argument("--rate", type=float, default=None, help="calls a second while incidents happen")
    parser.add_argument("--bursts", type=int, default=20)
    parser.add_argument("--explanations", type=int, default=100_000, help="of endurance")
    parser.add_argument("--store", choices=endurance.STORES, default=endurance.STORES[0], help="of endurance")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _kinds(given: argparse.Namespace) -> dict[str, Callable[[], Figures]]:
    """Returns what can be measured, and how."""
    saturation = functools.cache(lambda: steady.measure_saturation(SATURATION_SECONDS))

    def incident(name: str) -> Figures:
        rate = given.rate or CHAOS_LOAD * saturation()
        return chaos.measure([name], rate, chaos.Schedule(given.seconds or CHAOS_SECONDS), given.seed)

    return {
        "steady": lambda: steady.measure(saturation(), given.seconds or 300.0, given.seed),
        "flood": lambda: flood.measure(saturation(), given.seconds or 60.0, given.seed),
        "burst": lambda: burst.measure(given.bursts, given.seed),
        "outage": lambda: outage.measure(given.seconds or 600.0),
        "endurance": lambda: endurance.measure(
            given.explanations, given.seconds or math.inf, given.seed, given.store
        ),
        **{name: functools.partial(incident, name) for name in chaos.INSTALLATIONS},
    }


if __name__ == "__main__":
    sys.exit(main())
