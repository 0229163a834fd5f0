"""`python -P -m sequela` is `sequela serve`."""

import gc
import logging
import os
import sys

# Many requests run in parallel, and a linear algebra thread pool for each of them would only compete for processors.
# This must be set before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# gRPC's C++ core writes lines of its own form between our lines of JSON, for example about each failed handshake. It
# reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# Garbage collection would take a seventh of the time that the imports take, and find nothing.
gc.disable()

from sequela.main import main  # noqa: E402

gc.freeze()
gc.enable()

status = main()
# Everything is closed by now. Python would take up to several seconds more to tear down its modules and objects.
logging.shutdown()
sys.stdout.flush()
os._exit(status)
