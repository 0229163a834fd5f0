"""Random numbers, shapes and tensors, most of them harmless and some at the edge of what there is."""

from __future__ import annotations

from random import Random

import numpy as np
from onnx import TensorProto, helper, numpy_helper

EDGES = (
    -1,
    0,
    1,
    2,
    -2,
    3,
    127,
    -128,
    1 << 16,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 32,
    1 << 40,
    1 << 62,
    -(1 << 63),
)
FLOAT_EDGES = (0.0, 1.0, -1.0, 0.5, 1e-38, 3e38, -3e38, float("inf"), float("-inf"), float("nan"))
SMALL = (0, 1, 1, 2, 2, 3, 4, 5, 8)
KINDS = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(float16)": TensorProto.FLOAT16,
    "tensor(bfloat16)": TensorProto.BFLOAT16,
    "tensor(int8)": TensorProto.INT8,
    "tensor(uint8)": TensorProto.UINT8,
    "tensor(int16)": TensorProto.INT16,
    "tensor(uint16)": TensorProto.UINT16,
    "tensor(int32)": TensorProto.INT32,
    "tensor(uint32)": TensorProto.UINT32,
    "tensor(int64)": TensorProto.INT64,
    "tensor(uint64)": TensorProto.UINT64,
    "tensor(bool)": TensorProto.BOOL,
    "tensor(string)": TensorProto.STRING,
}
INTEGERS = frozenset(
    {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16}
    | {TensorProto.INT32, TensorProto.UINT32, TensorProto.INT64, TensorProto.UINT64}
)
MAX_ELEMENTS = 4096


def integer(random: Random) -> int:
    """A small number more often than one at the edge."""
    return random.choice(SMALL) if random.random() < 0.7 else random.choice(EDGES)


def number(random: Random) -> float:
    return random.gauss(0, 2) if random.random() < 0.8 else random.choice(FLOAT_EDGES)


def shape(random: Random, like: list[int]) -> list[int]:
    """Often that of the other inputs, so that many nodes are valid."""
    draw = random.random()
    if draw < 0.55:
        return list(like)
    if draw < 0.65:
        return like[-1:]
    return [random.choice(SMALL) for _ in range(random.choice((0, 1, 1, 2, 2, 3, 3, 4, 5)))]


def tensor(random: Random, kind: int, dims: list[int], name: str) -> TensorProto:
    """A tensor of this kind; its values depend on the seed."""
    count = int(np.prod(dims, dtype=np.int64)) if dims else 1
    if count > MAX_ELEMENTS:
        dims, count = [2, 2], 4
    if kind == TensorProto.STRING:
        texts = [random.choice((b"", b"a", b"ab c", b"\xff\xfe", b"x" * 100)) for _ in range(count)]
        made: TensorProto = helper.make_tensor(name, kind, dims, texts)
        return made
    generator = np.random.default_rng(random.getrandbits(64))
    return numpy_helper.from_array(_array(random, generator, kind, dims), name)


def _array(random: Random, generator: np.random.Generator, kind: int, dims: list[int]) -> np.ndarray:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    with np.errstate(all="ignore"):
        if kind in INTEGERS:
            limits = np.iinfo(dtype)
            edges = [edge for edge in (*EDGES, limits.min, limits.max) if limits.min <= edge <= limits.max]
            pool = edges if random.random() < 0.35 else [each for each in SMALL if each <= limits.max]
            return np.array([random.choice(pool) for _ in range(int(np.prod(dims)))], dtype).reshape(dims)
        if kind == TensorProto.BOOL:
            return generator.integers(0, 2, dims).astype(dtype)
        values = generator.standard_normal(dims)
        if random.random() < 0.25:
            values = generator.choice(np.array(FLOAT_EDGES), dims)
        return np.asarray(values).astype(dtype)
