"""Measures a server that has more to do than it can, and prints the figures beside what they must be.

Run it in the folder `tests`, with the Python of the environment, on a machine that does nothing else:

    ../.venv/bin/python -m overload                              # all of it, 10 minutes
    ../.venv/bin/python -m overload steady --seconds 300 --seed 1
    ../.venv/bin/python -m overload flood --seconds 60
    ../.venv/bin/python -m overload burst --bursts 20
    ../.venv/bin/python -m overload outage --seconds 600         # Redis is down; only if it is named

The server has two engines; the calls are made on the same cores.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable

from overload import burst, flood, outage, steady

SATURATION_SECONDS = 30.0
Rows = list[tuple[str, str, str]]


def main() -> None:
    """Parses the arguments, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "kinds", nargs="*", default=["steady", "flood", "burst"], metavar="steady|flood|burst|outage"
    )
    parser.add_argument(
        "--seconds", type=float, default=None, help="of steady (300), flood (60) and outage (600)"
    )
    parser.add_argument("--bursts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    most = functools.cache(steady.saturation)
    kinds: dict[str, Callable[[], Rows]] = {
        "steady": lambda: steady.measure(most(SATURATION_SECONDS), given.seconds or 300.0, given.seed).rows(),
        "flood": lambda: flood.measure(most(SATURATION_SECONDS), given.seconds or 60.0, given.seed).rows(),
        "burst": lambda: burst.measure(given.bursts, given.seed).rows(),
        "outage": lambda: outage.measure(given.seconds or 600.0).rows(),
    }
    for kind in given.kinds:
        if kind not in kinds:
            parser.error(f"{kind} is not one of {', '.join(kinds)}")
        for what, wanted, found in kinds[kind]():
            sys.stdout.write(f"{what:<48} {wanted:<16} {found}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
