"""Models whose rows influence each other in a batch: run one at a time, or refused; never "exact" and wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from field import models
from field.asking import SEQUENCE, Explain, assert_right_or_refused
from field.truth import truth
from sequela_client import Sequela

TOGETHER: dict[str, Callable[[], bytes]] = {
    # pytorch/pytorch#52867 shows the kind: statistics of the batch in forward.
    "normalised over the batch": models.normalised_over_the_batch,
    # pytorch/pytorch#5733, OpenNMT/OpenNMT-py#632: without dim, three axes are softmaxed over the first.
    "softmax over the batch": models.attention_over_the_batch,
    # microsoft/onnxruntime#10111, #8625 and #5672, Anush008/fastembed-rs#107
    "int8 with a scale for each call": models.quantised,
}


# needs: models-in/out, models whose rows influence each other run one row at a time, or are refused. For int8 the
# difference is 0.0003 of a score of 0.38: rows must agree bit for bit, or a DynamicQuantizeLinear in the graph tells.
@pytest.mark.parametrize("name", TOGETHER)
def test_rows_that_influence_each_other(explain: Explain, name: str) -> None:
    """The truth of rows run alone, or a refusal that names the batch."""
    assert_right_or_refused(explain, TOGETHER[name](), "batch|influence|one at a time")


# needs: the same.
@pytest.mark.parametrize("name", TOGETHER)
def test_explain_and_score_agree(explain: Explain, sequela: Sequela, tmp_path: Path, name: str) -> None:
    """`explain().score == score()` for whatever loads."""
    content = TOGETHER[name]()
    answer = explain(content, SEQUENCE)
    scored = sequela.score(SEQUENCE, model=tmp_path / "model.onnx").values[0, 0]
    assert answer.score == pytest.approx(scored, abs=1e-6)
    assert scored == pytest.approx(truth(content, SEQUENCE).score, abs=1e-6)
