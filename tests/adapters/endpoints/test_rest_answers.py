"""What a server answers over HTTP: every form of an answer is read, and what is none is never a wrong number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from inference_rest import RestServer, saying
from sequela.errors import DoesNotFit
from transports import (
    ROWS,
    ask,
    failing,
    opened,
    soon,
)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([0.5, 0.25], [0.5, 0.25]),
        ([1, 0], [1, 0]),
        ([True, False], [1, 0]),
        ([[0.5], [0.25]], [[0.5], [0.25]]),
        ([{"other": 9, "score": 0.5}, {"score": 0.25, "other": 9}], [0.5, 0.25]),
        ([{"score": [1, 2]}, {"score": [3, 4]}], [[1, 2], [3, 4]]),
        ([None, 0.25], [np.nan, 0.25]),
        ([float("nan"), float("-inf")], [np.nan, -np.inf]),
    ],
)
def test_predictions(web: RestServer, given: Any, values: Any) -> None:
    """Numbers, lists, or objects by output name; NaN, however it is written, is left to the model layer."""
    web.twist = saying({"predictions": given})
    with opened(web.uri("m", "v1")) as transport:
        np.testing.assert_array_equal(transport.infer({"events": ROWS}, "score", soon()), values)


def test_the_only_of_named_predictions(web: RestServer) -> None:
    """Where no output is asked for. Of several, which may be a label and its score, none is taken: they are named."""
    web.twist = saying({"predictions": [{"a": 1}, {"a": 3}]})
    np.testing.assert_array_equal(ask(web.uri("m", "v1")), [1, 3])
    web.twist = saying({"predictions": [{"label": 1, "score": 0.5}, {"label": 0, "score": 0.25}]})
    with pytest.raises(
        DoesNotFit, match=r"'label', 'score'; name the one that is the score.*\{\"output\": \"score\"\}"
    ):
        ask(web.uri("m", "v1"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"predictions": [0.5]}, "1 predictions for 2 rows"),
        ({"predictions": [0.5, 0.5, 0.5]}, "3 predictions for 2 rows"),
        ({"predictions": 0.5}, "predictions: must be a valid"),
        ({"outputs": [0.5, 0.5]}, "predictions: is missing"),
        ([0.5, 0.5], "expected form"),
        (None, "expected form"),
        ({"predictions": ["0.5", "0.5"]}, "not an array of numbers"),
        ({"predictions": [[1, 2], [3]]}, "not an array of numbers"),
        ({"predictions": [0.5, {"score": 0.5}]}, "not an array of numbers"),
        ({"predictions": [0.5, [0.5]]}, "not an array of numbers"),
        ({"predictions": [0.5, "x"]}, "not an array of numbers"),
        ({"predictions": [1 << 70, -(1 << 2000)]}, "not"),
        ({"predictions": [{"a": 1}, {"b": 1}]}, "'score'"),
        (b"<html>welcome</html>", "not valid JSON"),
        (b"", "not valid JSON"),
        (b'{"predictions": [NaN, Infinity', "not valid JSON"),
        (b"[" * 100_000 + b"NaN", "not valid JSON"),
        (b'{"predictions": [' + b"[" * 200 + b"]" * 200 + b", 1]}", "recursion limit"),
        (b'\xff\xfe{"predictions"', "not valid JSON"),
    ],
)
def test_predictions_that_are_none(web: RestServer, given: Any, words: str) -> None:
    """A wrong answer is never a wrong number."""
    web.twist = saying(given)
    with (
        opened(web.uri("m", "v1")) as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", words),
    ):
        transport.infer({"events": ROWS}, "score", soon())


def inferred(**changed: Any) -> dict[str, Any]:
    """A good answer to a call of two rows, with fields of the output changed."""
    output = {"name": "score", "datatype": "FP32", "shape": [2], "data": [0.5, 0.25], **changed}
    return {"model_name": "m", "model_version": "1", "outputs": [output]}


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        (inferred(), [0.5, 0.25]),
        (inferred(shape=[2, 1], data=[[0.5], [0.25]]), [[0.5], [0.25]]),
        (inferred(datatype="BOOL", data=[True, False]), [1, 0]),
        (inferred(datatype="INT64", data=[-3, 1 << 40]), [-3, 1 << 40]),
        ({"outputs": inferred()["outputs"]}, [0.5, 0.25]),
        ({**inferred(), "model_version": None, "id": "x"}, [0.5, 0.25]),
        (inferred(data=[None, float("inf")]), [np.nan, np.inf]),
    ],
)
def test_forms_of_an_answer(web: RestServer, answer: Any, values: Any) -> None:
    """Flat or nested data of every type of numbers."""
    web.twist = saying(answer)
    with opened(web.uri("m"), version="1") as transport:
        np.testing.assert_array_equal(transport.infer({"events": ROWS}, "score", soon()), values)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({**inferred(), "model_name": "other"}, "'other'"),
        ({**inferred(), "model_version": "2"}, "'2'"),
        (inferred(name="other"), "'other'"),
        ({"outputs": []}, "none"),
        ({"model_name": "m"}, "outputs: "),
        ([], "expected form"),
        (inferred(datatype="BYTES", data=["a", "b"]), "BYTES"),
        (inferred(data=["0.5", "0.5"]), "not an array of numbers"),
        (inferred(shape=[1], data=[0.5]), "for 2 rows"),
        (inferred(shape=[]), "2 values"),
        (inferred(shape=[2, 2]), "2 values"),
        (inferred(shape=[-2, -1]), "2 values"),
        (inferred(shape=["a"]), "shape"),
        (inferred(data=0.5), "data"),
        (b"\x00\x01", "not valid JSON"),
    ],
)
def test_answers_that_are_none(web: RestServer, answer: Any, words: str) -> None:
    """A wrong answer is never a wrong number."""
    web.twist = saying(answer)
    with (
        opened(web.uri("m"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", words),
    ):
        transport.infer({"events": ROWS}, "score", soon())


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"name": "other"}, "'other'"),
        ({"name": "m", "versions": ["2", "3"]}, "'2', '3'"),
        ({"name": "m", "inputs": "events"}, "inputs"),
        ({"name": "m", "inputs": [{"name": "events"}]}, "inputs.0.datatype"),
        ([], "expected form"),
    ],
)
def test_metadata_that_is_none(web: RestServer, metadata: Any, words: str) -> None:
    """Metadata must be of the model and the version asked for, and of the protocol's form."""
    web.twist = saying(metadata)
    with (
        opened(web.uri("m"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "metadata", words),
    ):
        transport.describe(soon())


def tensor(name: str, datatype: str, *data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(ROWS)], "data": list(data) * len(ROWS)}


def test_the_only_floats_of_several_outputs(web: RestServer) -> None:
    """Where metadata and schema name no output: a label and a text beside the score are not taken for it."""
    web.twist = saying(
        {"outputs": [tensor("label", "INT64", 1), tensor("name", "BYTES", "good"), tensor("p", "FP32", 0.25)]}
    )
    np.testing.assert_array_equal(ask(web.uri("m")), [0.25] * len(ROWS))
    web.twist = saying({"outputs": [tensor("a", "FP32", 0.5), tensor("b", "FP64", 0.25)]})
    with pytest.raises(
        DoesNotFit, match=r"several outputs, 'a' FP32, 'b' FP64; name the one that is the score"
    ):
        ask(web.uri("m"))
    web.twist = saying({"outputs": [tensor("name", "BYTES", "good")]})
    with pytest.raises(DoesNotFit, match="'name' holds BYTES, not numbers"):
        ask(web.uri("m"))
