"""Colours of all pages and pictures, each with its one meaning.

Single meanings have colours after Okabe and Ito's and Tol's colour-blind-safe ones; what is counted (cells, steps,
units) has shades of the colour of what it is about; runs side by side have colours of their own, which mean nothing
else. Conditions have the colours of their table (:mod:`steering.experiments.conditions`).
"""

from __future__ import annotations

from typing import Any

from plotly.colors import sample_colorscale

TRICK, CHEESE, CORNER, ABLE = "#D55E00", "#E69F00", "#0072B2", "#009E73"
SOURCE, MOUSE, TOLD, VECTOR = "#3BA3E0", "#C2608F", "#882255", "#332288"
INK, GREY, PALE = "#333333", "#666666", "#BBBBBB"
MEANINGS = {
    TRICK: "subtraction of the cheese vector: blindness, its boundary, causal readings",
    CHEESE: "the cheese as a goal",
    CORNER: "the top right as a goal",
    ABLE: "the level without cheese, and competence, which is relative to it",
    SOURCE: "an effect at its source",
    MOUSE: "an effect at the mouse's place; readings of planning",
    TOLD: "what a readout or a probe tells; decoding readings",
    VECTOR: "the cheese vector itself; representational readings",
    INK: "all states together, and the loss",
    GREY: "what is compared with: controls, thresholds, readers without a network, shuffled labels",
    PALE: "the rest",
}
RUN_COLOURS = ("#117733", "#AA4499", "#CC6677", "#44AA99", "#999933", "#6699CC")  # for up to six runs
MOST_NAMED = 6  # entries of a legend
DASHES = ("solid", "dash", "dot", "dashdot")
SIGNED, UNSIGNED = "RdBu_r", "cividis"  # scales of heat maps
_LIGHT, _DARK = 0.55, 0.6  # of the way to white and to black, where shades end


def run_colours(runs: int) -> list[str]:
    """Return a colour for each run: of the palette, or, where there are more, along one scale."""
    if runs <= len(RUN_COLOURS):
        return list(RUN_COLOURS[:runs])
    return _hex(UNSIGNED, [i / (runs - 1) for i in range(runs)])


def run_lines(runs: int) -> list[dict[str, Any]]:
    """Return plotly's line of each run: apart by colour and dash, or, where there are many, along one scale."""
    colours = run_colours(runs)
    if runs <= len(RUN_COLOURS):
        return [{"color": colour, "dash": DASHES[i % len(DASHES)], "width": 2.5} for i, colour in enumerate(colours)]
    return [{"color": colour, "dash": "solid", "width": 2} for colour in colours]


def named_runs(runs: int) -> list[bool]:
    """Return which runs a legend names: all, or, where there are more than it holds, some evenly along the scale."""
    if runs <= MOST_NAMED:
        return [True] * runs
    named = {round(i * (runs - 1) / (MOST_NAMED - 1)) for i in range(MOST_NAMED)}
    return [run in named for run in range(runs)]


def shades(colour: str, count: int) -> list[str]:
    """Return ``count`` shades of a colour ``#rrggbb`` from light to dark, for lines that differ in a number."""
    parts = _parts(colour)
    light = tuple(round(part + (255 - part) * _LIGHT) for part in parts)
    dark = tuple(round(part * (1 - _DARK)) for part in parts)
    scale = ["rgb({},{},{})".format(*ends) for ends in (light, parts, dark)]
    return _hex(scale, [i / (count - 1) for i in range(count)]) if count > 1 else [colour][:count]


def faded(colour: str, opacity: float) -> str:
    """Return a colour ``#rrggbb`` as plotly's ``rgba``, for shaded intervals."""
    return "rgba({},{},{},{})".format(*_parts(colour), opacity)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(scale: str | list[str], at: list[float]) -> list[str]:
    found = sample_colorscale(scale, at, colortype="tuple")
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in found]
