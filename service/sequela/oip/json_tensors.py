"""Reads and writes tensors in the protocol's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sequela.oip.datatypes import Datatype
from sequela.oip.json_numbers import json_elements
from sequela.oip.tensors import Tensor, accepted_datatype, check_shape, reshape_elements


def read_json_tensor(
    name: str, datatype: str, shape: Sequence[int], data: Any, datatypes: Mapping[str, Datatype]
) -> Tensor:
    """Reads an input of a request, which must have one of these datatypes. `data` may be nested or flat.

    Raises:
        InvalidTensor: With a field of the tensor. TENSOR_DTYPE, TENSOR_SHAPE, TENSOR_VALUE, TENSOR_NOT_FINITE,
            TENSOR_SIZE.
    """
    accepted = accepted_datatype(datatype, datatypes)
    check_shape(shape)  # before the data, which may be long
    return Tensor(name, datatype, reshape_elements(json_elements(data, accepted), shape))


def json_tensor(tensor: Tensor) -> dict[str, Any]:
    """Returns name, shape, datatype and data. Data is a flat array, which orjson writes as a list, or strings."""
    data: Any = (
        np.ascontiguousarray(tensor.values).reshape(-1)
        if isinstance(tensor.values, np.ndarray)
        else [each.decode() for each in tensor.values]
    )
    return {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype, "data": data}
