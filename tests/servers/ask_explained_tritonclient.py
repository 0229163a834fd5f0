"""Calls Sequela with NVIDIA's gRPC client, at host:port. It runs in the environment of Triton; see `explained`."""

from __future__ import annotations

from typing import Any

import numpy as np
from explained import DATATYPES, main
from tritonclient import grpc


def ask(address: str, question: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calls by NVIDIA's gRPC client."""
    client = grpc.InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(question["model"])
    known = {each["name"] for each in client.get_model_metadata(question["model"], as_json=True)["outputs"]}
    inputs = []
    for name, values in arrays.items():
        inputs.append(grpc.InferInput(name, values.shape, DATATYPES[values.dtype.name]))
        inputs[-1].set_data_from_numpy(values)
    answer = client.infer(question["model"], inputs, parameters=question["parameters"])
    return {name: answer.as_numpy(name) for name in known}


if __name__ == "__main__":
    main({"tritonclient": ask})
