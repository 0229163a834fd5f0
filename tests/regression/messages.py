"""Builds requests with seeded values for each protocol, and reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import grpc
import httpx
import numpy as np
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from matrix import BY_NAME, Case
from numpy.typing import NDArray
from regression.answers import Refusal
from regression.deployment import PATIENCE, Deployment
from sequela_client import SequelaError
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb

Arrays = Mapping[str, NDArray[Any]]
NUMPY = {
    "float32": (pb.DATA_TYPE_FLOAT32, "FP32"),
    "float64": (pb.DATA_TYPE_FLOAT64, "FP64"),
    "int32": (pb.DATA_TYPE_INT32, "INT32"),
    "int64": (pb.DATA_TYPE_INT64, "INT64"),
    "bool": (pb.DATA_TYPE_BOOL, "BOOL"),
}


@dataclass(frozen=True)
class Question:
    """A question of the fixed set.

    Attributes:
        name: Unique, and stable: the digests are stored under it.
        model: The model that it is about.
        interface: How it is asked.
        ask: Asks it and returns the answer.
        left_out: Names of fields that differ between two runs of one commit.
    """

    name: str
    model: str
    interface: str
    ask: Callable[[Deployment], Any]
    left_out: frozenset[str] = frozenset()


def answer(question: Question, deployment: Deployment) -> Any:
    """Asks, and returns the answer or the error."""
    try:
        return question.ask(deployment)
    except grpc.RpcError as error:
        return refusal(error)
    except SequelaError as error:
        return Refusal(type(error).__name__, error.reason, (), str(error))


def refusal(error: Any) -> Refusal:
    """Reads the error of a gRPC call."""
    reason, fields = "", []
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            fields += [each.field for each in bad.field_violations]
    return Refusal(error.code().name, reason, tuple(fields), error.details())


def seed_of(name: str) -> int:
    """Returns a seed for the values of a question. Questions with equal values would be answered from the store."""
    return crc32(name.encode()) % 100_000


def tensor(values: Any) -> pb.Tensor:
    """Returns the array as raw bytes of its own type."""
    array = np.ascontiguousarray(values)
    return pb.Tensor(dtype=NUMPY[array.dtype.name][0], shape=np.shape(values), raw=array.tobytes())


def inputs(arrays: Arrays) -> list[pb.InputTensor]:
    return [pb.InputTensor(name=name, tensor=tensor(array)) for name, array in arrays.items()]


def values(arrays: Arrays) -> pb.BackgroundReference:
    """Returns a background whose values are sent with the request."""
    return pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(arrays)))


def request(case: Case, length: int, drawn: int, background: Any = "average", /, **options: Any) -> Any:
    """Returns a question about a model of the matrix.

    Args:
        case: The model.
        length: Number of events.
        drawn: Seed of the values of the sequence and the background.
        background: `average` for a seeded average event, None for the model's own, arrays, or a reference.
        options: Fields of ExplainOptions.
    """
    if background == "average":
        background = values(case.average(drawn + 1))
    elif isinstance(background, Mapping):
        background = values(background)
    return pb.ExplainRequest(
        model=pb.ModelReference(name=case.name),
        background=background,
        sequence=pb.Sequence(inputs=inputs(case.sample(length, drawn))),
        options=pb.ExplainOptions(**options),
    )


def explained(deployment: Deployment, asked: pb.ExplainRequest) -> pb.Explanation:
    return deployment.explanations.Explain(asked, timeout=PATIENCE).explanation


def inference(
    name: str, rows: Sequence[Arrays], outputs: Sequence[str] = (), **parameters: Any
) -> oip.ModelInferRequest:
    """Returns a request of the Open Inference Protocol by gRPC, with raw tensors."""
    asked = oip.ModelInferRequest(model_name=name)
    for key in rows[0]:
        batch = np.stack([row[key] for row in rows])
        asked.inputs.add(name=key, datatype=NUMPY[batch.dtype.name][1], shape=batch.shape)
        asked.raw_input_contents.append(batch.tobytes())
    for output in outputs:
        asked.outputs.add(name=output)
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    for key, value in parameters.items():
        setattr(asked.parameters[key], kinds[type(value)], value)
    return asked


def tensors(found: oip.ModelInferResponse) -> dict[str, Any]:
    """Returns the outputs by name: arrays, and messages for explanations in JSON."""
    read: dict[str, Any] = {"targets": found.parameters["targets"].string_param}
    for output, raw in zip(found.outputs, found.raw_output_contents, strict=True):
        dtype = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?"}.get(output.datatype)
        read[output.name] = np.frombuffer(raw, dtype).reshape(output.shape) if dtype else _texts(raw)
    if "explanation" in read:
        read["explanation"] = [explanation(text) for text in read["explanation"]]
    return read


def _texts(raw: bytes) -> list[bytes]:
    found = []
    while raw:
        size = int.from_bytes(raw[:4], "little")
        found.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return found


def explanation(text: str | bytes | Mapping[str, Any]) -> pb.Explanation:
    """Parses the JSON of an explanation."""
    if isinstance(text, Mapping):
        return json_format.ParseDict(text, pb.Explanation())
    return json_format.Parse(text, pb.Explanation())


def v2_body(rows: Sequence[Arrays], outputs: Sequence[str] = (), **parameters: Any) -> dict[str, Any]:
    """Returns a request of the Open Inference Protocol by REST."""
    batches = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    described = [
        {
            "name": key,
            "datatype": NUMPY[batch.dtype.name][1],
            "shape": list(batch.shape),
            "data": batch.tolist(),
        }
        for key, batch in batches.items()
    ]
    body: dict[str, Any] = {"inputs": described, "parameters": parameters}
    return body | ({"outputs": [{"name": each} for each in outputs]} if outputs else {})


def v1_body(rows: Sequence[Arrays], **parameters: Any) -> dict[str, Any]:
    """Returns a request of KServe's first protocol."""
    instances = [{key: array.tolist() for key, array in row.items()} for row in rows]
    return {"instances": instances} | ({"parameters": parameters} if parameters else {})


def posted(deployment: Deployment, path: str, body: Any) -> Any:
    """Posts a body. Returns the JSON of the answer, with messages for explanations, or the error."""
    found = deployment.http.post(path, json=body)
    if found.status_code != httpx.codes.OK:
        said = found.json()
        fields = tuple(each["field"] for each in said.get("violations", ()))
        return Refusal(str(found.status_code), said.get("reason", ""), fields, said["error"])
    said = found.json()
    if "explanations" in said:
        said["explanations"] = [explanation(each) for each in said["explanations"]]
    for output in said.get("outputs", ()):
        if output["name"] == "explanation":
            output["data"] = [explanation(each) for each in output["data"]]
    said["outputs"] = [each for each in said.get("outputs", ()) if each["name"] != "explanation_name"]
    return said


def rows_of(name: str, count: int, length: int, seed: int) -> list[dict[str, NDArray[Any]]]:
    case = BY_NAME[name]
    return [case.sample(length, seed + row) for row in range(count)]
