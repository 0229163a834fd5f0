"""The same mistake through every protocol: the error names the field where this caller wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from api.inference_calls import BACKGROUND, OURS, stub
from api.test_kserve import get, post
from matrix import BY_NAME
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving

CASE = BY_NAME["multi_input"]
GOOD = [dict(CASE.sample(6, seed)) for seed in range(2)]
TYPES = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "int32": "INT32", "bool": "BOOL"}


@dataclass(frozen=True)
class Told:
    """What a caller was told."""

    reason: str
    fields: set[str]
    message: str
    row: str


@dataclass(frozen=True)
class Mistake:
    """The second of two rows with something changed, options beside it, and what each protocol calls the place.

    paths: in `sequela.v1`, in the Open Inference Protocol by gRPC and by REST, and in KServe's first protocol.
    """

    title: str
    reason: str
    paths: tuple[str, str, str]
    change: Callable[[dict[str, Any]], None] = lambda row: None
    options: Mapping[str, Any] = field(default_factory=dict)
    of_rows: bool = True
    background: str = BACKGROUND

    def rows(self) -> list[dict[str, Any]]:
        rows = [dict(row) for row in GOOD]
        for row in rows if self.title == "another name" else rows[1:]:
            self.change(row)
        return rows


def names(row: Mapping[str, Any]) -> list[str]:
    return list(row)


FIRST, *_ = GOOD[0]
PLACE = list(GOOD[0]).index(FIRST)


def holed(row: dict[str, Any]) -> None:
    row[FIRST] = row[FIRST].copy()
    row[FIRST][2, 0] = np.nan


def renamed(row: dict[str, Any]) -> None:
    values = {("nobody" if name == FIRST else name): array for name, array in row.items()}
    row.clear()
    row.update(values)


MISTAKES = [
    Mistake(
        "a missing value",
        "TENSOR_NOT_FINITE",
        (f"sequence.inputs[{PLACE}].tensor", f"inputs[{PLACE}]", f"instances[1].{FIRST}"),
        holed,
    ),
    Mistake(
        "another name",
        "INPUT_UNKNOWN",
        (f"sequence.inputs[{PLACE}].name", f"inputs[{PLACE}].name", "instances[0].nobody"),
        renamed,
    ),
    Mistake(
        "no such target",
        "TARGET_UNKNOWN",
        ("options.targets[0]", "parameters.targets[0]", "parameters.targets[0]"),
        options={"targets": ["nobody"]},
    ),
    Mistake(
        "an option out of range",
        "OPTION_OUT_OF_RANGE",
        ("options.max_coalitions", "parameters.max_coalitions", "parameters.max_coalitions"),
        options={"max_coalitions": 0},
        of_rows=False,
    ),
    Mistake(
        "an event of a model with one output",
        "OUTPUT_EVENT_UNSUPPORTED",
        ("options.output_event", "parameters.output_event", "parameters.output_event"),
        options={"output_event": -1},
    ),
    Mistake(
        "a background's odd name",
        "NAME_INVALID",
        ("background.name", "parameters.background", "parameters.background"),
        background="a b",
        of_rows=False,
    ),
]


def by_sequela(serving: Serving, mistake: Mistake) -> Told:
    message = pb.Sequence(
        inputs=[
            pb.InputTensor(
                name=name,
                tensor=pb.Tensor(
                    dtype=OURS[TYPES[array.dtype.name]],  # type: ignore[arg-type]
                    shape=array.shape,
                    raw=array.tobytes(),
                ),
            )
            for name, array in mistake.rows()[1].items()
        ]
    )
    request = pb.ExplainRequest(
        model=pb.ModelReference(name=CASE.name),
        background=pb.BackgroundReference(name=mistake.background),
        sequence=message,
        options=pb.ExplainOptions(**mistake.options),
    )
    with pytest.raises(grpc.RpcError) as caught:
        serving.explanations.Explain(request)
    failed = Failure(caught.value)
    return Told(failed.reason, set(failed.violations), failed.message, "1")


def batches(mistake: Mistake) -> list[dict[str, Any]]:
    rows = mistake.rows()
    return [
        {
            "name": name,
            "datatype": TYPES[rows[0][name].dtype.name],
            "values": np.stack([row[name] for row in rows]),
        }
        for name in names(rows[0])
    ]


def by_grpc(serving: Serving, mistake: Mistake) -> Told:
    request = oip.ModelInferRequest(model_name=CASE.name)
    for each in batches(mistake):
        request.inputs.add(name=each["name"], datatype=each["datatype"], shape=each["values"].shape)
        request.raw_input_contents.append(each["values"].tobytes())
    request.parameters["background"].string_param = mistake.background
    for name, value in mistake.options.items():
        if isinstance(value, list):
            request.parameters[name].string_param = ",".join(value)
        else:
            request.parameters[name].int64_param = value
    with pytest.raises(grpc.RpcError) as caught:
        stub(serving).ModelInfer(request)
    failed = Failure(caught.value)
    return Told(failed.reason, set(failed.violations), failed.message, failed.facts.get("row", ""))


def posted(serving: Serving, path: str, body: Any) -> Told:
    text = json.dumps(body).replace("NaN", "null")
    said = post(serving, path, text).json()
    fields = {each["field"] for each in said["violations"]}
    return Told(said["reason"], fields, said["error"], said.get("metadata", {}).get("row", ""))


def by_rest(serving: Serving, mistake: Mistake) -> Told:
    inputs = [
        {
            "name": each["name"],
            "datatype": each["datatype"],
            "shape": list(each["values"].shape),
            "data": each["values"].tolist(),
        }
        for each in batches(mistake)
    ]
    parameters = {"background": mistake.background, **mistake.options}
    return posted(serving, f"/v2/models/{CASE.name}/infer", {"inputs": inputs, "parameters": parameters})


def by_kserve(serving: Serving, mistake: Mistake) -> Told:
    instances = [{name: array.tolist() for name, array in row.items()} for row in mistake.rows()]
    parameters = {"background": mistake.background, **mistake.options}
    body = {"instances": instances, "parameters": parameters}
    return posted(serving, f"/v1/models/{CASE.name}:explain", body)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.title)
def test_a_mistake_is_named_in_the_callers_own_words(serving: Serving, mistake: Mistake) -> None:
    """The same reason everywhere; field, message and number of the row are those of the request that was sent."""
    ours, tensors, instances = mistake.paths
    doors = ((by_sequela, ours), (by_grpc, tensors), (by_rest, tensors), (by_kserve, instances))
    for door, path in doors:
        told = door(serving, mistake)
        assert told.reason == mistake.reason, told
        assert told.fields == {path}, told
        assert f"{path}: " in told.message
        if mistake.of_rows and door is not by_sequela:
            assert told.row in ("0", "1")


def test_the_name_that_a_caller_gives_the_instances_is_kept(serving: Serving) -> None:
    """`inputs` is another name of `instances`, and then paths begin with it."""
    told = posted(serving, f"/v1/models/{CASE.name}:predict", {"inputs": [{"nobody": [1.0]}]})
    assert told.fields == {"inputs[0].nobody"}


def test_all_that_is_wrong_with_a_body_is_told_at_once(serving: Serving) -> None:
    """Each by its path in the body."""
    body = {"inputs": [{"name": 1, "shape": [1], "datatype": "FP32", "data": {}}], "id": 7, "outputs": None}
    told = posted(serving, f"/v2/models/{CASE.name}/infer", body)
    assert told.reason == "FIELD_INVALID"
    assert told.fields >= {"id", "outputs", "inputs[0].name"}
    assert "must be a string, not a number" in told.message


def test_a_scored_row_at_fault_is_told(serving: Serving) -> None:
    """Also where rows are only scored: its number stands in the metadata, and in `sequela.v1` in the path too."""
    rows = MISTAKES[0].rows()
    instances = [{name: array.tolist() for name, array in row.items()} for row in rows]
    told = posted(serving, f"/v1/models/{CASE.name}:predict", {"instances": instances})
    assert (told.fields, told.row) == ({f"instances[1].{FIRST}"}, "1")


@pytest.mark.parametrize("path", ["/v1/models/a%20b", "/v2/models/a%20b", "/v2/models/m/versions/007"])
def test_an_odd_model_in_the_path_is_named(serving: Serving, path: str) -> None:
    """As the part of the path that it is."""
    said = get(serving, path).json()
    assert (said["reason"], said["violations"][0]["field"]) == ("NAME_INVALID", "name")
