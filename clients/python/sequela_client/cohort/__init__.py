"""Explains many sequences at once: reads them from files, writes the explanations to files, and reports on them.

This package needs the extra `cohort`.
"""

from sequela_client.extras import require

# Every module below imports these; an error here says how to install what is missing.
require("pyarrow", extra="cohort")
require("duckdb", extra="cohort")

from sequela_client.cohort.dataset import Cohort  # noqa: E402 only after the check above
from sequela_client.cohort.explain import explain_batches  # noqa: E402
from sequela_client.cohort.question import BulkQuestion  # noqa: E402
from sequela_client.cohort.run import RunOptions, explain_all  # noqa: E402
from sequela_client.cohort.sources import Memory  # noqa: E402

__all__ = ["BulkQuestion", "Cohort", "Memory", "RunOptions", "explain_all", "explain_batches"]
