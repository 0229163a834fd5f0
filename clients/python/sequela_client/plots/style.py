"""The style of all figures: colours, sizes, and text on axes.

Figures are made without pyplot and its global state. Warm colours mean towards a higher score (towards the alert), cool
ones towards a lower one. A sign and a number say the same beside every colour.
"""

from __future__ import annotations

import base64
import io
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from sequela_client.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.cm import ScalarMappable as Scale
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

EXTRA = "report"

# The two ends of ColorBrewer's PuOr, which all kinds of colour vision tell apart. As grey, both have the same depth,
# so bars also differ by their sign, their side of the zero line and, for lowering ones, by hatching.
WARM: Final = "#b35806"
COOL: Final = "#542788"
COLOURS: Final = "PuOr_r"  # matplotlib's colour map from COOL to WARM
NEUTRAL: Final = "#595959"
FAINT: Final = "#d9d9d9"
INK: Final = "#1a1a1a"
HATCH: Final = "////"
BLOCK_HATCH: Final = "xxx"

# In inches. The first is a column of a page; figures grow in height with their rows.
WIDTH: Final = 7.2
ROW_HEIGHT: Final = 0.3
# The largest side of a figure. The renderer cuts figures at 2^16 pixels, at 100 dots an inch.
MAX_INCHES: Final = 320.0
FONT_SIZE: Final = 9.0
# How many characters of a title fit into an inch.
_TITLE_CHARACTERS: Final = 10.5
# Labels are wrapped after this many characters.
LABEL_WIDTH: Final = 28

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, each from 0 to 1."""

RC: Final = {
    # The first font comes with matplotlib. A browser without it takes another one of about the same width.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Bitstream Vera Sans", "Arial", "sans-serif"],
    "font.size": FONT_SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": NEUTRAL,
    "axes.labelcolor": INK,
    "axes.titlesize": FONT_SIZE + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": FONT_SIZE - 1,
    "svg.fonttype": "none",
    "svg.hashsalt": "sequela",
    # Without this, matplotlib would read a name with two dollar signs as a formula.
    "text.parse_math": False,
}


def styled() -> AbstractContextManager[None]:
    """Returns a context in which figures have this style. Afterwards matplotlib's settings are as before."""
    context: AbstractContextManager[None] = require("matplotlib", EXTRA).rc_context(RC)
    return context


def empty_figure(width: float = WIDTH, height: float = 3.2) -> Figure:
    """Returns a new figure of this size, in inches, without axes. Call it within `styled()`."""
    require("matplotlib.figure", EXTRA)
    from sequela_client.plots.notebook_figure import NotebookFigure  # noqa: PLC0415 only after the check above

    # This layout makes room for labels, so that nothing is cut off.
    size = (min(width, MAX_INCHES), min(height, MAX_INCHES))
    return NotebookFigure(figsize=size, layout="constrained")


def empty_axes(width: float = WIDTH, height: float = 3.2) -> Axes:
    """Returns the only axes of a new figure of this size, in inches. Call it within `styled()`."""
    return empty_figure(width, height).add_subplot()


def figure_of(axes: Axes) -> Figure:
    """Returns the figure of axes, even if the axes are in a subfigure."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def titled(figure: Figure, title: str) -> Figure:
    """Adds a title on the left, wrapped to the width of the figure, and returns the figure."""
    characters = int(figure.get_figwidth() * _TITLE_CHARACTERS)
    figure.suptitle(wrapped(title, characters), x=0.01, ha="left", fontsize=FONT_SIZE + 1, fontweight="bold")
    return figure


def wrapped(text: str, width: int = LABEL_WIDTH) -> str:
    """Wraps a text into lines of at most this many characters. Longer words are split."""
    return "\n".join(textwrap.wrap(text, width)) or text


def line_count(text: str) -> int:
    """Returns the number of lines of a text."""
    return text.count("\n") + 1


def signed_tick(value: float, _: int | None = None) -> str:
    """Returns the text of a tick on an axis of attributions: three digits with a sign."""
    return "0" if value == 0 else f"{value:+.3g}"


def largest(values: Iterable[float]) -> float:
    """Returns the largest absolute value, for scales that are symmetric about 0; 1 if all values are 0."""
    return max(map(abs, values), default=0.0) or 1.0


def attribution_axis(axis: Axis, ticks: int = 5) -> None:
    """Gives an axis of attributions ticks with signs that are legible for values of any size."""
    ticker = require("matplotlib.ticker", EXTRA)
    axis.set_major_locator(ticker.MaxNLocator(ticks))
    axis.set_major_formatter(ticker.FuncFormatter(signed_tick))


def message(axes: Axes, text: str) -> None:
    """Writes a sentence into axes that have nothing to show."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, wrapped(text, 70), ha="center", va="center", transform=axes.transAxes)


@contextmanager
def any_letters() -> Iterator[None]:
    """Returns a context without warnings about letters that matplotlib's own font lacks.

    In an SVG, text is text, and browsers have these letters. Other pictures show boxes in their place.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def svg(figure: Figure) -> str:
    """Returns the figure as SVG, with text as text. The same numbers give the same bytes."""
    buffer = io.StringIO()
    with styled(), any_letters():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def data_uri(image: str) -> str:
    """Returns this SVG as a data URI for the `src` of an image element."""
    return "data:image/svg+xml;base64," + base64.b64encode(image.encode()).decode()


def event_axis(axis: Axis) -> None:
    """Gives an axis of event indices ticks at whole numbers."""
    ticker = require("matplotlib.ticker", EXTRA)
    axis.set_major_locator(ticker.MaxNLocator(12, integer=True, min_n_ticks=1))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.0f}"))


def legend_above(axes: Axes, columns: int = 2) -> None:
    """Adds a legend above the axes, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.3)


def colour_scale(end: float) -> Scale:
    """Returns the scale of colours for attributions from -end to +end."""
    scale: Scale = require("matplotlib.cm", EXTRA).ScalarMappable(
        norm=require("matplotlib.colors", EXTRA).Normalize(-end, end), cmap=COLOURS
    )
    return scale


def colour_of(value: float, scale: Scale) -> Colour:
    """Returns the colour of an attribution on a scale."""
    red, green, blue, opacity = map(float, scale.to_rgba(np.array([value]))[0])
    return red, green, blue, opacity


def halo() -> list[AbstractPathEffect]:
    """Returns a white edge, which makes a dark line visible on a dark bar."""
    effects = require("matplotlib.patheffects", EXTRA)
    return [effects.withStroke(linewidth=2.6, foreground="white")]
