"""Correct inference requests, which tests change to make them wrong, and the same requests by sequela.v1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matrix import Case
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.inference import open_inference_pb2_grpc as oip_rpc
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving

Arrays = Mapping[str, NDArray[Any]]

DATATYPES = {"bool": "BOOL", "int32": "INT32", "int64": "INT64", "float32": "FP32", "float64": "FP64"}
OURS = {"BOOL": 5, "INT32": 3, "INT64": 4, "FP32": 1, "FP64": 2}
CONTENTS = {
    "BOOL": "bool_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
BACKGROUND = "usual"
MODELS = ("multi_input", "classes", "masked", "lengths", "gru")


def stub(server: Serving) -> Any:
    return oip_rpc.GRPCInferenceServiceStub(server.channel)


def sample_rows(case: Case, count: int, length: int = 6) -> list[Arrays]:
    return [case.sample(length, seed) for seed in range(count)]


def infer_request(
    model: str, rows: Sequence[Arrays], outputs: Sequence[str] = (), raw: bool = True, **parameters: Any
) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=model, id="alert-7")
    for name in rows[0]:
        batch = np.stack([row[name] for row in rows])
        datatype = DATATYPES[batch.dtype.name]
        tensor = request.inputs.add(name=name, datatype=datatype, shape=batch.shape)
        if raw:
            request.raw_input_contents.append(batch.tobytes())
        else:
            getattr(tensor.contents, CONTENTS[datatype]).extend(batch.ravel().tolist())
    for name in outputs:
        request.outputs.add(name=name)
    for name, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
        setattr(request.parameters[name], kind[type(value)], value)
    return request


def tensors(response: oip.ModelInferResponse) -> dict[str, Any]:
    """Returns the outputs as arrays, and texts as lists of bytes."""
    if response.raw_output_contents:
        pairs = zip(response.outputs, response.raw_output_contents, strict=True)
        return {output.name: _from_raw(output, raw) for output, raw in pairs}
    return {output.name: _typed(output) for output in response.outputs}


def _typed(output: Any) -> Any:
    held = getattr(output.contents, CONTENTS[output.datatype])
    return list(held) if output.datatype == "BYTES" else np.array(held).reshape(output.shape)


def _from_raw(output: Any, raw: bytes) -> Any:
    if output.datatype != "BYTES":
        dtype = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?"}[output.datatype]
        return np.frombuffer(raw, dtype).reshape(output.shape)
    texts = []
    while raw:
        size = int.from_bytes(raw[:4], "little")
        texts.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return texts


def our_inputs(arrays: Arrays) -> list[pb.InputTensor]:
    return [
        pb.InputTensor(
            name=name,
            tensor=pb.Tensor(
                dtype=OURS[DATATYPES[array.dtype.name]],  # type: ignore[arg-type]
                shape=array.shape,
                raw=array.tobytes(),
            ),
        )
        for name, array in arrays.items()
    ]


def create_background(server: Serving, case: Case) -> None:
    """Stores the average event of a case as the background `usual`."""
    header = pb.CreateBackgroundHeader(name=f"models/{case.name}/backgrounds/{BACKGROUND}")
    values = pb.BackgroundValues(inputs=our_inputs(case.average()))
    parts = [pb.CreateBackgroundRequest(header=header), pb.CreateBackgroundRequest(values=values)]
    server.backgrounds.CreateBackground(iter(parts))


def ours(server: Serving, case: Case, row: Arrays, **options: Any) -> pb.Explanation:
    """Sends the same request by sequela.v1, for all targets in the model's order."""
    options = {"targets": map(str, range(len(case.targets))), **options}
    request = pb.ExplainRequest(
        model=pb.ModelReference(name=case.name),
        background=pb.BackgroundReference(name=BACKGROUND),
        sequence=pb.Sequence(inputs=our_inputs(row)),
        options=pb.ExplainOptions(**options),
    )
    return server.explanations.Explain(request).explanation


def by_event(found: pb.Explanation) -> dict[int, list[float]]:
    """Returns the event level by t."""
    return {
        each.event: list(each.values)
        for each in found.event_level.attributions
        if each.kind == pb.PLAYER_KIND_EVENT
    }


def total(found: pb.LevelExplanation, *kinds: int) -> NDArray[np.float64]:
    """Returns the sum over the players of these kinds; 0 if there are none."""
    parts = [list(each.values) for each in found.attributions if each.kind in kinds]
    return np.sum(parts, axis=0) if parts else np.zeros(1)


def by_feature(found: pb.Explanation) -> list[list[float]]:
    """Returns the feature level in the model's order."""
    values = {each.feature: list(each.values) for each in found.feature_level.attributions if each.feature}
    return [values[feature.name] for feature in found.features]


def instances(rows: Sequence[Arrays]) -> list[Any]:
    """Returns instances for KServe's first protocol, without names if there is one input."""
    return [
        next(iter(row.values())).tolist()
        if len(row) == 1
        else {name: array.tolist() for name, array in row.items()}
        for row in rows
    ]


def as_json(request: oip.ModelInferRequest) -> str:
    """Returns a typed request in the REST form of the Open Inference Protocol."""
    parameters = {key: getattr(v, v.WhichOneof("parameter_choice")) for key, v in request.parameters.items()}
    body = {
        "id": request.id,
        "parameters": parameters,
        "inputs": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "datatype": tensor.datatype,
                "data": list(getattr(tensor.contents, CONTENTS[tensor.datatype])),
            }
            for tensor in request.inputs
        ],
    }
    if request.outputs:
        body["outputs"] = [{"name": output.name} for output in request.outputs]
    return json.dumps(body)
