"""Measures a server that has more to do than it can, or whose surroundings break, and prints figures and bounds.

Run it in the folder `tests`, with the Python of the environment, on a machine that does nothing else:

    ../.venv/bin/python -m overload                              # all of it, 10 minutes
    ../.venv/bin/python -m overload steady --seconds 300 --seed 1
    ../.venv/bin/python -m overload flood --seconds 60
    ../.venv/bin/python -m overload burst --bursts 20
    ../.venv/bin/python -m overload chaos                        # all incidents, 10 minutes each
    ../.venv/bin/python -m overload redis-killed rolling-restart --seconds 60
    ../.venv/bin/python -m overload outage --seconds 600         # Redis is down; only if it is named

The server has two engines; the calls are made on the same cores. Incidents are redis-killed, redis-frozen, redis-slow,
redis-full, redis-failover, engine-killed, replica-killed, rolling-restart and certificates-rotated. They happen under
half of what the server can answer, or what --rate says. If an explanation was lost, an answer wrong or a call failed,
the exit code is 1.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable

from chaos import run as chaos

from overload import burst, flood, outage, steady

SATURATION_SECONDS = 30.0
CHAOS_SECONDS = 600.0
CHAOS_LOAD = 0.5
"""What is asked while something breaks, as a share of saturation."""
Rows = list[tuple[str, str, str]]


def main() -> int:
    """Parses the arguments, measures and prints. Returns the exit code."""
    parser = _parser()
    given = parser.parse_args()
    kinds, faults = _kinds(given), 0
    wanted = [each for kind in given.kinds for each in (chaos.INSTALLATIONS if kind == "chaos" else [kind])]
    for kind in wanted:
        if kind not in kinds:
            parser.error(f"{kind} is not one of chaos, {', '.join(kinds)}")
        rows, found = kinds[kind]()
        faults += found
        for what, bound, figure in rows:
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
        metavar="steady|flood|burst|outage|chaos|INCIDENT",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=None,
        help="of steady (300), flood (60), outage and each incident (600)",
    )
    parser.add_argument("--rate", type=float, default=None, help="calls a second while incidents happen")
    parser.add_argument("--bursts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _kinds(given: argparse.Namespace) -> dict[str, Callable[[], tuple[Rows, int]]]:
    """Returns what can be measured: functions that return rows, and how many faults there were."""
    most = functools.cache(steady.saturation)

    def incident(name: str) -> tuple[Rows, int]:
        rate = given.rate or CHAOS_LOAD * most(SATURATION_SECONDS)
        found = chaos.measure([name], rate, chaos.Schedule(given.seconds or CHAOS_SECONDS), given.seed)
        return found.rows(), found.faults

    return {
        "steady": lambda: (
            steady.measure(most(SATURATION_SECONDS), given.seconds or 300.0, given.seed).rows(),
            0,
        ),
        "flood": lambda: (
            flood.measure(most(SATURATION_SECONDS), given.seconds or 60.0, given.seed).rows(),
            0,
        ),
        "burst": lambda: (burst.measure(given.bursts, given.seed).rows(), 0),
        "outage": lambda: (outage.measure(given.seconds or 600.0).rows(), 0),
        **{name: functools.partial(incident, name) for name in chaos.INSTALLATIONS},
    }


if __name__ == "__main__":
    sys.exit(main())
