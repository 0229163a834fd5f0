"""Errors that onnxruntime does not raise as its own are errors of the model all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import onnxruntime
import pytest
from api.rpc_calls import explain_request, inline
from hostile_builders import model, node, scored
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import DoesNotFit, InvalidInput
from serving import Failure, Serving
from waiting import PATIENCE

QUOTED = (
    node("Resize", ["events", "", "scales"], ["all"], mode=b"\xff\xfe"),
    *scored("all"),
)
"""onnxruntime's message quotes the mode, so it cannot be decoded."""


def unreadable() -> bytes:
    return model(QUOTED, {"scales": np.ones(3, np.float32)})


def source(content: bytes) -> ModelBytes:
    return ModelBytes(content, b"", "onnx", "schema")


class Undecodable:
    """A session whose runs fail with a message that is not UTF-8."""

    def run(self, *_: Any) -> Any:
        raise UnicodeDecodeError("utf-8", b"Invalid mode: \xff\xfe", 14, 15, "invalid start byte")


def keeps_the_bytes(content: bytes) -> bool:
    """Whether onnxruntime's bindings keep the bytes of such a message; with Python 3.11.2 they lose it."""
    try:
        onnxruntime.InferenceSession(content, quiet_options(), enable_fallback=0)
    except UnicodeDecodeError:
        return True
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
        return False
    raise AssertionError("the model was loaded")


def quiet_options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options


def test_a_message_that_is_not_utf8_is_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    """When the file is loaded. Nothing is written to the output, and the file is tried once only."""
    kept = keeps_the_bytes(unreadable())
    capfd.readouterr()
    with pytest.raises(InvalidInput) as caught:
        Loader().load("models/m/versions/1", source(unreadable()))
    assert caught.value.reason == "MODEL_NOT_RUNNABLE"
    assert (r"\xff\xfe" if kept else "Fail, with a message that cannot be read") in caught.value.message
    assert capfd.readouterr().out == ""


def test_a_run_that_fails_with_such_a_message_is_the_models_fault() -> None:
    """As one that fails with onnxruntime's own error."""
    loaded = Loader().load("models/m/versions/1", source(model(scored("events"))))
    session = replace(loaded.session, runtime=Undecodable())
    with pytest.raises(DoesNotFit, match=r"Invalid mode: \\xff\\xfe") as caught:
        session.run({"events": np.zeros((1, 2, 4), np.float32)})
    assert caught.value.reason == "MODEL_FAILED"


def test_callers_get_a_named_error(serving: Serving) -> None:
    """Not INTERNAL."""
    with pytest.raises(grpc.RpcError) as caught:
        serving.explanations.Explain(explain_request(model=inline(unreadable())), timeout=PATIENCE)
    failed = Failure(caught.value)
    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MODEL_NOT_RUNNABLE")
