"""Whatever a model's inputs look like: the right numbers, or a refusal whose reason is documented; with a schema that
says all, always the right numbers.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from alone import Alone
from field.generated import Spec, build, feed, random_spec, sequence
from sequela_client import Explanation, Sequela
from sequela_client.errors import SequelaError

FAST, ALL = (0, *range(2, 8)), 400
"""Seed 1 makes a model that takes as long as the other seven together."""
DOCUMENTED = frozenset(
    {"SCHEMA_NEEDED", "SHAPE_MISMATCH", "TOO_MANY_EVENTS", "PADDING_UNKNOWN", "MODEL_OUTPUT_UNSUPPORTED"}
)
"""Of a refusal without a schema: it is asked for, or what was sent, or the output, does not fit the usual reading of
axes that are all fixed.
"""


@pytest.mark.parametrize("seed", FAST)
def test_generated_models(sequela: Sequela, tmp_path: Path, seed: int) -> None:
    """A few of them."""
    check(sequela, tmp_path, random_spec(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [seed for seed in range(ALL) if seed not in FAST])
def test_many_generated_models(sequela: Sequela, tmp_path: Path, seed: int) -> None:
    """The others."""
    check(sequela, tmp_path, random_spec(seed))


def check(sequela: Sequela, folder: Path, spec: Spec) -> None:
    content = build(spec)
    length = spec.length or 4
    x, absent = sequence(spec, length, spec.seed), sequence(spec, length, spec.seed + 1)
    background = {name: values[:1] if values.ndim == 2 else values for name, values in absent.items()}
    tiled = {
        name: np.repeat(values, length, 0) if values.ndim == 2 else values
        for name, values in background.items()
    }
    time_first = spec.order[0] == "time"
    alone = Alone(content, lambda row: feed(spec, row), spec.head.scores(time_first))
    truth = alone.events(x, tiled)

    def explained() -> Explanation:
        return sequela.explain(
            x,
            model=folder / "model.onnx",
            background=background,
            pruning_tolerance=0,
            target_standard_error=0,
            targets=range(len(truth.score)),
        )

    def assert_right(answer: Explanation) -> None:
        found = {("event", each.t): each.values for each in answer.events}
        if answer.static:
            found["static",] = answer.static.values
        for player, row in zip(truth.players, truth.values, strict=True):
            np.testing.assert_allclose(
                found[player.key], row, atol=3e-6, rtol=0, err_msg=f"{spec}: {player.key}"
            )

    (folder / "model.onnx").write_bytes(content)
    refused = ""
    try:
        assert_right(explained())
    except SequelaError as error:
        refused = f"{error.reason}: {error}"
    assert not refused or refused.partition(":")[0] in DOCUMENTED, f"{spec}: {refused}"
    (folder / "schema.json").write_text(json.dumps(spec.schema()))
    assert_right(explained())
