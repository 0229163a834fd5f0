"""What is asked about every account, by all ways of explaining many."""

from sequela_client.cohort import BulkQuestion, RunOptions

from benchmarks.bulk.simulated import MODEL
from benchmarks.ours import TOLERANCE, Options

COALITIONS = 512
OPTIONS: Options = {
    "levels": ("event", "feature"),
    "pruning_tolerance": TOLERANCE,
    "max_coalitions": COALITIONS,
    "target_standard_error": 0.0,
}
_MOST_ROWS, _FEWEST_PARTS = 1000, 10


def question() -> BulkQuestion:
    """The question of the bulk runs."""
    return BulkQuestion(str(MODEL / "model.onnx"), options=OPTIONS, id="account", labels=("outcome",))


def run_options(count: int) -> RunOptions:
    """How accounts are written: with ten parts or more, so that a run can be ended between parts."""
    return RunOptions(part_rows=min(_MOST_ROWS, -(-count // _FEWEST_PARTS)))
