"""A figure that a notebook shows as a picture. Needs matplotlib, so only `style.empty_figure` imports it."""

from __future__ import annotations

import io
import warnings

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A matplotlib Figure that is a picture where it is the last expression of a notebook's cell.

    Jupyter shows other figures as pictures only after `%matplotlib inline`, which imports pyplot.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            # A missing letter is drawn as a box, and the notebook needs no warning beside it.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            self.savefig(buffer, format="png")
        return buffer.getvalue()
