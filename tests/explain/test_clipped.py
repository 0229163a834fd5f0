"""How many coalitions the logit link clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import explainer, levels, loaded, question, run_whole
from matrix import BY_NAME
from numpy.typing import NDArray
from sequela.concurrency.deadline import Deadline
from sequela.explain.options import Level
from sequela.explain.schema import Link
from sequela.timeshap.cells import Cells

GRU = BY_NAME["gru"]
EVENTS = (Level.EVENT,)


@pytest.mark.parametrize("null", [0, 2])
def test_every_clipped_coalition_is_counted(null: int) -> None:
    """A model sure of itself under the logit link, 0 or 1 for many mixes, f(X) and f(B) among them: all 2^m coalitions
    are looked at, and never more are said to be clipped than there are.
    """
    plain, linear = run_whole(loaded(GRU)), 3 - null

    class Sure:
        recurrence = None

        def __getattr__(self, name: str) -> Any:
            return getattr(plain, name)

        def run(self, batch: Cells, *_: Any) -> NDArray[np.float64]:
            changed = (batch.events[0][:, :, 0] != GRU.average()["events"][0]).sum(axis=1)
            return np.choose(changed, [0.0, 0.4, 0.7, 1.0][: linear + 1], mode="clip")[:, None]

    sequence = GRU.sample(3)
    sequence["events"][:null] = GRU.average()["events"]
    sure: Any = Sure()
    asked = question(sure, sequence, GRU.average(), levels=EVENTS, link=Link.LOGIT, pruning_tolerance=0.0)
    (level,) = levels(explainer(sure).explain(asked, Deadline()))
    assert level.quality.coalitions == 2**linear
    assert level.quality.clipped_coalitions == (2 if null == 0 else 1)
