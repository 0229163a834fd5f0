"""How a loaded model is run, as one line for operators (`execution` in listings, logs and model pages)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnxruntime

from sequela.adapters.onnx.load_trial import TrialResult
from sequela.adapters.onnx.provider import active_providers
from sequela.explain.schema import InputSchema, Role

FIXED_BATCH = "sequences in every call"


def execution_text(mode: str, inputs: Sequence[InputSchema], trial: TrialResult, threads: int) -> str:
    """Joins the facts that decide how a model is run.

    Args:
        mode: From states or as a whole graph, and why; from `convert_to_stateful`.
        inputs: The complete schema's inputs.
        trial: The model as it ran.
        threads: The size of each session's thread pool.
    """
    return "; ".join(_facts(mode, inputs, trial, threads))


def _facts(mode: str, inputs: Sequence[InputSchema], trial: TrialResult, threads: int) -> Iterator[str]:
    yield mode
    providers = active_providers(trial.session.runtime)
    yield f"onnxruntime {onnxruntime.__version__}, {providers}, threads: {threads}"
    if trial.sizes.length is not None:
        yield f"events in every call: {trial.sizes.length}"
    if trial.session.fixed_batch is not None and FIXED_BATCH not in mode:
        yield f"{FIXED_BATCH}: {trial.session.fixed_batch}"
    for item in inputs:
        if item.axes:
            yield f"input {item.name!r} is transposed to ({', '.join(item.axes)})"
        if item.role is Role.STATE:
            yield f"input {item.name!r} starts from {item.initial:g}"
    if not trial.probe_result.independent_rows:
        yield "one sequence in every call: the rows of a batch influence each other"
