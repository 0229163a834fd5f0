"""Calls Sequela with KServe's clients: by gRPC at host:port, or by REST at a URL.

It runs in the environment of KServe; see `explained`.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
from explained import DATATYPES, main
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig


def by_grpc(address: str, question: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calls by KServe's gRPC client."""

    async def ask() -> Any:
        client = InferenceGRPCClient(address)
        try:
            assert await client.is_server_ready()
            assert await client.is_model_ready(question["model"])
            return await client.infer(_request(question, arrays))
        finally:
            await client.close()

    return _outputs(asyncio.run(ask()))


def by_rest(address: str, question: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calls by KServe's REST client, with the Open Inference Protocol."""

    async def ask() -> Any:
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        assert await client.is_server_live(address)
        assert await client.is_server_ready(address)
        assert await client.is_model_ready(address, question["model"])
        return await client.infer(address, _request(question, arrays), question["model"])

    return _outputs(asyncio.run(ask()))


def by_verb(address: str, question: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calls by KServe's REST client, with its verb `explain`."""
    rows = len(next(iter(arrays.values())))
    body = {
        "instances": [{name: values[row].tolist() for name, values in arrays.items()} for row in range(rows)],
        "parameters": question["parameters"],
    }

    async def ask() -> Any:
        client = InferenceRESTClient(RESTConfig(protocol="v1"))
        assert await client.is_server_live(address)
        assert await client.is_model_ready(address, question["model"])
        predicted = await client.infer(address, body, question["model"])
        return predicted, await client.explain(address, question["model"], body)

    predicted, explained = asyncio.run(ask())
    texts = [json.dumps(each) for each in explained["explanations"]]
    return {"raw_score": np.array(predicted["predictions"]), "explanation": np.array(texts)}


def _request(question: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    inputs = []
    for name, values in arrays.items():
        inputs.append(InferInput(name, list(values.shape), DATATYPES[values.dtype.name]))
        inputs[-1].set_data_from_numpy(values, binary_data=False)
    return InferRequest(question["model"], inputs, parameters=question["parameters"])


def _outputs(answer: Any) -> dict[str, Any]:
    return {output.name: output.as_numpy() for output in answer.outputs}


if __name__ == "__main__":
    main({"kserve": by_grpc, "kserve-v1": by_verb, "kserve-v2": by_rest})
