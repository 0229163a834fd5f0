"""Starts the command `sequela`. A package of its own, because `sequela_client` imports gRPC at once.

gRPC's C++ core reads its environment when it is imported, and would write log lines of its own before the command's
messages. The library leaves that to the program that uses it.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def main() -> None:
    """Runs the command."""
    from sequela_client.cli.main import main as command  # noqa: PLC0415 only after the variable is set

    command()
