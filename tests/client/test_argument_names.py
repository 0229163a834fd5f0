"""Errors name arguments as callers write them, not fields of messages that they never see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matrix import BY_NAME
from sequela_client import CallerError, Sequela
from sequela_client.argument_names import argument_of, with_arguments
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving

NAMED = [pb.InputTensor(name="amounts"), pb.InputTensor(name="places")]
ALONE = [pb.InputTensor()]


@pytest.mark.parametrize(
    ("path", "request_", "argument"),
    [
        ("options.seed", None, "seed"),
        ("options.targets[2]", None, "targets[2]"),
        ("model.inline.schema_json", None, "schema.json"),
        ("header.schema_json", None, "schema.json"),
        ("model.endpoint.uri", None, "model"),
        ("model.endpoint.version", None, "model.version"),
        ("model.digest", None, "model"),
        ("header.shape", None, "shape"),
        ("background.name", None, "background"),
        ("background.values", None, "background"),
        ("sequence.inputs[0].tensor.shape", None, "sequence"),
        ("sequence.inputs[0].tensor", pb.ExplainRequest(sequence=pb.Sequence(inputs=ALONE)), "sequence"),
        (
            "sequence.inputs[1].tensor.dtype",
            pb.ExplainRequest(sequence=pb.Sequence(inputs=NAMED)),
            "sequence['places']",
        ),
        (
            "sequences[1].inputs[0]",
            pb.ScoreRequest(sequences=[pb.Sequence(), pb.Sequence(inputs=NAMED)]),
            "sequences[1]['amounts']",
        ),
        (
            "background.values.inputs[1].columns",
            pb.ExplainRequest(background=pb.BackgroundReference(values=pb.BackgroundValues(inputs=NAMED))),
            "background['places']",
        ),
        (
            "background.values.mean_event[0]",
            pb.ExplainRequest(
                background=pb.BackgroundReference(values=pb.BackgroundValues(mean_event=NAMED))
            ),
            "background.mean_event['amounts']",
        ),
        (
            "values.inputs[0]",
            [
                pb.CreateBackgroundRequest(header=pb.CreateBackgroundHeader()),
                pb.CreateBackgroundRequest(values=pb.BackgroundValues(inputs=NAMED)),
            ],
            "values['amounts']",
        ),
        ("sequence.events[3].time", None, "sequence.events[3].time"),
        ("caller_id", None, "caller_id"),
        ("something.new", None, "something.new"),
    ],
)
def test_each_path_has_its_argument(path: str, request_: Any, argument: str) -> None:
    """The table, with the names of inputs taken from the request; an unknown path stays as it is."""
    assert argument_of(path, request_) == argument


def test_only_the_paths_of_the_error_are_replaced() -> None:
    """Words of the caller that look like a path stay as they are."""
    text = "options.seed: 'options.seeds' and xoptions.seed and options.seed[0]"
    assert (
        with_arguments(text, ["options.seed", ""])
        == "seed: 'options.seeds' and xoptions.seed and options.seed[0]"
    )


def test_a_real_server(server: Serving) -> None:
    """Of several inputs the one at fault is named, alone and in a stream; message and violations agree."""
    case = BY_NAME["multi_input"]
    name, values = next(iter(case.sample(3).items()))
    given = {**case.sample(3), name: np.full_like(values, np.nan, dtype=float)}
    with Sequela(server.bound.grpc) as sequela:
        with pytest.raises(CallerError) as caught:
            sequela.explain(given, model=case.path, background=case.average())
        (outcome,) = sequela.explain_many([given], model=case.path, background=case.average())
    for error in (caught.value, outcome.error):
        assert error is not None
        assert error.violations[0].field == f"sequence[{name!r}]"
        assert str(error).startswith(f"sequence[{name!r}]: ")
