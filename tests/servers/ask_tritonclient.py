"""Calls a server with tritonclient's gRPC client.

`ask_tritonclient.py HOST:PORT MODEL INPUTS.npz OUTPUTS.npz` prints the metadata of the model as JSON, and writes its
outputs. It runs in the environment of Triton.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import np_to_triton_dtype


def main(address: str, model: str, given: str, answered: str) -> None:
    """Makes one call of each kind."""
    client = InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(model)
    metadata = client.get_model_metadata(model, as_json=True)
    with np.load(given) as arrays:
        answer = client.infer(model, [_input(name, values) for name, values in arrays.items()])
    np.savez(answered, **{output["name"]: answer.as_numpy(output["name"]) for output in metadata["outputs"]})
    sys.stdout.write(json.dumps(metadata))


def _input(name: str, values: np.ndarray) -> InferInput:
    tensor = InferInput(name, values.shape, np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values)
    return tensor


if __name__ == "__main__":
    main(*sys.argv[1:])
