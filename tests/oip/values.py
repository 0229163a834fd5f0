"""Arrays of every datatype, for hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sequela.oip.datatypes import DATATYPES
from sequela.oip.tensors import Tensor

Array = NDArray[Any]

TYPED = sorted(set(DATATYPES) - {"FP16"})


def arrays(names: list[str]) -> st.SearchStrategy[tuple[str, Array]]:
    """Draws a datatype and an array of it with 1 to 4 axes, in native or the other byte order, contiguous or not."""
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), _arrays(name)))


def tensors(names: list[str]) -> st.SearchStrategy[Tensor]:
    """Draws the same as a tensor, or a tensor of strings."""
    numeric = arrays(names).map(lambda drawn: Tensor("x", *drawn))
    return numeric | st.lists(st.binary(max_size=5), min_size=1, max_size=4).map(
        lambda texts: Tensor("x", "BYTES", texts)
    )


def _arrays(name: str) -> st.SearchStrategy[Array]:
    dtype = DATATYPES[name].dtype
    shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)
    drawn = st.sampled_from((dtype, dtype.newbyteorder(">"))).flatmap(
        lambda ordered: hnp.arrays(ordered, shapes)
    )
    return drawn | drawn.map(np.transpose)
