"""Finds the columns of the input that the model takes: by the names of its features or inputs, or in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sequela_client.errors import CallerError
from sequela_client.files import FileTable
from sequela_client.model_inputs.columns import Source, choose_columns, match_columns
from sequela_client.model_inputs.layout import Layout


@dataclass(frozen=True, slots=True)
class InputColumns:
    """The columns of the input that the model takes. Either `sources` or `matrices` is empty.

    Args:
        sources: the name of a column and what it holds, for each input of the model and each column of that input.
        matrices: the name of the column that holds a whole input, by the name of the input.
    """

    sources: Mapping[tuple[str, int], tuple[str, Source]]
    matrices: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are used."""
        found = (*(name for name, _ in self.sources.values()), *self.matrices.values())
        return tuple(dict.fromkeys(found))


def input_columns(
    names: Sequence[str], layout: Layout, wanted: Sequence[str] = (), apart: Sequence[str | None] = ()
) -> InputColumns:
    """Matches the columns of the input with the model.

    Args:
        names: the names of the columns.
        layout: the inputs and features of the model.
        wanted: the columns to take, in the model's order; empty: by their names.
        apart: columns of ids, times and labels. They are left aside unless the model has a feature of that name.

    Raises:
        CallerError: COLUMNS_DIFFER, features are missing.
    """
    inputs = [item.name for item in layout.inputs]
    # A column may hold a whole input. Names of features go first, since an input may be called like one of them.
    if not wanted and set(inputs) <= set(names) and not set(layout.names) <= set(names):
        return InputColumns({}, {name: name for name in inputs})
    if len(wanted) == 1 and len(inputs) == 1 and layout.inputs[0].width > 1:
        _check(wanted[0], names)
        return InputColumns({}, {inputs[0]: wanted[0]})
    # A feature may have the name of the column of times or ids, and is then both.
    left = [name for name in names if name not in apart or name in layout.names]
    if len(left) == len(inputs) == 1 and not wanted and left[0] not in layout.names:
        return InputColumns({}, {inputs[0]: left[0]})
    table = FileTable(Path("the input"), (), (), tuple(left))
    found = choose_columns(table, wanted, layout) if wanted else match_columns(table, layout)
    assert not isinstance(found, list)
    return InputColumns({place: (left[source.column], source) for place, source in found.sources.items()}, {})


def check_columns(names: Sequence[str], wanted: Sequence[str | None]) -> None:
    """Raises CallerError if the input does not have one of these columns."""
    for each in wanted:
        if each is not None:
            _check(each, names)


def _check(wanted: str, names: Sequence[str]) -> None:
    if wanted not in names:
        raise CallerError(
            f"the input has no column {wanted!r}; it has {', '.join(names)}", reason="COLUMNS_DIFFER"
        )
