"""The upper bounds of the histograms' buckets."""

from __future__ import annotations

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From one call of a model (milliseconds) to the default deadline of a request."""

STAGE_SECONDS = (0.0001, 0.00025, 0.0005, *SECONDS)
"""From the decoding of a short request."""

STORE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""From a look-up in the process to more than the default timeouts of Redis (0.1 s and 0.2 s)."""

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
EVENTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)

RESIDUALS = (1e-15, 1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
"""From rounding errors of float64, through those of float32, to values that indicate a bug."""

ERRORS = (0.0, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Standard errors of scores between 0 and 1; the default target is 0.005."""
