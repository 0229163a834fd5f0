"""Correct requests, which tests change to make them wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from matrix import ROOT
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, inputs
from waiting import PATIENCE

GRU = (ROOT / "gru" / "1" / "model.onnx").read_bytes()
COLUMNS = 5
EVENTS = 6


def sequence(seed: int = 0, events: int = EVENTS) -> pb.Sequence:
    return pb.Sequence(inputs=inputs(np.random.default_rng(seed).normal(size=(events, COLUMNS))))


def background() -> pb.BackgroundReference:
    return pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(COLUMNS))))


def inline(onnx: bytes = GRU) -> pb.ModelReference:
    return pb.ModelReference(inline=pb.InlineModel(onnx=onnx))


def explain_request(**changed: Any) -> pb.ExplainRequest:
    """Returns a correct request with some fields replaced."""
    fields = {"model": inline(), "background": background(), "sequence": sequence(), **changed}
    return pb.ExplainRequest(**fields)


def upload(
    name: str, onnx: bytes = GRU, digest: str = "", chunk: int = 4096
) -> list[pb.RegisterModelRequest]:
    header = pb.RegisterModelHeader(name=name, digest=digest)
    parts = [onnx[start : start + chunk] for start in range(0, len(onnx), chunk)]
    return [
        pb.RegisterModelRequest(header=header),
        *(pb.RegisterModelRequest(onnx_chunk=part) for part in parts),
    ]


def register(server: Serving, name: str, onnx: bytes = GRU) -> pb.Model:
    # A timeout of its own, because the server's default may be too short for a busy machine.
    return server.models.RegisterModel(iter(upload(name, onnx)), timeout=PATIENCE).model
