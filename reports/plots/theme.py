"""How every plot looks: the size of a paper's column, one light and one dark theme, and reproducible files.

Families of methods differ in colour and marker. Each theme's colours differ by 18 or more (CIE76, after simulating
protanopia, deuteranopia and tritanopia as in Machado, Oliveira and Fernandes, 2009), and have a contrast of 3:1 or more
to its background; both themes go through the same hues.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
import seaborn as sns
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from vssbench.files.atomic import replace

FORMATS = ("png", "svg", "pdf")
LINES = 24
"""The most lines that one plot draws: more could not be told apart by colour or marker."""
COLUMN, PAGE = 8.5 / 2.54, 17.4 / 2.54
"""The width of one column and of both columns of a paper, in inches."""
FONT = "DejaVu Sans"
TEXT, SMALL = 7.0, 6.5
"""Font sizes in points; nothing is smaller."""
MARKERS = "osD^vPX"
DASHES = ((), (5, 2), (1, 1.5), (6, 2, 1, 2), (9, 2), (4, 1, 1, 1, 1, 1))
"""Dashes of the lines of one family: on and off, in line widths; the first is solid."""
FASTEST = 1e4
"""From this FPS on, a measurement means nothing, as in the leaderboard: no network has run. Drawn at this level."""
_UNDATED = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


@dataclass(frozen=True)
class Theme:
    """Colours as #rrggbb. ink: text and lines that matter; faint: text that matters less; grid: hardly visible."""

    suffix: str
    background: str
    ink: str
    faint: str
    grid: str
    palette: tuple[str, ...]

    def applied(self) -> AbstractContextManager[None]:
        """Return matplotlib's settings for a with-statement; text stays text in SVG and PDF."""
        paper = dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), self.background)
        lines = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), self.faint)
        settings: dict[Any, Any] = {
            **sns.axes_style("whitegrid"), **paper, **lines,
            "text.color": self.ink, "axes.labelcolor": self.ink, "grid.color": self.grid,
            "xtick.labelcolor": self.ink, "ytick.labelcolor": self.ink,
            "axes.prop_cycle": cycler(color=self.palette),
            "font.family": ["sans-serif"], "font.sans-serif": [FONT],  # a fallback where an SVG's reader lacks it
            "font.size": TEXT, "axes.titlesize": TEXT, "axes.labelsize": TEXT,
            "figure.titlesize": TEXT, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "legend.fontsize": SMALL,
            "axes.linewidth": 0.6, "grid.linewidth": 0.5, "lines.linewidth": 1.2, "lines.markersize": 3.5,
            "xtick.major.pad": 2, "ytick.major.pad": 2, "axes.labelpad": 2.5, "axes.titlepad": 4,
            "legend.frameon": False, "legend.handlelength": 1.5,
            "text.parse_math": False, "figure.dpi": 300,
            "svg.fonttype": "none", "svg.hashsalt": "vssbench", "pdf.fonttype": 42,
        }  # fmt: skip
        return mpl.rc_context(settings)


LIGHT = Theme(
    "", "#ffffff", "#1f2328", "#656d76", "#e1e4e8",
    ("#005588", "#dd7711", "#779966", "#dd55dd", "#5511aa", "#664400", "#771133", "#009999"),
)  # fmt: skip
DARK = Theme(
    "_dark", "#0d1117", "#e6edf3", "#8b949e", "#262c34",
    ("#55aaff", "#dd3300", "#99dd77", "#cc2299", "#5566ff", "#dddd00", "#bb6666", "#00eecc"),
)  # fmt: skip


class Look(NamedTuple):
    """How one method is drawn. dashes: of its lines, one of DASHES."""

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()

    @property
    def line(self) -> dict[str, Any]:
        """The look as matplotlib's arguments."""
        return {"color": self.colour, "marker": self.marker, **({"dashes": self.dashes} if self.dashes else {})}


def looks(families: Iterable[str], theme: Theme) -> dict[str, Look]:
    """Return family -> look, by name: 56 families before one repeats.

    families: those of everything that a report shows, so that a method looks the same in all of its figures
    """
    return {
        family: Look(theme.palette[number % len(theme.palette)], MARKERS[number % len(MARKERS)])
        for number, family in enumerate(sorted(set(families)))
    }


def looks_of_lines(lines: Mapping[str, str], families: Iterable[str], theme: Theme) -> dict[str, Look]:
    """Return name -> look, for lines of which several may share a family: then their dashes differ.

    lines: name -> family;  families: as for `looks`
    """
    known, seen = looks({*families, *lines.values()}, theme), Counter[str]()
    found = {}
    for name in sorted(lines):
        family = lines[name]
        found[name] = known[family]._replace(dashes=DASHES[seen[family] % len(DASHES)])
        seen[family] += 1
    return {name: found[name] for name in lines}


def write(draw: Callable[[Theme], Figure], stem: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write <stem>.<format> per format, and <stem>_dark.svg next to an SVG. The same figure gives the same bytes."""
    written = []
    for theme, endings in ((LIGHT, formats), (DARK, [ending for ending in formats if ending == "svg"])):
        if endings:
            with theme.applied():
                figure = draw(theme)
                for ending in endings:
                    written.append(stem.with_name(f"{stem.name}{theme.suffix}.{ending}"))
                    save = partial(figure.savefig, format=ending, metadata=_UNDATED[ending])
                    replace(written[-1], save)
    return written


def arrow(axes: Axes, at: tuple[float, float], along: tuple[float, float], colour: str, **look: Any) -> None:
    """Draw the arrow of a lower bound: from a point by `along`, in 1/72 inch, to where the true value may be."""
    transform = look.pop("transform", axes.transData)
    shape: dict[str, Any] = {"arrowstyle": "<-,head_width=0.15,head_length=0.25", "shrinkA": 0, "shrinkB": 2.5}
    shape |= {"color": colour, "lw": 0.9, **look}
    axes.annotate("", at, along, xycoords=transform, textcoords="offset points", arrowprops=shape)


def breadth(text: str, size: float = SMALL) -> float:
    """Return how wide a line of text is, in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(family=FONT, size=size), ismath=False)
    return float(width)


def wrapped(text: str, width: float, size: float = SMALL) -> str:
    """Return the text in lines of at most `width` points; a wider word is broken."""
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            while breadth(f"{line} {word}".strip(), size) > width and (line or len(word) > 1):
                if not line:
                    fits = max([1, *(n for n in range(2, len(word)) if breadth(word[:n], size) <= width)])
                    line, word = word[:fits], word[fits:]
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines.append(line)
    return "\n".join(lines)


def scale(axes: Axes, which: Literal["x", "y"], values: Iterable[float], top: float = math.inf) -> None:
    """Make the axis logarithmic, with plain numbers at its ticks, where the values above 0 span more than a decade.

    Zero is next to the smallest of them, on a linear stretch. A value at `top` means that or more.
    """
    shown = list(values)
    above = [value for value in shown if value > 0]
    if not above or max(above) <= 10 * min(above):
        return
    zero = {"linthresh": min(above), "linscale": 0.5} if min(shown) <= 0 else {}
    (axes.set_xscale if which == "x" else axes.set_yscale)("symlog" if zero else "log", **zero)
    first, last = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
    digits = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
    if zero:
        ticks = [0.0, *(tick for tick in ticks if tick >= min(above))]
        axes.set(**{f"{which}lim": (-0.4 * min(above), getattr(axes, f"get_{which}lim")()[1])})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"≥{top / 1e3:g}k" if value >= top else f"{value:g}"))
