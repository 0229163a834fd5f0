"""Encodes backgrounds, with and without their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.common import input_tensor, timestamp
from sequela.explain.background import Background, StoredBackground
from sequela.explain.ports import Page


def summary(stored: StoredBackground) -> pb.Background:
    """Encodes a background without its values."""
    return pb.Background(
        name=stored.name,
        digest=stored.background.digest,
        create_time=timestamp(stored.create_time),
        rows=stored.background.length,
        sequences=stored.sequences,
        averaged_events=stored.averaged_events,
    )


def background(stored: StoredBackground) -> pb.Background:
    """Encodes a background with its values, in a form from which it can be created again."""
    message = summary(stored)
    message.values.CopyFrom(_values(stored.background))
    return message


def backgrounds(page: Page[StoredBackground]) -> pb.ListBackgroundsResponse:
    """Encodes a page of backgrounds, without their values."""
    return pb.ListBackgroundsResponse(backgrounds=map(summary, page.items), next_page_token=page.next_token)


def _values(given: Background) -> pb.BackgroundValues:
    if _is_average_event(given):
        return pb.BackgroundValues(inputs=_tensors({**given.mean_event, **given.static}))
    return pb.BackgroundValues(
        inputs=_tensors({**given.rows, **given.static}), mean_event=_tensors(given.mean_event)
    )


def _is_average_event(given: Background) -> bool:
    return given.length == 1 and all(
        np.array_equal(rows[0], given.mean_event[name]) for name, rows in given.rows.items()
    )


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> Iterator[pb.InputTensor]:
    for name, array in arrays.items():
        yield input_tensor(name, array)
