"""Recognizes the sequences of a request, whatever protocol it came by and whatever else it says."""

from __future__ import annotations

import hashlib

import numpy as np

from sequela.api.engine_port import EngineOperation, EngineRequest
from sequela.api.grpc.message_work import read_explain, read_score
from sequela.errors import SequelaError
from sequela.explain.limits import Limits
from sequela.explain.request import ExplainRequest, GivenSequence, ScoreRequest


def sequence_keys(request: EngineRequest | ExplainRequest | ScoreRequest, limits: Limits) -> tuple[str, ...]:
    """Returns a key for each sequence, and last the key of all of them together.

    The keys depend on the values only. The names of the inputs, the notes on events, the background, the options, the
    caller's id and the labels change nothing. The key of one sequence is the same for Explain and Score.
    """
    try:
        keys = tuple(_key(each) for each in _sequences(request, limits))
    except SequelaError:
        # No engine can read it either.
        return ("unreadable",)
    if len(keys) == 1:
        return keys
    return (*keys, hashlib.sha256("".join(keys).encode()).hexdigest())


def _sequences(
    request: EngineRequest | ExplainRequest | ScoreRequest, limits: Limits
) -> tuple[GivenSequence, ...]:
    match request:
        case EngineRequest(EngineOperation.SCORE, content):
            return read_score(content, limits).sequences
        case EngineRequest(_, content):
            return (read_explain(content, limits).sequence,)
        case ScoreRequest():
            return request.sequences
        case ExplainRequest():
            return (request.sequence,)


def _key(sequence: GivenSequence) -> str:
    # One input may have no name, and any order of several is right.
    digests = sorted(
        hashlib.sha256(np.ascontiguousarray(given.array, dtype=np.float64).tobytes()).digest()
        for given in sequence.inputs
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()
