"""What an endpoint answers that is no answer: never a wrong number, and an error that says what did not fit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint_faults import ROWS, Code, Twist, asked, every, saying
from endpoint_folders import explained, failure, reachable, serving, state, write_endpoint
from fault_proxy import FaultProxy
from inference_server import InferenceServer, ServedModel, infer_answer
from matrix import BY_NAME
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving
from sweeps import few_of
from waiting import eventually


def answering(**changed: Any) -> Twist:
    """A right answer with something changed; `rows` more or less of them."""

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        rows = request.inputs[0].shape[0] + changed.get("rows", 0)
        values = np.full((rows, *changed.get("columns", (1,))), changed.get("value", 0.5))
        said = {"name": "gru", "version": "1", "output": "score", "datatype": "FP32"}
        said |= {key: value for key, value in changed.items() if key in said}
        return infer_answer(**said, values=values)

    return twist


def oversized(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
    """Just above the limit of a message, however many rows were asked for."""
    rows = request.inputs[0].shape[0]
    values = np.zeros((rows, 4 * (1 << 20) // (4 * rows) + 1))
    return infer_answer(name="gru", version="1", output="score", datatype="FP32", values=values)


def garbage(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
    found = answer()
    found.raw_output_contents[0] = b"\xde\xad\xbe\xef" * 3 + b"!"
    return found


def nameless(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
    return oip.ModelInferResponse()


INVALID = "ENDPOINT_ANSWER_INVALID"
WRONG: dict[str, tuple[Twist, str, str]] = {
    "NaN": (answering(value=np.nan), "MODEL_OUTPUT_NOT_FINITE", ""),
    "infinite": (answering(value=np.inf), "MODEL_OUTPUT_NOT_FINITE", ""),
    "too few rows": (answering(rows=-1), INVALID, "rows"),
    "too many rows": (answering(rows=3), INVALID, "rows"),
    "another output": (answering(output="other"), INVALID, "'other'"),
    "another model": (answering(name="other"), INVALID, "'other'"),
    "more columns": (answering(columns=(7,)), INVALID, "7"),
    "more axes": (answering(columns=(2, 3, 4)), INVALID, "24"),
    "garbage": (garbage, INVALID, "13 bytes"),
    "nothing": (nameless, INVALID, ""),
    "too large": (oversized, INVALID, "limit"),
}


# How each of the others is told apart is tested in adapters/endpoints/test_grpc_answers.py.
FEW = ("NaN", "too few rows", "another output", "garbage", "too large")


@pytest.mark.parametrize("case", few_of(WRONG, *FEW))
def test_wrong_answers(server: Serving, endpoint: InferenceServer, case: str) -> None:
    """Now and then, or always: never a wrong number, and the error says what did not fit."""
    twist, reason, word = WRONG[case]
    for number in (7, 1):
        endpoint.twists["ModelInfer"] = every(number, twist)
        failed = failure(server, asked())
        assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, reason), failed.message
        assert word in failed.message


def test_another_version_answers(root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """A pinned version is the only one whose answers count."""
    write_endpoint(root, "gru", f"grpc://127.0.0.1:{proxy.port}/gru", max_batch_rows=ROWS)
    with serving(root) as server:
        reachable(server, "gru")
        endpoint.twists["ModelInfer"] = every(3, answering(version="2"))
        failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, INVALID)
    assert "'2'" in failed.message


def replaced(number: int) -> Twist:
    """From the n-th call on, another version answers, with half of the score."""
    lock, calls = threading.Lock(), 0

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        nonlocal calls
        with lock:
            calls += 1
            later = calls >= number
        right = answer()
        if later:
            right.model_version = "2"
            halves = np.frombuffer(right.raw_output_contents[0], "<f4") / 2
            right.raw_output_contents[0] = halves.tobytes()
        return right

    return twist


def test_scores_of_two_versions_are_never_mixed(root: Path, endpoint: InferenceServer) -> None:
    """The version changes during an explanation, which fails and may be asked for again."""
    write_endpoint(root, "gru", f"grpc://127.0.0.1:{endpoint.port}/gru", version="", max_batch_rows=ROWS)
    with serving(root) as server:
        reachable(server, "gru")
        before = explained(server, asked())
        endpoint.twists["ModelInfer"] = replaced(4)
        failed = failure(server, asked())
        assert (failed.code, failed.reason) == (Code.UNAVAILABLE, "MODEL_CHANGED"), failed.message
        assert failed.retry
        assert "'1' and '2'" in failed.message
        after = explained(server, asked())
    assert after.targets[0].score == pytest.approx(before.targets[0].score / 2)
    assert sum(after.event_level.attributions[0].values) == pytest.approx(
        sum(before.event_level.attributions[0].values) / 2, abs=1e-6
    )


def redeployed(number: int) -> Twist:
    """From the n-th call on, scores are halved, but the version is the same."""
    changed = replaced(number)

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        right = changed(request, context, answer)
        right.model_version = "1"
        return right

    return twist


def mixing_up(rows: int) -> Twist:
    """Calls with more rows than that are answered in the opposite order."""

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        right = answer()
        if request.inputs[0].shape[0] > rows:
            scores = np.frombuffer(right.raw_output_contents[0], "<f4")
            right.raw_output_contents[0] = scores[::-1].tobytes()
        return right

    return twist


def test_a_model_redeployed_under_the_same_version_is_noticed(root: Path, endpoint: InferenceServer) -> None:
    """The sequence has another score than before, so that later rows cannot be compared with it."""
    write_endpoint(root, "gru", f"grpc://127.0.0.1:{endpoint.port}/gru", version="", max_batch_rows=ROWS)
    with serving(root) as server:
        reachable(server, "gru")
        before = explained(server, asked())
        endpoint.twists["ModelInfer"] = redeployed(2)
        failed = failure(server, asked())
        assert (failed.code, failed.reason) == (Code.UNAVAILABLE, "MODEL_CHANGED"), failed.message
        assert failed.retry
        after = explained(server, asked())
    assert after.targets[0].score == pytest.approx(before.targets[0].score / 2)


def test_rows_mixed_up_only_in_large_calls_are_noticed(root: Path, endpoint: InferenceServer) -> None:
    """The rows that are tried first are in smaller calls, which are answered correctly."""
    write_endpoint(root, "gru", f"grpc://127.0.0.1:{endpoint.port}/gru", max_calls=1)
    endpoint.twists["ModelInfer"] = mixing_up(100)
    with serving(root) as server:
        reachable(server, "gru")
        failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "MODEL_ROWS_COUPLED"), failed.message
    assert "in a batch with others" in failed.message


def test_a_model_replaced_in_mid_explanation(server: Serving, endpoint: InferenceServer) -> None:
    """Another model under the same name: the request fails, the model's state says what does not fit, and the right
    one is found again.
    """
    models: dict[str, ServedModel] = endpoint.models  # type: ignore[assignment]
    right = models["gru"]

    def replace(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        models["gru"] = ServedModel(BY_NAME["multi_input"].path.read_bytes())
        return answer()

    endpoint.twists["ModelInfer"] = every(9, replace)
    failed = failure(server, asked())
    assert failed.code == Code.FAILED_PRECONDITION
    eventually(lambda: state(server, "gru").state == pb.MODEL_STATE_FAILED)
    assert "schema.json" in state(server, "gru").state_detail
    assert "events" in state(server, "gru").state_detail
    failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "MODEL_NOT_LOADED")
    endpoint.twists.clear()
    models["gru"] = right
    reachable(server, "gru")
    assert explained(server, asked()).explained


def test_items_of_a_stream_fail_alone(server: Serving, endpoint: InferenceServer) -> None:
    """One answer that is none fails its own question; those around it are answered."""
    marked = asked(seed=3).sequence.inputs[0].tensor.raw

    def spoil(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        right = answer()
        if marked in request.raw_input_contents[0]:
            right.outputs[0].name = "other"
        return right

    endpoint.twists["ModelInfer"] = spoil
    stream = (pb.ExplainStreamRequest(request=asked(seed)) for seed in range(6))
    answers = list(server.explanations.ExplainStream(stream, timeout=60))
    assert [answer.index for answer in answers if answer.HasField("error")] == [3]
    error = answers[3].error
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION.value[0], INVALID)
    assert "'other'" in error.message


def test_a_sequence_that_the_model_fails_on(server: Serving, endpoint: InferenceServer) -> None:
    """Its question is refused in the model's own words, cut to a line without control characters."""
    endpoint.twists["ModelInfer"] = saying(
        Code.INTERNAL, 'Traceback:\n  File "/srv/model.py", line 3\n\x1b[31mValueError: ' + "x" * 5000
    )
    failed = failure(server, asked())
    assert failed.reason == "ENDPOINT_REFUSED"
    assert failed.message.isprintable()
    assert len(failed.message) < 400
