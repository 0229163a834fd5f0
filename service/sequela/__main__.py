"""`python -P -m sequela` is `sequela serve`."""

import os
import sys

# Many requests run beside each other: a thread pool of the linear algebra under each of them would only fight the
# others for the processors. It must be said before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from sequela.main import main

sys.exit(main())
