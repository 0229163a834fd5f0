"""A front for tests, as a process of its own: prints the processes of its engines and waits."""

from __future__ import annotations

import threading
import time

from engines.pools_of_engines import SANDBOXED, TRUSTED, call, running
from sequela.engines import fork_client


def main() -> None:
    with running(size=2, limits=TRUSTED) as trusted, running(size=2, limits=SANDBOXED) as untrusted:
        pids = [
            call(trusted, "pid"),
            call(untrusted, "pid", affinity="a"),
            call(untrusted, "pid", affinity="b"),
        ]
        servers = [fork_client.TRUSTED._process, fork_client.UNTRUSTED._process]
        pids += [str(each._process.pid) for each in servers if each]
        # One is at work when the front ends, and does not listen.
        threading.Thread(target=call, args=(untrusted, "hang", 600.0, "a")).start()
        print(*pids, flush=True)  # noqa: T201
        time.sleep(600)


if __name__ == "__main__":
    main()
