"""A figure that a notebook shows as a picture. It needs matplotlib, so only `style.empty_figure` imports it."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from sequela_client.plots.style import any_letters


class NotebookFigure(Figure):
    """A matplotlib Figure that a notebook shows as a picture if it is the last expression of a cell.

    Jupyter shows other figures as pictures only after `%matplotlib inline`, which imports pyplot.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with any_letters():
            self.savefig(buffer, format="png")
        return buffer.getvalue()
