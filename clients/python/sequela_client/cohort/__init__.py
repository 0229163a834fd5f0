"""Many explanations at once: from files of sequences to files of explanations. It needs the extra `cohort`."""

from sequela_client.extras import require

# Every module below imports these; an error here says how to install what is missing.
require("pyarrow", extra="cohort")
require("duckdb", extra="cohort")
