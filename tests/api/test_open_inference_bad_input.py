"""Mistakes in requests by the Open Inference Protocol are named with the path in the request that was sent."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from api.inference_calls import BACKGROUND, infer_request, sample_rows, stub
from matrix import BY_NAME
from sequela_proto.inference import open_inference_pb2 as oip
from serving import Failure, Serving

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
GRU = BY_NAME["gru"]


def spoil(**changed: Any) -> oip.ModelInferRequest:
    """A right request for the GRU with something changed: fields of its tensor by name, parameters as `p_name`."""
    parameters = {k.removeprefix("p_"): v for k, v in changed.items() if k.startswith("p_")}
    rows, outputs = changed.get("rows", 2), changed.get("outputs", ())
    request = infer_request(
        "gru", sample_rows(GRU, rows), outputs, changed.get("raw", True), background=BACKGROUND, **parameters
    )
    request.model_name = changed.get("model", "gru")
    for field in ("name", "datatype"):
        if field in changed:
            setattr(request.inputs[0], field, changed[field])
    if "shape" in changed:
        request.inputs[0].shape[:] = changed["shape"]
    if "contents" in changed:
        request.raw_input_contents[:] = changed["contents"]
    return request


NAN = np.full((2, 6, 5), 1.0, "<f4")
NAN[1, 2, 3] = np.nan
BAD = [
    (spoil(model="nobody"), MISSING, "MODEL_NOT_FOUND", ()),
    (spoil(model="a b"), INVALID, "NAME_INVALID", ("model_name",)),
    (spoil(name="wrong"), INVALID, "INPUT_UNKNOWN", ("inputs[0].name",)),
    (spoil(datatype="FP16"), INVALID, "TENSOR_DTYPE", ("inputs[0].datatype",)),
    (spoil(shape=[2, 6, 6]), INVALID, "TENSOR_SIZE", ("inputs[0]",)),
    (spoil(shape=[2, 5, 6]), INVALID, "SHAPE_MISMATCH", ("inputs[0].shape",)),
    (spoil(shape=[0, 6, 5]), INVALID, "TENSOR_SHAPE", ("inputs[0].shape",)),
    (spoil(shape=[]), INVALID, "TENSOR_SHAPE", ("inputs[0].shape",)),
    (spoil(shape=[2, 1 << 62, 1 << 62]), INVALID, "TENSOR_SIZE", ("inputs[0]",)),
    (spoil(shape=[1, 2, 6, 5]), INVALID, "SHAPE_MISMATCH", ("inputs[0].shape",)),
    (spoil(shape=[1] * 70, contents=[b"1234"]), INVALID, "TENSOR_SHAPE", ("inputs[0].shape",)),
    (spoil(datatype="BOOL", shape=[1, 1, 2], contents=[b"\1\2"]), INVALID, "TENSOR_VALUE", ("inputs[0]",)),
    (spoil(contents=[b"123"]), INVALID, "TENSOR_SIZE", ("inputs[0]",)),
    (spoil(contents=[b"", b""]), INVALID, "TENSOR_ELEMENTS", ("raw_input_contents",)),
    (spoil(contents=[NAN.tobytes()]), INVALID, "TENSOR_NOT_FINITE", ("inputs[0]",)),
    (spoil(raw=False, datatype="FP64"), INVALID, "TENSOR_ELEMENTS", ("inputs[0].contents",)),
    (spoil(rows=9), INVALID, "TOO_MANY_ROWS", ("inputs",)),
    (spoil(rows=17, outputs=["score"]), INVALID, "TOO_MANY_ROWS", ("inputs",)),
    (spoil(outputs=["nothing"]), INVALID, "OUTPUT_UNKNOWN", ("outputs[0].name",)),
    (
        spoil(outputs=["event_attributions"], p_levels="feature"),
        INVALID,
        "OPTIONS_CONFLICT",
        ("outputs[0].name",),
    ),
    (spoil(p_wrong=1), INVALID, "PARAMETER_UNKNOWN", ("parameters['wrong']",)),
    (spoil(p_max_coalitions=0), INVALID, "OPTION_OUT_OF_RANGE", ("parameters.max_coalitions",)),
    (spoil(p_max_coalitions="many"), INVALID, "PARAMETER_INVALID", ("parameters.max_coalitions",)),
    (spoil(p_top_k_events=1 << 40), INVALID, "OPTION_OUT_OF_RANGE", ("parameters.top_k_events",)),
    (spoil(p_pruning_tolerance="nan"), INVALID, "OPTION_OUT_OF_RANGE", ("parameters.pruning_tolerance",)),
    (spoil(p_levels="event,history"), INVALID, "PARAMETER_INVALID", ("parameters.levels",)),
    (spoil(p_estimator="guess"), INVALID, "PARAMETER_INVALID", ("parameters.estimator",)),
    (spoil(p_refine_history=1), INVALID, "PARAMETER_INVALID", ("parameters.refine_history",)),
    (spoil(p_targets="nobody"), INVALID, "TARGET_UNKNOWN", ("parameters.targets",)),
    (spoil(p_targets="nobody", outputs=["score"]), INVALID, "TARGET_UNKNOWN", ("parameters.targets",)),
    (spoil(p_caller_id="x" * 300), INVALID, "TEXT_TOO_LONG", ("parameters.caller_id",)),
    (spoil(p_output_event=-1), INVALID, "OUTPUT_EVENT_UNSUPPORTED", ("parameters.output_event",)),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[2])
def test_bad_input_is_named_in_the_callers_words(serving: Serving, bad: Any) -> None:
    """Code, reason and the path as it stands in the inference request; the server answers afterwards."""
    request, code, reason, fields = bad
    with pytest.raises(grpc.RpcError) as caught:
        stub(serving).ModelInfer(request)
    failed = Failure(caught.value)
    assert (failed.code, failed.reason) == (code, reason), failed.message
    assert all(any(f.startswith(field) for f in failed.violations) for field in fields), failed.violations
    assert all(field in failed.message for field in fields), failed.message
    assert stub(serving).ServerReady(oip.ServerReadyRequest()).ready


def test_the_row_at_fault_is_told(serving: Serving) -> None:
    """The second row holds the NaN: its number stands beside the path."""
    with pytest.raises(grpc.RpcError) as caught:
        stub(serving).ModelInfer(spoil(contents=[NAN.tobytes()]))
    assert Failure(caught.value).facts["row"] == "1"


def test_an_input_left_out_is_named(serving: Serving) -> None:
    """One of several inputs missing, and none at all."""
    request = infer_request(
        "multi_input", sample_rows(BY_NAME["multi_input"], 1), background=BACKGROUND, raw=False
    )
    del request.inputs[1]
    for reason in ("INPUT_MISSING", "SEQUENCE_EMPTY"):
        with pytest.raises(grpc.RpcError) as caught:
            stub(serving).ModelInfer(request)
        assert (Failure(caught.value).reason, set(Failure(caught.value).violations)) == (reason, {"inputs"})
        del request.inputs[:]


def test_rows_of_different_numbers_are_refused(serving: Serving) -> None:
    """Two sequences beside one profile are no batch."""
    request = infer_request("multi_input", sample_rows(BY_NAME["multi_input"], 2), raw=False)
    request.inputs[2].shape[0] = 1
    request.inputs[2].contents.fp32_contents[:] = [0.0, 0.0]
    with pytest.raises(grpc.RpcError) as caught:
        stub(serving).ModelInfer(request)
    assert Failure(caught.value).reason == "ROWS_DIFFER"
