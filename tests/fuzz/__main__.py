"""Runs random models in engines, or sends random requests to a server, and says what became of them.

    make fuzz FUZZ_ARGS="nodes --cases 100000 --seed 1"
    make fuzz FUZZ_ARGS="mutants --cases 2000 --seed 1"
    make fuzz FUZZ_ARGS="uploads --cases 2000 --seed 1"
    make fuzz FUZZ_ARGS="repository --cases 2000 --seed 1"
    make fuzz FUZZ_ARGS="rpc --cases 20000 --seed 1"
    make fuzz FUZZ_ARGS="http --cases 20000 --seed 1"

`nodes` makes models of one node, of every operator that the runtime knows; `mutants` damages the committed models.
`uploads` and `repository` give damaged models to a server: by RegisterModel, and in its model repository. It fails if a
caller got no named error in time, if an answer was wrong, if an honest caller was disturbed, or if the front's memory
grew.

`rpc` calls every method of gRPC that the server lists by reflection, `http` requests every route of the application.
It fails if an answer was wrong, or if the server grew. With `--keep`, requests with a wrong answer are made small and
written into the corpus (`tests/request_fuzz/corpus`), which the tests send again.

The same seed makes the same cases. `--first` starts with a later one.
"""

from __future__ import annotations

import argparse
import sys

from request_fuzz import command

from fuzz import campaign, mutants, nodes, server_campaign
from fuzz.server_outcomes import ServerOutcomes

CASES = {"nodes": nodes.case, "mutants": mutants.case}
SERVED = {"uploads": server_campaign.upload, "repository": server_campaign.place}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=[*CASES, *SERVED, *command.DOORS])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.kind in command.DOORS:
        cases = range(options.first, options.first + options.cases)
        command.run(options.kind, cases, options.seed, options.workers, keep=options.keep)
        return
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
