"""Tables that a program may write: read as they were meant, or refused; never otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sequela_client import CallerError
from sequela_client.files import load
from sequela_client.model_inputs import file_inputs
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.rows import RowOptions
from sequela_client.resources import ModelFeature, ModelInput
from sequela_client.tables import Table as NamedColumns
from sweeps import examples

NAMES = ("amount", "hour", "shop", "age")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], np.ndarray]:
    """Cells as Python writes them, whole columns of whole numbers or of others, and their values."""
    width = draw(st.integers(1, 4))
    length = draw(st.integers(1, 5))
    whole = draw(st.lists(st.booleans(), min_size=width, max_size=width))
    kinds = [st.integers(-3, 10**6) if each else st.floats(-1e9, 1e9) for each in whole]
    rows = [[draw(kind) for kind in kinds] for _ in range(length)]
    return [[repr(value) for value in row] for row in rows], np.array(rows, np.float64)


def layout(width: int, named: bool) -> Layout:
    """A model of so many columns, with names or without."""
    names = NAMES[:width] if named else tuple(f"f{at}" for at in range(width))
    features = tuple(
        ModelFeature(name, "", "", "", False, "numeric", (), {"x": (at,)}) for at, name in enumerate(names)
    )
    return Layout((ModelInput("x", "events", "float32", width),), features)


@settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow])
@given(
    table=tables(),
    named=st.booleans(),
    head=st.sampled_from(["none", "names", "turned", "numbers", "comment"]),
    delimiter=st.sampled_from([",", ";", "\t", "|", " "]),
    comma=st.booleans(),
    index=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
    trailing=st.booleans(),
)
def test_read_as_meant_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[list[list[str]], np.ndarray],
    named: bool,
    head: str,
    delimiter: str,
    comma: bool,
    index: bool,
    encoding: str,
    end: str,
    trailing: bool,
) -> None:
    """Any header, delimiter, decimal mark, index, encoding and line end."""
    cells, values = table
    width = values.shape[1]
    names = list(NAMES[:width])
    if head == "turned" and named:
        names, cells = names[::-1], [row[::-1] for row in cells]
    first = list(map(str, range(width))) if head == "numbers" else names
    lines = [row[:] for row in cells] if head == "none" else [first, *(row[:] for row in cells)]
    if index and head not in ("none", "comment"):
        lines = [["" if at == 0 else str(at - 1), *line] for at, line in enumerate(lines)]
    if comma and delimiter != ",":
        lines = [[cell.replace(".", ",") for cell in line] for line in lines]
    text = end.join(delimiter.join(line) + (delimiter if trailing else "") for line in lines) + end
    path = tmp_path_factory.mktemp("written") / "t.csv"
    path.write_bytes((("# " if head == "comment" else "") + text).encode(encoding))
    try:
        found = file_inputs.sequence(load(path), layout(width, named), RowOptions(), file_inputs.Notes())
    except CallerError:
        return
    np.testing.assert_array_equal(plain(found.inputs), values)


@pytest.mark.parametrize("head", ["names", "turned", "numbers"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("comma", [False, True])
def test_the_usual_ones_are_read(tmp_path: Path, head: str, delimiter: str, comma: bool) -> None:
    """Ordinary numbers are not refused, so that the test above says something."""
    if comma and delimiter == ",":
        return
    rows = np.array([[12.5, 7.25, -1.5], [840.0, 23.5, 0.125]])
    names, values = list(NAMES[:3]), rows
    if head == "turned":
        names, values = names[::-1], rows[:, ::-1]
    first = ["0", "1", "2"] if head == "numbers" else names
    lines = [first, *([str(value) for value in row] for row in values.tolist())]
    text = "\n".join(delimiter.join(line) for line in lines)
    path = tmp_path / "t.csv"
    path.write_text(text.replace(".", ",") if comma else text)
    found = file_inputs.sequence(load(path), layout(3, named=True), RowOptions(), file_inputs.Notes())
    np.testing.assert_array_equal(plain(found.inputs), rows)


def plain(values: Any) -> Any:
    """The values without the names that may come with them."""
    return values.values if isinstance(values, NamedColumns) else values
