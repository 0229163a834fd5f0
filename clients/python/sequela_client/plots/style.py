"""How all figures look: colours, sizes, and texts on axes.

Figures are `matplotlib.figure.Figure` objects of their own; pyplot and its global state are not used. Warm colours mean
towards the alert (towards a higher score), cool ones away from it, and a sign and a number stand beside every colour.
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
# The largest side of a figure; a longer one would be cut by the renderer (2^16 pixels at 100 dots an inch).
MAX_INCHES: Final = 320.0
FONT_SIZE: Final = 9.0
# Characters of a title on an inch.
_TITLE_CHARACTERS: Final = 10.5
# Characters of a label before it is wrapped.
LABEL_WIDTH: Final = 28

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, each from 0 to 1."""

RC: Final = {
    # The first is in every matplotlib; the others let a browser that lacks it choose one of nearly the same width.
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
    # A dollar sign in a feature's name is a dollar sign.
    "text.parse_math": False,
}


def styled() -> AbstractContextManager[None]:
    """A context in which everything drawn has this style; matplotlib's settings are as before afterwards."""
    context: AbstractContextManager[None] = require("matplotlib", EXTRA).rc_context(RC)
    return context


def empty_figure(width: float = WIDTH, height: float = 3.2) -> Figure:
    """A new figure of this size in inches, without axes. Use it within `styled()`."""
    require("matplotlib.figure", EXTRA)
    from sequela_client.plots.notebook_figure import NotebookFigure  # noqa: PLC0415 only after the check above

    # A constrained layout makes room for labels, so that nothing is cut off.
    size = (min(width, MAX_INCHES), min(height, MAX_INCHES))
    return NotebookFigure(figsize=size, layout="constrained")


def empty_axes(width: float = WIDTH, height: float = 3.2) -> Axes:
    """Axes alone in a new figure of this size; `axes.figure` is the figure. Use it within `styled()`."""
    return empty_figure(width, height).add_subplot()


def figure_of(axes: Axes) -> Figure:
    """The figure of some axes, also where the axes belong to a part of a figure."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def titled(figure: Figure, title: str) -> Figure:
    """The figure with a title on its left, in as many lines as its width needs."""
    characters = int(figure.get_figwidth() * _TITLE_CHARACTERS)
    figure.suptitle(wrapped(title, characters), x=0.01, ha="left", fontsize=FONT_SIZE + 1, fontweight="bold")
    return figure


def wrapped(text: str, width: int = LABEL_WIDTH) -> str:
    """A text in lines of at most this many characters; longer words are split."""
    return "\n".join(textwrap.wrap(text, width)) or text


def line_count(text: str) -> int:
    """How many lines a text has."""
    return text.count("\n") + 1


def signed_tick(value: float, _: int | None = None) -> str:
    """The text of a tick on an axis of attributions: three digits and the sign."""
    return "0" if value == 0 else f"{value:+.3g}"


def largest(values: Iterable[float]) -> float:
    """The largest absolute value, for scales that are symmetric about 0; 1 if there is nothing but zeros."""
    return max(map(abs, values), default=0.0) or 1.0


def attribution_axis(axis: Axis, ticks: int = 5) -> None:
    """Gives an axis of attributions ticks with signs, which are readable for values of any size."""
    ticker = require("matplotlib.ticker", EXTRA)
    axis.set_major_locator(ticker.MaxNLocator(ticks))
    axis.set_major_formatter(ticker.FuncFormatter(signed_tick))


def message(axes: Axes, text: str) -> None:
    """Writes a sentence where there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, wrapped(text, 70), ha="center", va="center", transform=axes.transAxes)


@contextmanager
def any_letters() -> Iterator[None]:
    """A context without warnings of letters that matplotlib's own font lacks.

    An SVG has texts as texts, and browsers have the letters. Other pictures have boxes in their place.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def svg(figure: Figure) -> str:
    """The figure as SVG: the same bytes for the same numbers, and text as text."""
    buffer = io.StringIO()
    with styled(), any_letters():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def data_uri(image: str) -> str:
    """The `src` of an image element that holds this SVG itself."""
    return "data:image/svg+xml;base64," + base64.b64encode(image.encode()).decode()


def event_axis(axis: Axis) -> None:
    """Gives an axis of event indices whole numbers as ticks."""
    ticker = require("matplotlib.ticker", EXTRA)
    axis.set_major_locator(ticker.MaxNLocator(12, integer=True))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.0f}"))


def legend_above(axes: Axes, columns: int = 2) -> None:
    """A legend above the axes, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.3)


def colour_scale(end: float) -> Scale:
    """The colours of attributions from -end to +end."""
    scale: Scale = require("matplotlib.cm", EXTRA).ScalarMappable(
        norm=require("matplotlib.colors", EXTRA).Normalize(-end, end), cmap=COLOURS
    )
    return scale


def colour_of(value: float, scale: Scale) -> Colour:
    """The colour of an attribution on a scale."""
    red, green, blue, opacity = map(float, scale.to_rgba(np.array([value]))[0])
    return red, green, blue, opacity


def halo() -> list[AbstractPathEffect]:
    """A white edge, with which a dark line can be seen on a dark bar."""
    effects = require("matplotlib.patheffects", EXTRA)
    return [effects.withStroke(linewidth=2.6, foreground="white")]
