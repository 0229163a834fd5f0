"""A batch as tensors of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Iterator

from sequela.adapters.endpoints.transport import Feeds
from sequela.oip.datatypes import datatype_of
from sequela.oip.tensors import Tensor


def feed_tensors(feeds: Feeds) -> Iterator[Tensor]:
    """One tensor for each input."""
    for name, values in feeds.items():
        yield Tensor(name, datatype_of(values.dtype).name, values)
