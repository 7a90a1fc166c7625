"""The look of plots: colours that everyone can distinguish, reproducible files, readable axes."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from vssbench.reports.plots import theme as style
from vssbench.reports.plots.theme import DARK, LIGHT, Theme

# Machado, Oliveira and Fernandes, 2009, severity 1: on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
XYZ = np.array([[0.4124, 0.3576, 0.1805], LUMINANCE, [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    """Linear RGB of #rrggbb."""
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    ratio = XYZ @ light / XYZ.sum(axis=1)
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    low, high = sorted(LUMINANCE @ linear(colour) for colour in (one, other))
    return float((high + 0.05) / (low + 0.05))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("sight", SIGHTS)
def test_palette_colours_differ_for_every_colour_vision(theme: Theme, sight: str) -> None:
    seen = [lab(np.clip(np.array(SIGHTS[sight]) @ linear(colour), 0, 1)) for colour in theme.palette]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 18


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_and_markers_contrast_with_the_background(theme: Theme) -> None:
    assert min(contrast(colour, theme.background) for colour in theme.palette) >= 3
    assert min(contrast(colour, theme.background) for colour in (theme.ink, theme.faint)) >= 4.5


def test_56_families_have_distinct_looks_that_agree_in_both_themes() -> None:
    families = [f"method{number:02d}" for number in range(56)]
    light, dark = style.looks(families, LIGHT), style.looks(reversed(families), DARK)
    assert len(set(light.values())) == 56
    for family in families:
        assert light[family].marker == dark[family].marker
        assert LIGHT.palette.index(light[family].colour) == DARK.palette.index(dark[family].colour)


def test_plot_files_are_reproducible_and_keep_text_as_text(tmp_path: Path) -> None:
    def draw(theme: Theme) -> Figure:
        figure = Figure(figsize=(2, 2))
        figure.subplots().set_title("price in $ and $")
        return figure

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        written = style.write(draw, tmp_path / folder / "plot")
        assert [path.name for path in written] == ["plot.png", "plot.svg", "plot.pdf", "plot_dark.svg"]
    for path in written:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
    svg, dark = ((tmp_path / "one" / name).read_text() for name in ("plot.svg", "plot_dark.svg"))
    assert ">price in $ and $</text>" in svg
    assert f"'{style.FONT}', sans-serif" in svg
    assert LIGHT.background in svg
    assert DARK.background in dark
    assert LIGHT.background not in dark
    assert b"/FontFile2" in (tmp_path / "one" / "plot.pdf").read_bytes()  # TrueType, not outlines


@pytest.mark.parametrize(
    ("values", "kind", "ticks"),
    [
        ([10, 100], "linear", None),
        ([10, 101], "log", ["10", "20", "50", "100", "200", "500", "1000"]),
        ([0, 0, 0.1, 2], "symlog", ["0", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50"]),
        ([1, 1e5], "log", ["1", "10", "100", "1000", "10000", "100000"]),
        ([0, 0], "linear", None),
        ([], "linear", None),
    ],
)
def test_axis_is_logarithmic_beyond_a_decade(values: list[float], kind: str, ticks: list[str] | None) -> None:
    axes = Figure().subplots()
    axes.plot(values, values)
    style.scale(axes, "x", values)
    assert (axes.get_xscale(), axes.get_yscale()) == (kind, "linear")
    if ticks:
        shown = [axes.xaxis.get_major_formatter()(place) for place in axes.xaxis.get_major_locator()()]
        assert shown[: len(ticks)] == ticks[: len(shown)]


def test_axis_marks_the_clock_limit_as_greater_or_equal() -> None:
    axes = Figure().subplots()
    axes.plot([20, style.FASTEST], [20, style.FASTEST])
    style.scale(axes, "y", [20, style.FASTEST], style.FASTEST)
    assert axes.yaxis.get_major_formatter()(style.FASTEST) == "≥10k"
    assert axes.yaxis.get_major_formatter()(5000) == "5000"


@given(st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "Zs"]), max_size=80), st.floats(20, 200))
def test_wrapped_text_keeps_its_words_and_fits_the_width(text: str, width: float) -> None:
    lines = style.wrapped(text, width).split("\n")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(style.breadth(line) <= width for line in lines)
