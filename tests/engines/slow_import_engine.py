"""An engine whose module takes long to import."""

from __future__ import annotations

import time

from engines import toy_engine

time.sleep(1)
serve = toy_engine.serve
