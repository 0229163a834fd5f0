"""Runs random models in engines, and says what became of them.

Run it in the folder `tests`, with the Python of the environment:

    ../.venv/bin/python -m fuzz nodes --cases 100000 --seed 1
    ../.venv/bin/python -m fuzz mutants --cases 2000 --seed 1
    PYTHONPATH=.. ../.venv/bin/python -m fuzz uploads --cases 2000 --seed 1
    PYTHONPATH=.. ../.venv/bin/python -m fuzz repository --cases 2000 --seed 1

`nodes` makes models of one node, of every operator that the runtime knows; `mutants` damages the committed models.
`uploads` and `repository` give damaged models to a server: by RegisterModel, and in its model repository. The same seed
makes the same cases. `--first` starts with a later one. It fails if a caller got no named error in time, if an answer
was wrong, if an honest caller was disturbed, or if the front's memory grew.
"""

from __future__ import annotations

import argparse
import sys

from fuzz import campaign, mutants, nodes, server_campaign
from fuzz.server_outcomes import ServerOutcomes

CASES = {"nodes": nodes.case, "mutants": mutants.case}
SERVED = {"uploads": server_campaign.upload, "repository": server_campaign.place}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=[*CASES, *SERVED])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    outcomes: campaign.Outcomes | ServerOutcomes
    if options.kind in CASES:
        outcomes = campaign.run(
            CASES[options.kind], options.cases, options.seed, options.workers, options.first
        )
    else:
        outcomes = ServerOutcomes()
        SERVED[options.kind](mutants.case, options.cases, options.seed, options.first, outcomes)
    sys.stdout.write("\n".join(outcomes.report()) + "\n")
    if not outcomes.harmless:
        sys.exit(
            "a caller waited too long or was told something wrong, another one was disturbed, or the front grew"
        )


if __name__ == "__main__":
    main()
