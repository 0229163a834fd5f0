"""The whole way through the door, with a real model."""

from __future__ import annotations

import numpy as np
from matrix import ROOT
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, inputs


def test_an_explanation_comes_back_and_is_kept(server: Serving) -> None:
    """An inline GRU, an inline background: attributions add up, and Get gives the same answer again."""
    onnx = (ROOT / "gru" / "1" / "model.onnx").read_bytes()
    header = pb.RegisterModelRequest(header=pb.RegisterModelHeader(name="gru"))
    chunks = [pb.RegisterModelRequest(onnx_chunk=onnx[i : i + 1000]) for i in range(0, len(onnx), 1000)]
    model = server.models.RegisterModel(iter([header, *chunks])).model
    width = model.inputs[0].width
    values = np.random.default_rng(0).normal(size=(6, width))
    request = pb.ExplainRequest(
        model=pb.ModelReference(name="gru"),
        background=pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(width)))),
        sequence=pb.Sequence(inputs=inputs(values)),
        caller_id="alert-1",
    )
    found = server.explanations.Explain(request).explanation
    gain = found.targets[0].score - found.targets[0].base_value
    for level in (found.event_level, found.feature_level, found.cell_level):
        assert abs(sum(item.values[0] for item in level.attributions) - gain) < 1e-6
    again = server.explanations.GetExplanation(pb.GetExplanationRequest(name=found.name)).explanation
    assert again == found
