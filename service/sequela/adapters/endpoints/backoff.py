"""How long to wait before a call is sent again."""

from __future__ import annotations

import math
import random

FIRST_SECONDS = 0.05
"""The longest wait after the first failure; it doubles with each further one."""


def backoff_seconds(failures: int) -> float:
    """The wait after so many failures, 1 or more.

    Half of it is random, so that callers who failed together do not come back together. Results do not depend on it.
    """
    longest = FIRST_SECONDS * math.ldexp(1.0, failures - 1)
    return longest * (0.5 + random.random() / 2)  # noqa: S311  # nothing secret
