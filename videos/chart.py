"""The curve under a film of a sweep: blindness by site, as far as the film has come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from envs.errors import InputError
from videos.frames import ACCENTS, BACKGROUND, MUTED, RGB, TEXT

_DPI = 100


def curve_chart(
    names: Sequence[str], values: Sequence[float], shown: int, size: tuple[int, int], label: str
) -> np.ndarray:
    """Draw a curve, ``uint8[h, w, 3]`` for ``size`` (h, w): the first ``shown`` of ``values`` over all of ``names``.

    The axes are those of the whole curve from the beginning. Values are drawn from -1 to 1. Raises
    :class:`InputError` for lists of unequal length or none shown.
    """
    if len(names) != len(values) or not 1 <= shown <= len(names):
        raise InputError(f"curve: {len(values)} values for {len(names)} names, {shown} of them shown")
    height, width = size
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_colour(BACKGROUND))
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.4, 0.89, 0.54), facecolor=_colour(BACKGROUND))
    drawn = np.clip(np.array(values[:shown], dtype=np.float64), -1.0, 1.05)
    axes.axhline(0, color=_colour(MUTED), lw=0.6, zorder=1)
    axes.plot(np.arange(shown), drawn, "-o", color=_colour(ACCENTS[0]), ms=4, lw=1.8, zorder=2)
    axes.plot([shown - 1], drawn[-1:], "o", color=_colour(ACCENTS[1]), ms=8, zorder=3)
    low = float(np.nanmin(np.clip(values, -1.0, 0.0), initial=0.0))
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(low - 0.08, 1.12))
    axes.set_ylabel(label, fontsize=8, color=_colour(TEXT))
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=7)
    axes.tick_params(colors=_colour(TEXT), labelsize=7, length=2)
    for spine in axes.spines.values():
        spine.set_color(_colour(MUTED))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _colour(colour: RGB) -> tuple[float, float, float]:
    return (colour[0] / 255, colour[1] / 255, colour[2] / 255)
