"""Models whose output differs between two runs of the same row: there is no score to explain.

Each was explained as "exact" before, with other numbers every time.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import onnxruntime
import pytest
from field import models
from field.asking import SEQUENCE, Explain, refusal

RANDOM: dict[str, Callable[[], bytes]] = {
    # onnx/onnx#3753, microsoft/onnxruntime#5549 and #4589
    "Dropout in training mode": models.dropout_left_on,
    # huggingface/optimum#1383, pytorch/pytorch#28306
    "noise": models.noise_in_the_graph,
    # microsoft/onnxruntime#20054: a seed repeats nothing after the first run.
    "seeded noise": models.seeded_noise_in_the_graph,
    # Far below any tolerance that batches are compared with.
    "noise of a thousandth": models.small_noise_in_the_graph,
    # pytorch/pytorch#112512 (a language model that draws its next token)
    "a class that is drawn": models.sampled_class,
    # microsoft/onnxscript#1791, microsoft/onnxruntime#26584: running statistics move with every run of a session.
    "BatchNorm in training mode": models.batch_norm_in_training_mode,
}


@pytest.mark.parametrize("name", RANDOM)
def test_two_runs_of_one_row_differ(name: str) -> None:
    """What the cases stand for, by onnxruntime alone: the same row, twice in one session."""
    session = onnxruntime.InferenceSession(RANDOM[name](), providers=["CPUExecutionProvider"])
    runs = {float(session.run(["score"], {"x": SEQUENCE[None]})[0][0, 0]) for _ in range(20)}
    assert len(runs) > 1


# needs: models-in/out, a model is run twice on the same row at load and compared bit for bit (or its graph is searched
# for random operators and training modes), and refused with MODEL_NOT_DETERMINISTIC.
@pytest.mark.parametrize("name", RANDOM)
def test_models_that_do_not_repeat_are_refused(explain: Explain, name: str) -> None:
    """Refused when they are loaded, with what to do at export."""
    said = refusal(explain, RANDOM[name]())
    assert re.search(r"eval\(\)|random|determin|chance", said, re.IGNORECASE), said
